"""Purges are few enough for the CDN, and sure enough for viewers."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from streaming_service.adapters.purges import PurgeCourier
from streaming_service.application.ports import Receipt
from streaming_service.domain.notification import Endpoint, Notification
from tests.fakes import NOW, FakeClock

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


class Cdn:
    """Keeps when each path was purged, seconds from the start. Answers from `receipts`, then with 202."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.told: list[tuple[str, float]] = []
        self.receipts: list[Receipt] = []

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        del notification
        self.told.append((body.get("path") or body["url"], (self._clock.now() - NOW).total_seconds()))
        return self.receipts.pop(0) if self.receipts else Receipt(True, 202, "answered 202")


class Desk:
    def __init__(self, limit: int = 500) -> None:
        self.clock = FakeClock()
        self.cdn = Cdn(self.clock)
        self.courier = PurgeCourier(self.cdn, clock=self.clock, monotonic=self.clock.time, limit=limit)

    async def purge(self, path: str, owed_before: timedelta = timedelta()) -> Receipt:
        owed_at = self.clock.now() - owed_before
        owed = Notification("d-1", Endpoint.CDN_CONTROL, "cdn.purge", "content-1", owed_at, {"path": path})
        return await self.courier.deliver(owed, {"path": path})


async def test_a_purge_is_repeated_two_seconds_later() -> None:
    desk = Desk()
    assert (await desk.purge("/a/")).ok
    assert desk.cdn.told == [("/a/", 0.0), ("/a/", 2.0)]


async def test_one_that_fails_is_not_repeated_here_and_says_why() -> None:
    desk = Desk()
    desk.cdn.receipts = [Receipt(False, 503, "busy")]
    assert await desk.purge("/a/") == Receipt(False, 503, "busy")
    desk.cdn.receipts = [Receipt(True, 202, ""), Receipt(False, 503, "busy")]
    assert not (await desk.purge("/a/")).ok
    assert len(desk.cdn.told) == 3


async def test_what_a_later_purge_of_its_path_has_done_is_not_done_again() -> None:
    desk = Desk()
    await desk.purge("/a/")
    receipt = await desk.purge("/a/", owed_before=SECOND)
    assert (receipt.ok, receipt.status, len(desk.cdn.told)) == (True, 202, 2)
    await desk.purge("/b/", owed_before=SECOND)
    await desk.purge("/a/")
    assert [path for path, _ in desk.cdn.told] == ["/a/", "/a/", "/b/", "/b/", "/a/", "/a/"]


async def test_a_purge_that_failed_has_done_nothing() -> None:
    desk = Desk()
    desk.cdn.receipts = [Receipt(False, 503, "busy")]
    await desk.purge("/a/")
    await desk.purge("/a/", owed_before=SECOND)
    assert len(desk.cdn.told) == 3


async def test_no_minute_sees_more_purges_than_the_cdn_takes() -> None:
    desk = Desk(limit=10)
    put_off = 0
    for number in range(40):
        while not (receipt := await desk.purge(f"/{number}/")).ok:
            assert receipt.status == 429
            assert receipt.retry_after
            put_off += 1
            desk.clock.advance(receipt.retry_after)
    times = [at for _, at in desk.cdn.told]
    assert len(times) == 80
    assert all(later - earlier >= 60 for earlier, later in zip(times, times[10:], strict=False))
    assert put_off > 0


async def test_what_fits_soon_waits_for_its_turn() -> None:
    desk = Desk(limit=2)
    await desk.purge("/a/")
    desk.clock.advance(55)
    assert (await desk.purge("/b/")).ok
    assert desk.cdn.told == [("/a/", 0.0), ("/a/", 2.0), ("/b/", 60.0), ("/b/", 62.0)]


async def test_other_actions_pass_through() -> None:
    desk = Desk(limit=1)
    for number in range(3):
        owed = Notification("d-1", Endpoint.CDN_CONTROL, "cdn.warmup", "content-1", NOW, {})
        await desk.courier.deliver(owed, {"url": f"https://cdn.example/{number}"})
    assert len(desk.cdn.told) == 3
