"""Clusters are validated because somebody scrapes, and nobody waits for it."""

import asyncio
from datetime import timedelta

import pytest

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.cluster_watch import ClusterWatch
from streaming_service.application.ports import ClusterReport, DeliveryQuery
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import UpstreamUnavailable
from tests.fakes import NOW, FakeClock, until

pytestmark = pytest.mark.anyio
PAUSE = timedelta(seconds=15)


class Control:
    """Answers once it is let."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.asked = 0
        self.healthy = True
        self.down = False
        self.let = asyncio.Event()
        self.let.set()

    async def validate(self) -> ClusterReport:
        self.asked += 1
        await self.let.wait()
        if self.down:
            raise UpstreamUnavailable("cdn-control", "is down")
        return ClusterReport("europe", self.healthy, self._clock.now())


class Watched:
    def __init__(self, *endpoints: Endpoint) -> None:
        self.clock = FakeClock()
        self.control = Control(self.clock)
        self.store = MemoryStore()
        self.shown: list[tuple[str, bool]] = []
        self.watch = ClusterWatch(
            control=self.control,
            shown=self,
            store=self.store,
            endpoints=endpoints or (Endpoint.BIGQUERY,),
            clock=self.clock,
            pause=PAUSE,
        )

    def multi_cluster(self, cluster: str, *, healthy: bool) -> None:
        self.shown.append((cluster, healthy))

    async def scrape(self) -> None:
        self.watch.scraped()
        await until(lambda: self.watch._asking is None)

    async def told(self) -> list[bool]:
        page = await self.store.list_deliveries(DeliveryQuery())
        return [item.notification.facts["healthy"] for item in reversed(page.items)]


async def test_a_scrape_asks_and_does_not_wait() -> None:
    watched = Watched()
    watched.control.let.clear()
    watched.watch.scraped()
    await asyncio.sleep(0)
    assert (watched.control.asked, watched.shown) == (1, [])
    watched.control.let.set()
    await until(lambda: watched.shown == [("europe", True)])


async def test_many_scrapes_ask_once_in_a_while_and_never_twice_at_once() -> None:
    watched = Watched()
    for _ in range(10):
        await watched.scrape()
    assert watched.control.asked == 1
    watched.clock.advance(PAUSE.total_seconds())
    watched.control.let.clear()
    for _ in range(10):
        watched.watch.scraped()
        watched.clock.advance(PAUSE.total_seconds())
    await asyncio.sleep(0)
    assert watched.control.asked == 2
    await watched.watch.close()


async def test_what_changes_is_told_once() -> None:
    watched = Watched()
    for healthy in (True, True, False, False, True):
        watched.control.healthy = healthy
        await watched.scrape()
        watched.clock.advance(PAUSE.total_seconds())
    assert await watched.told() == [True, False, True]
    assert [healthy for _, healthy in watched.shown] == [True, True, False, False, True]


async def test_a_control_that_is_down_changes_nothing_and_is_asked_again() -> None:
    watched = Watched()
    await watched.scrape()
    watched.control.down = True
    watched.clock.advance(PAUSE.total_seconds())
    await watched.scrape()
    assert watched.shown == [("europe", True)]
    watched.control.down = False
    watched.clock.advance(PAUSE.total_seconds())
    await watched.scrape()
    assert watched.control.asked == 3


async def test_without_analytics_it_is_shown_and_told_to_nobody() -> None:
    watched = Watched(Endpoint.OBSERVABILITY)
    await watched.scrape()
    assert (watched.shown, await watched.told()) == ([("europe", True)], [])
    assert watched.clock.now() == NOW
