"""Both places keep the same promises."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from streaming_service.adapters.bucket import BucketOfManifests, ObjectFolder
from streaming_service.application.ports import CopyVerdict
from streaming_service.errors import NotFound
from tests.unit.adapters.bucket.dumps import PREFIX, chunklist_name, dump, plan

NEIGHBOUR = "vod/reels/ss-0d9f-30/"


def put(folder: ObjectFolder, *keys: str, data: bytes = b"0123456789") -> None:
    for key in keys:
        folder.write(key, data, "application/vnd.apple.mpegurl", "public, max-age=60")


def test_what_was_written_is_listed_and_read(folder: ObjectFolder) -> None:
    put(folder, PREFIX + "a.m3u8", PREFIX + "b", NEIGHBOUR + "c")
    put(folder, PREFIX + "empty", data=b"")

    assert folder.list(PREFIX, 100) == {"a.m3u8": 10, "b": 10, "empty": 0}
    assert folder.read(PREFIX + "b", 100) == folder.read(PREFIX + "b", 10) == b"0123456789"
    assert folder.read(PREFIX + "b", 4) == b"0123"
    assert folder.read(PREFIX + "empty", 100) == b""


def test_nothing_there_is_an_empty_listing(folder: ObjectFolder) -> None:
    assert folder.list(PREFIX, 100) == {}
    assert folder.list("vod/series/nobody/", 100) == {}


def test_a_listing_is_bounded(folder: ObjectFolder) -> None:
    put(folder, *(f"{PREFIX}{number}" for number in range(5)))

    assert len(folder.list(PREFIX, 3)) == 3


@pytest.mark.parametrize("key", [f"{PREFIX}missing", "vod/series/nobody/x"])
def test_what_is_not_there_is_not_found(folder: ObjectFolder, key: str) -> None:
    with pytest.raises(NotFound, match="is not there"):
        folder.read(key, 10)


def test_writing_again_replaces(folder: ObjectFolder) -> None:
    put(folder, PREFIX + "a")
    put(folder, PREFIX + "a", data=b"new")

    assert folder.list(PREFIX, 100) == {"a": 3}


def test_a_reader_never_sees_a_part(folder: ObjectFolder) -> None:
    small, large = b"a" * 1000, b"b" * 200_000
    put(folder, PREFIX + "a", data=small)

    with ThreadPoolExecutor(2) as threads:
        writing = threads.submit(lambda: [put(folder, PREFIX + "a", data=data) for data in (large, small) * 10])
        while not writing.done():
            assert folder.read(PREFIX + "a", 1_000_000) in {small, large}
        writing.result()


def test_deleting_ends_when_nothing_is_left_and_spares_the_neighbour(folder: ObjectFolder) -> None:
    put(folder, *(f"{PREFIX}{number}" for number in range(5)), NEIGHBOUR + "c")

    assert [folder.delete_some(PREFIX, 2) for _ in range(3)] == [False, False, True]
    assert folder.list(PREFIX, 100) == {}
    assert folder.list(NEIGHBOUR, 100) == {"c": 10}
    assert folder.delete_some(PREFIX, 2)


def test_a_bucket_that_is_there_passes(folder: ObjectFolder) -> None:
    folder.check()


@pytest.mark.anyio
async def test_a_dump_is_finished_and_removed(folder: ObjectFolder) -> None:
    for name, data in dump(wrong_end=30.36).items():
        put(folder, PREFIX + name, data=data)
    bucket = BucketOfManifests(folder)

    report = await bucket.finish(plan())
    assert (report.verdict, report.files) == (CopyVerdict.COMPLETE, len(folder.list(PREFIX, 1000)))
    assert b"#EXTINF:1.880000,\n" in folder.read(PREFIX + chunklist_name(0, "video"), 10_000)
    assert folder.list(PREFIX, 1000).keys() > {"master.m3u8", "max-480p.m3u8", "max-360p.m3u8", "llhls.m3u8"}
    await bucket.remove(PREFIX)
    assert (await bucket.finish(plan())).verdict is CopyVerdict.MISSING
    bucket.close()
