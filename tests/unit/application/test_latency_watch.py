"""The minute's figures are owed once, and nothing is lost when the store is away."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.latency_watch import TELL_EVERY_SECONDS, LatencyWatch
from streaming_service.application.ports import DeliveryQuery
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import StoreUnavailable
from streaming_service.telemetry import ManifestMeter
from tests.fakes import FakeClock, until

pytestmark = pytest.mark.anyio


class LosingStore(MemoryStore):
    """Can be away."""

    away = False

    async def owe(self, notifications: Any) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await super().owe(notifications)


class Watched:
    def __init__(self) -> None:
        self.clock = FakeClock(manual=True)
        self.store = LosingStore()
        self.meter = ManifestMeter()
        self.wakes = 0
        self.watch = LatencyWatch(
            store=self.store,
            counting=self.meter,
            process="api-1",
            endpoints={Endpoint.BIGQUERY, Endpoint.OBSERVABILITY},
            audit_topic=None,
            clock=self.clock,
            wake_delivery=self._wake,
        )

    def _wake(self) -> None:
        self.wakes += 1

    async def told(self) -> list[tuple[str, int]]:
        """Endpoint and requests of every debt, oldest first."""
        page = await self.store.list_deliveries(DeliveryQuery(limit=100))
        made = sorted((item.notification for item in page.items), key=lambda item: (item.occurred_at, item.endpoint))
        return [(item.endpoint.value, item.facts["requests"]) for item in made]


def asked(meter: ManifestMeter, count: int, milliseconds: float = 0.3) -> None:
    for _ in range(count):
        meter.observe("ok", milliseconds)


async def test_every_minute_with_requests_is_told_once() -> None:
    watched = Watched()
    task = asyncio.create_task(watched.watch.run())
    for count in (3, 0, 2):
        asked(watched.meter, count)
        await until(lambda: bool(watched.clock._sleepers))
        watched.clock.advance(TELL_EVERY_SECONDS)
        await until(lambda: bool(watched.clock._sleepers))
    assert await watched.told() == [("bigquery", 3), ("bigquery", 2)]
    assert watched.wakes == 2
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_the_store_does_not_take_is_told_with_the_next() -> None:
    watched = Watched()
    asked(watched.meter, 5)
    watched.store.away = True
    await watched.watch.tell()
    assert await watched.told() == []
    watched.store.away = False
    asked(watched.meter, 2)
    watched.clock.advance(60)
    await watched.watch.tell()
    assert await watched.told() == [("bigquery", 7)]


async def test_people_hear_when_it_becomes_slow_and_when_it_is_over() -> None:
    watched = Watched()
    for milliseconds in (0.3, 80.0, 80.0, 0.3, 0.3):
        asked(watched.meter, 100, milliseconds)
        watched.clock.advance(60)
        await watched.watch.tell()
    assert [endpoint for endpoint, _ in await watched.told()] == [
        "bigquery",
        "bigquery",
        "observability",
        "bigquery",
        "bigquery",
        "observability",
        "bigquery",
    ]
