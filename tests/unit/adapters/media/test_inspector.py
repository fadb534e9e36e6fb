"""The media library over several places."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streaming_service.adapters.media import DirectoryReader, MediaInspector, NullMediaLibrary, StoredObject
from streaming_service.application.ports import MediaFacts, MediaLibrary
from streaming_service.domain.source import ObjectUri
from streaming_service.errors import InvalidInput, NotFound, UpstreamUnavailable
from tests.unit.adapters.media.mp4_files import FILM, Bytes

pytestmark = pytest.mark.anyio
FACTS = MediaFacts(video=True, audio=True, width=1280, height=720, duration=12.5, shortest=1.0)


class Memory:
    """One bucket in memory; waits for `ready` before it opens anything."""

    def __init__(self, bucket: str, **objects: bytes) -> None:
        self.ready = threading.Event()
        self.ready.set()
        self._bucket = bucket
        self._objects = objects

    def serves(self, bucket: str) -> bool:
        return bucket == self._bucket

    @contextmanager
    def open(self, uri: ObjectUri) -> Generator[StoredObject]:
        self.ready.wait(10)
        yield Bytes(self._objects[uri.key])


async def test_the_reader_of_the_bucket_is_asked(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(FILM)
    library: MediaLibrary = MediaInspector(Memory("elsewhere"), DirectoryReader({"uploads": tmp_path}))

    assert await library.inspect("gs://uploads/film.mp4") == FACTS


async def test_the_first_that_serves_the_bucket_wins() -> None:
    library = MediaInspector(Memory("uploads", film=FILM), Memory("uploads"))

    assert await library.inspect("gs://uploads/film") == FACTS


async def test_a_bucket_that_nobody_serves_is_not_known() -> None:
    assert await MediaInspector(Memory("uploads", film=FILM)).inspect("gs://elsewhere/film") is None


async def test_another_container_is_not_known() -> None:
    assert await MediaInspector(Memory("uploads", film=b"\x1a\x45\xdf\xa3")).inspect("gs://uploads/film") is None


async def test_what_is_missing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await MediaInspector(DirectoryReader({"uploads": tmp_path})).inspect("gs://uploads/film.mp4")


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "gs://uploads/../x", ""])
async def test_what_is_no_object_uri_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        await MediaInspector(DirectoryReader({"uploads": tmp_path})).inspect(uri)


async def test_a_mount_that_hangs_is_an_outage() -> None:
    memory = Memory("uploads", film=FILM)
    memory.ready.clear()
    library = MediaInspector(memory, timeout_seconds=0.05)

    with pytest.raises(UpstreamUnavailable, match=r"not read within 0\.05 s"):
        await library.inspect("gs://uploads/film")

    memory.ready.set()
    library.close()


async def test_the_null_library_knows_nothing() -> None:
    library: MediaLibrary = NullMediaLibrary()

    assert await library.inspect("gs://uploads/film.mp4") is None
