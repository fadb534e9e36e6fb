"""Every place where a manifest bucket can lie."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from streaming_service.adapters.bucket import CloudStorageFolder, DirectoryFolder, ObjectFolder
from streaming_service.devkit.emulators import CloudStorageEmulator, ComponentMissing
from tests.conftest import require_component


@pytest.fixture(scope="session")
def shared_storage() -> Iterator[CloudStorageEmulator]:
    emulator = CloudStorageEmulator()
    try:
        emulator.start()
    except ComponentMissing as error:
        require_component(False, emulator.name, str(error))
    yield emulator
    emulator.stop()


@pytest.fixture
def cloud(shared_storage: CloudStorageEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudStorageFolder]:
    """An empty bucket of the emulator's."""
    for name, value in shared_storage.environment.items():
        monkeypatch.setenv(name, value)
    from google.cloud import storage

    client = cast("Any", storage).Client(project="test")
    if client.lookup_bucket("manifests") is None:
        client.create_bucket("manifests")
    for blob in client.list_blobs("manifests"):
        blob.delete()
    client.close()
    folder = CloudStorageFolder("manifests", timeout_seconds=5.0)
    yield folder
    folder.close()


@pytest.fixture(params=["directory", pytest.param("cloud", marks=pytest.mark.gcs)])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectFolder:
    if request.param == "cloud":
        return cast("ObjectFolder", request.getfixturevalue("cloud"))
    for prefix in ("vod/reels/ss-0d9f-3", "vod/reels/ss-0d9f-30"):
        (tmp_path / prefix).mkdir(parents=True)
    return DirectoryFolder(tmp_path)
