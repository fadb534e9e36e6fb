"""Copies are removed whole and nothing beside them; the bucket is looked at."""

import threading
from collections.abc import AsyncGenerator

import pytest

from streaming_service.adapters.bucket import BucketOfManifests
from streaming_service.errors import InvalidInput, UpstreamUnavailable
from tests.unit.adapters.bucket.dumps import (
    PREFIX,
    MemoryFolder,
)

pytestmark = pytest.mark.anyio


# -- removing, checking -----------------------------------------------------------------------------------------------


@pytest.fixture
async def folder() -> MemoryFolder:
    return MemoryFolder({f"seg_{number}": b"x" for number in range(1200)})


@pytest.fixture
async def bucket(folder: MemoryFolder) -> AsyncGenerator[BucketOfManifests]:
    bucket = BucketOfManifests(folder)
    yield bucket
    bucket.close()


async def test_a_copy_is_removed_in_parts_and_its_neighbour_stays(
    bucket: BucketOfManifests, folder: MemoryFolder
) -> None:
    folder.objects["vod/reels/ss-0d9f-30/master.m3u8"] = b"x"
    await bucket.remove(PREFIX)

    assert list(folder.objects) == ["vod/reels/ss-0d9f-30/master.m3u8"]
    assert folder.calls["delete"] == 3
    await bucket.remove(PREFIX)


@pytest.mark.parametrize("prefix", ["", "/", "vod/", "vod/reels/", "vod/reels/ss-0d9f-3", "../"])
async def test_only_one_copy_can_be_removed(bucket: BucketOfManifests, folder: MemoryFolder, prefix: str) -> None:
    with pytest.raises(InvalidInput):
        await bucket.remove(prefix)

    assert len(folder.objects) == 1200


async def test_a_removal_that_does_not_end_says_so(folder: MemoryFolder) -> None:
    class Endless(MemoryFolder):
        def delete_some(self, prefix: str, at_most: int) -> bool:
            self.calls["delete"] += 1
            return False

    endless = Endless()
    bucket = BucketOfManifests(endless)
    with pytest.raises(UpstreamUnavailable, match="remove it again"):
        await bucket.remove(PREFIX)
    bucket.close()

    assert endless.calls["delete"] == 200
    assert endless.calls["close"] == 1


async def test_the_bucket_is_looked_at(bucket: BucketOfManifests, folder: MemoryFolder) -> None:
    await bucket.check()

    assert folder.calls["check"] == 1


async def test_a_store_that_hangs_is_an_outage() -> None:
    answer = threading.Event()

    class Hanging(MemoryFolder):
        def check(self) -> None:
            answer.wait(10)

    bucket = BucketOfManifests(Hanging(), timeout_seconds=0.05)
    with pytest.raises(UpstreamUnavailable, match="was not finished within"):
        await bucket.check()
    answer.set()
    bucket.close()
