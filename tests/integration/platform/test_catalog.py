"""HttpCatalog against the stand-in content service."""

from datetime import UTC, datetime

import pytest

from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.content_service import HttpCatalog
from streaming_service.application.ports import Clock
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable

pytestmark = pytest.mark.anyio

CONTENT = "0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11"


@pytest.fixture
def catalog(caller: ResilientCaller, platform: StandInPlatform, clock: Clock) -> HttpCatalog:
    return HttpCatalog(caller, f"{platform.url}/content", "content-key", timeout=2, clock=clock)


async def test_every_content_is_there_unless_taken_out(catalog: HttpCatalog, platform: StandInPlatform) -> None:
    entry = await catalog.find(CONTENT, "c-1")
    assert entry is not None
    assert (entry.id, entry.slug, entry.availability) == (CONTENT, "content-0b5c7e0e", None)

    platform.catalog.remove(CONTENT)
    assert await catalog.find(CONTENT, "c-1") is None


async def test_a_test_gives_details(catalog: HttpCatalog, platform: StandInPlatform) -> None:
    platform.catalog.put(CONTENT, slug="pilot", availability={"start": "2026-01-01T00:00:00.000Z", "end": None})
    entry = await catalog.find(CONTENT, "c-1")

    assert entry is not None
    assert entry.slug == "pilot"
    assert entry.availability == AvailabilityWindow(datetime(2026, 1, 1, tzinfo=UTC))


async def test_trouble(catalog: HttpCatalog, platform: StandInPlatform) -> None:
    platform.fail("/content", 500)
    with pytest.raises(UpstreamUnavailable):
        await catalog.find(CONTENT, "c-1")

    platform.fail("/content/internal/catalog/media", 403)
    with pytest.raises(UpstreamRejected):
        await catalog.find(CONTENT, "c-1")

    assert await catalog.find(CONTENT, "c-1")
    assert [item.status for item in platform.received("/content/internal/catalog/media")] == [500, 403, 200]
