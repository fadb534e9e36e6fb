"""The catalog's answers."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_service.adapters.content_service import HttpCatalog, NullCatalog
from streaming_service.application.ports import CatalogEntry
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable
from tests.unit.adapters.servers import ManualClock, OneAnswer

pytestmark = pytest.mark.anyio

CONTENT = "0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11"


Ask = Callable[..., Awaitable[CatalogEntry | None]]


@pytest.fixture
def ask() -> Ask:
    async def _ask(status: int, body: Any, headers: dict[str, str] | None = None) -> CatalogEntry | None:
        catalog = HttpCatalog(
            OneAnswer(status, body, headers), "http://content.test", None, timeout=2, clock=ManualClock()
        )
        return await catalog.find(CONTENT, "c-1")

    return _ask


async def test_the_question() -> None:
    caller = OneAnswer(404, b"")
    catalog = HttpCatalog(caller, "http://content.test/v2/", "internal", timeout=1.5, clock=ManualClock())
    await catalog.find("a/../b", "c-1")

    ((request, retry),) = caller.asked
    assert (request.method, request.url) == ("GET", "http://content.test/v2/internal/catalog/media/a%2F..%2Fb")
    assert request.headers["authorization"] == "Bearer internal"
    assert request.headers["x-correlation-id"] == "c-1"
    assert (request.timeout, retry) == (1.5, True)


async def test_an_entry_with_everything(ask: Ask) -> None:
    entry = await ask(
        200,
        {
            "id": CONTENT.upper(),
            "slug": "pilot",
            "availability": {"start": "2026-01-01T00:00:00.000Z", "end": "2026-02-01T01:00:00+01:00"},
            "playback": {"status": "pending"},
        },
    )

    window = AvailabilityWindow(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert entry == CatalogEntry(CONTENT, "pilot", window)


@pytest.mark.parametrize("availability", [None, {}, {"start": None, "end": None}])
async def test_an_entry_without_a_window(ask: Ask, availability: Any) -> None:
    assert await ask(200, {"id": CONTENT, "availability": availability}) == CatalogEntry(CONTENT)


async def test_not_in_the_catalog(ask: Ask) -> None:
    assert await ask(404, {"error": "not found"}) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        [],
        {},
        {"id": "another"},
        {"id": CONTENT, "slug": []},
        {"id": CONTENT, "availability": "always"},
        {"id": CONTENT, "availability": {"end": "soon"}},
        {"id": CONTENT, "availability": {"end": "2026-01-01T00:00:00"}},
    ],
)
async def test_an_answer_without_sense_is_rejected(ask: Ask, body: Any) -> None:
    with pytest.raises(UpstreamRejected, match="content: answered without sense"):
        await ask(200, body)


@pytest.mark.parametrize("status", [301, 400, 401, 403])
async def test_a_refusal_stays(ask: Ask, status: int) -> None:
    with pytest.raises(UpstreamRejected):
        await ask(status, b"")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_passes(ask: Ask, status: int) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        await ask(status, b"", {"retry-after": "3"})

    assert caught.value.retry_after == 3


async def test_without_a_content_service_everything_is_in_the_catalog() -> None:
    assert await NullCatalog().find(CONTENT, "c-1") == CatalogEntry(CONTENT)
