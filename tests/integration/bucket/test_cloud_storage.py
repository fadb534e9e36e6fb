"""A manifest bucket in Cloud Storage, over HTTP."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from streaming_service.adapters.bucket import BucketOfManifests, CloudStorageFolder
from streaming_service.application.ports import CopyVerdict
from streaming_service.devkit.emulators import CloudStorageEmulator, free_port
from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable
from tests.unit.adapters.bucket.dumps import PREFIX, dump, plan

pytestmark = [pytest.mark.anyio, pytest.mark.gcs]


@pytest.fixture
def client(shared_storage: CloudStorageEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Google's own client with an empty bucket `copies`."""
    for name, value in shared_storage.environment.items():
        monkeypatch.setenv(name, value)
    from google.cloud import storage

    client = cast("Any", storage).Client(project="test")
    if client.lookup_bucket("copies") is None:
        client.create_bucket("copies")
    for blob in client.list_blobs("copies"):
        blob.delete()
    yield client
    client.close()


@pytest.fixture
def folder() -> Iterator[CloudStorageFolder]:
    folder = CloudStorageFolder("copies", timeout_seconds=2.0)
    yield folder
    folder.close()


def put(client: Any, name: str, data: bytes = b"x") -> None:
    client.bucket("copies").blob(name).upload_from_string(data)


async def test_playlists_are_stored_with_what_players_and_caches_need(client: Any, folder: CloudStorageFolder) -> None:
    for name, data in dump().items():
        put(client, PREFIX + name, data)
    bucket = BucketOfManifests(folder)
    report = await bucket.finish(plan())
    bucket.close()

    assert report.verdict is CopyVerdict.COMPLETE
    playlists = [blob for blob in client.list_blobs("copies") if blob.name.endswith(".m3u8")]
    assert len(playlists) == 8
    assert {(blob.content_type, blob.cache_control) for blob in playlists} == {
        ("application/vnd.apple.mpegurl", "public, max-age=60")
    }


async def test_a_large_copy_is_listed_and_removed_page_by_page(client: Any, folder: CloudStorageFolder) -> None:
    for number in range(1100):
        put(client, f"{PREFIX}{number}")
    bucket = BucketOfManifests(folder)

    assert len(folder.list(PREFIX, 10_000)) == 1100
    await bucket.remove(PREFIX)
    bucket.close()
    assert list(client.list_blobs("copies")) == []


def test_what_a_mount_keeps_for_folders_is_no_object_and_goes_with_the_rest(
    client: Any, folder: CloudStorageFolder
) -> None:
    for name in (PREFIX, PREFIX + "seg", PREFIX + "deep/seg", PREFIX + "deep/"):
        put(client, name)

    assert folder.list(PREFIX, 10) == {"seg": 1}
    assert folder.delete_some(PREFIX, 10)
    assert list(client.list_blobs("copies")) == []


@pytest.mark.usefixtures("client")
async def test_a_bucket_that_is_not_there_is_refused_with_what_to_do() -> None:
    folder = CloudStorageFolder("no-such-bucket", timeout_seconds=2.0)
    bucket = BucketOfManifests(folder)

    for ask in (bucket.check, lambda: bucket.finish(plan()), lambda: bucket.remove(PREFIX)):
        with pytest.raises(UpstreamRejected, match="no bucket gs://no-such-bucket: create it"):
            await ask()
    bucket.close()


@pytest.mark.usefixtures("client")
def test_a_closed_folder_opens_again(folder: CloudStorageFolder) -> None:
    folder.check()
    folder.close()

    with pytest.raises(NotFound):
        folder.read(PREFIX + "missing", 1)


async def test_a_store_that_cannot_be_reached_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    folder = CloudStorageFolder("copies", timeout_seconds=0.2)
    bucket = BucketOfManifests(folder)

    for ask in (bucket.check, lambda: bucket.finish(plan()), lambda: bucket.remove(PREFIX)):
        with pytest.raises(UpstreamUnavailable) as caught:
            await ask()
        assert caught.value.service == "storage"
    bucket.close()
