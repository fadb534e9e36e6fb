"""Uploads in Cloud Storage, read over HTTP from an emulator."""

import asyncio
from collections.abc import Iterator

import pytest

from streaming_service.adapters.media import CloudStorageReader, MediaInspector
from streaming_service.application.ports import MediaFacts
from streaming_service.devkit.emulators import free_port
from streaming_service.domain.source import ObjectUri
from streaming_service.errors import NotFound, UpstreamUnavailable
from tests.integration.media.conftest import Upload
from tests.unit.adapters.media.mp4_files import FILM, FTYP, box, movie, track

pytestmark = [pytest.mark.anyio, pytest.mark.gcs]
FACTS = MediaFacts(video=True, audio=True, width=1280, height=720, duration=12.5, shortest=1.0)


@pytest.fixture
def reader() -> Iterator[CloudStorageReader]:
    reader = CloudStorageReader(timeout_seconds=2.0)
    yield reader
    reader.close()


@pytest.fixture
def library(reader: CloudStorageReader) -> Iterator[MediaInspector]:
    library = MediaInspector(reader)
    yield library
    library.close()


async def test_a_film_is_read(library: MediaInspector, upload: Upload) -> None:
    assert await library.inspect(upload("2026/film 1 ä.mp4", FILM)) == FACTS


async def test_a_large_film_is_read_by_ranges(library: MediaInspector, upload: Upload) -> None:
    tables = movie(track(b"vide", width=1280, height=720, samples=400_000), track(b"soun", samples=400_000))

    assert await library.inspect(upload("large.mp4", FTYP + box(b"mdat", bytes(5_000_000)) + tables)) == FACTS


async def test_ranges_are_what_was_asked_for(reader: CloudStorageReader, upload: Upload) -> None:
    upload("digits", b"0123456789")

    with reader.open(ObjectUri("uploads", "digits")) as stored:
        assert stored.size == 10
        assert stored.read(2, 3) == b"234"
        assert stored.read(8, 100) == b"89"


async def test_many_at_once(library: MediaInspector, upload: Upload) -> None:
    uris = [upload(f"many/{number}.mp4", FILM) for number in range(20)]

    assert await asyncio.gather(*map(library.inspect, uris)) == [FACTS] * 20


@pytest.mark.parametrize("data", [b"", b"\x1a\x45\xdf\xa3", FILM[:100]])
async def test_what_is_no_film_is_none(library: MediaInspector, upload: Upload, data: bytes) -> None:
    assert await library.inspect(upload("other", data)) is None


@pytest.mark.usefixtures("upload")
@pytest.mark.parametrize("uri", ["gs://uploads/missing.mp4", "gs://no-such-bucket/film.mp4"])
async def test_what_is_not_there_is_not_found(library: MediaInspector, uri: str) -> None:
    with pytest.raises(NotFound, match="is not there"):
        await library.inspect(uri)


async def test_a_store_that_cannot_be_reached_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    reader = CloudStorageReader(timeout_seconds=0.2)

    with pytest.raises(UpstreamUnavailable) as caught:
        await MediaInspector(reader).inspect("gs://uploads/film.mp4")

    assert caught.value.service == "storage"
    reader.close()
