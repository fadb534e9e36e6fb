"""The window slides over the counters of the real meter; time is moved by hand."""

from datetime import timedelta

import pytest

from streaming_service.application.latency_watch import LatencyWatch
from streaming_service.domain.latency_window import LatencyPolicy
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.errors import StoreUnavailable
from streaming_service.telemetry import ManifestMeter
from tests.fakes import FakeClock, FragileStore

pytestmark = pytest.mark.anyio


class Api:
    """A process that answers viewers."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FragileStore()
        self.meter = ManifestMeter()
        self.watch = LatencyWatch(
            counts=self.meter.counts,
            policy=LatencyPolicy(slo=25.0, share=0.05, window=300.0),
            store=self.store,
            endpoints=frozenset({Endpoint.BIGQUERY}),
            audit_topic=None,
            instance="pod-1",
            clock=self.clock,
            monotonic=lambda: self.clock.now().timestamp(),
        )

    def answer(self, count: int, milliseconds: float) -> None:
        for _ in range(count):
            self.meter.observe("ok", milliseconds)

    async def pass_time(self, seconds: float, *, every_look: tuple[int, float] = (0, 0.0)) -> None:
        for _ in range(round(seconds / self.watch.interval)):
            self.answer(*every_look)
            self.clock.moment += timedelta(seconds=self.watch.interval)
            await self.watch.look()

    def told(self) -> list[Notification]:
        """In the order in which it was owed."""
        return self.store.everything_owed()

    def resolved(self) -> list[bool]:
        return [item.facts["resolved"] for item in self.told()]


@pytest.fixture
def api() -> Api:
    return Api()


async def test_slow_requests_are_told_once_and_their_end_once(api: Api) -> None:
    await api.pass_time(600, every_look=(10, 1.0))
    assert api.resolved() == []
    await api.pass_time(600, every_look=(10, 40.0))
    assert api.resolved() == [False]
    await api.pass_time(600, every_look=(10, 1.0))
    assert api.resolved() == [False, True]


async def test_a_few_slow_ones_among_many_are_no_alert(api: Api) -> None:
    for _ in range(20):
        await api.pass_time(100, every_look=(96, 1.0))
        api.answer(4, 900.0)
    assert api.resolved() == []


async def test_the_window_forgets_what_is_older(api: Api) -> None:
    api.answer(100, 900.0)
    await api.pass_time(10)
    assert (await api.watch.look()).count == 100
    await api.pass_time(280)
    assert (await api.watch.look()).count == 100
    await api.pass_time(30)
    assert (await api.watch.look()).count == 0


async def test_around_the_threshold_it_does_not_come_and_go(api: Api) -> None:
    await api.pass_time(300, every_look=(0, 0.0))
    for slow in (7, 4, 6, 3, 7, 4, 6, 3):
        for _ in range(30):
            api.answer(100 - slow, 1.0)
            api.answer(slow, 40.0)
            await api.pass_time(10)
    assert api.resolved() == [False]


async def test_it_is_told_later_when_the_store_is_down(api: Api) -> None:
    api.answer(100, 40.0)
    api.store.down = StoreUnavailable("is down")
    with pytest.raises(StoreUnavailable):
        await api.pass_time(10)
    api.store.down = None
    assert api.resolved() == []
    await api.pass_time(10)
    assert api.resolved() == [False]


async def test_a_process_that_stops_ends_what_it_began(api: Api) -> None:
    await api.watch.stop()
    assert api.resolved() == []
    api.answer(100, 40.0)
    await api.pass_time(10)
    api.clock.moment += timedelta(seconds=1)
    await api.watch.stop()
    assert api.resolved() == [False, True]
    assert api.told()[-1].facts["description"] == "pod-1 stops: its requests go elsewhere"


async def test_a_store_that_is_down_does_not_keep_it_from_stopping(api: Api) -> None:
    api.answer(100, 40.0)
    await api.pass_time(10)
    api.store.down = StoreUnavailable("is down")
    await api.watch.stop()
    assert api.resolved() == [False]
