"""The schedule of probes."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from streaming_service.application.probe_watch import ProbeWatch
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.domain.probe_report import SCHEDULE
from streaming_service.errors import StoreUnavailable
from tests.fakes import FakeClock, KeepingTracer
from tests.unit.application.lookout import Lookout
from tests.unit.application.world import content_id

pytestmark = pytest.mark.anyio


class Schedule:
    """A lookout whose contents have their turns; only `advance` lets time pass."""

    def __init__(self, lookout: Lookout, *, budget: float = 1.0, **options: int) -> None:
        self.lookout = lookout
        self.clock = FakeClock(lookout.clock.now(), manual=True)
        self.leads = True
        self.watched: list[str] = []
        self.urgent: list[str] = []
        lookout.probing._clock = self.clock
        self.tracer = KeepingTracer()
        self.watch = ProbeWatch(
            store=lookout.world.store,
            probing=lookout.probing,
            watched=lambda: self.watched,
            urgent=lambda: self.urgent,
            clock=self.clock,
            budget=budget,
            tracer=self.tracer,
            **options,
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async def leads() -> bool:
            return self.leads

        task = asyncio.create_task(self.watch.run(leads))
        await self._settled()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def advance(self, seconds: int, steps: int = 4) -> None:
        for _ in range(seconds * steps):
            self.clock.advance(1 / steps)
            await self._settled()

    async def _settled(self) -> None:
        for _ in range(60):
            await asyncio.sleep(0)

    def seen(self) -> Counter[int]:
        """How often each content was looked at."""
        streams = [journey.url for _, journey in self.lookout.prober.asked]
        numbers = {content_id(number).replace("-", ""): number for number in range(1, 30)}
        return Counter(numbers[url.partition("ss-")[2][:32]] for url in streams)


async def scheduled(count: int = 3, regions: str = "iad", *, budget: float = 1.0, **options: int) -> Schedule:
    lookout = Lookout(regions, failover=False)
    for number in range(1, count + 1):
        await lookout.playing(number)
    return Schedule(lookout, budget=budget, **options)


async def test_everything_in_turn_and_no_faster_than_the_budget() -> None:
    schedule = await scheduled(20, budget=2.0)
    async with schedule.running():
        await schedule.advance(5)
        assert sum(schedule.seen().values()) == 11, "at once, and then two a second"
        await schedule.advance(4)
    assert set(schedule.seen().values()) == {1}
    assert len(schedule.seen()) == 19


async def test_the_budget_counts_journeys_not_contents() -> None:
    schedule = await scheduled(20, regions="iad,fra=https://edge.example,ams=agent:http://agent.test", budget=1.0)
    async with schedule.running():
        await schedule.advance(9)
    assert sum(schedule.seen().values()) == 3 * (1 + 3)


async def test_whoever_begins_to_lead_looks_first_at_what_is_on_the_failover() -> None:
    schedule = await scheduled(20)
    schedule.leads = False
    schedule.urgent = [content_id(17), content_id(4)]
    async with schedule.running():
        await schedule.advance(6)
        assert schedule.seen() == {}
        schedule.leads = True
        while len(schedule.seen()) < 2:
            await schedule.advance(1, steps=1)
    assert set(schedule.seen()) == {17, 4}


async def test_a_few_contents_are_left_alone_for_a_while() -> None:
    schedule = await scheduled(2, budget=10.0)
    async with schedule.running():
        await schedule.advance(31)
    assert set(schedule.seen().values()) == {3}, "a good ten seconds"


async def test_what_is_watched_goes_before_everybody_else() -> None:
    schedule = await scheduled(20, budget=1.0)
    schedule.watched = [content_id(7)]
    async with schedule.running():
        await schedule.advance(40)
    counts = schedule.seen()
    assert counts[7] == 5, "as soon as it may be looked at again"
    assert len(counts) == 20, "and everybody else had a turn"


async def test_what_is_live_goes_before_everybody_else() -> None:
    lookout = Lookout("iad", failover=False)
    for number in range(1, 20):
        await lookout.playing(number)
    await lookout.playing(20, live=True)
    schedule = Schedule(lookout)
    async with schedule.running():
        await schedule.advance(1)
        assert list(schedule.seen()) == [20, 1]
        await schedule.advance(40)
    assert schedule.seen()[20] == 5


async def test_who_does_not_lead_does_not_probe() -> None:
    schedule = await scheduled()
    schedule.leads = False
    async with schedule.running():
        await schedule.advance(10)
        assert schedule.lookout.prober.asked == []
        schedule.leads = True
        await schedule.advance(6)
        assert schedule.lookout.prober.asked
        schedule.leads = False
        await schedule.advance(6)
        before = len(schedule.lookout.prober.asked)
        await schedule.advance(30)
        assert len(schedule.lookout.prober.asked) == before


async def test_a_failure_is_looked_at_again_soon_and_told() -> None:
    schedule = await scheduled(20, budget=1.0)
    schedule.lookout.prober.fails("iad", ProbeVerdict.GAP)
    async with schedule.running():
        await schedule.advance(4)
        assert schedule.seen()[1] == 2
        assert schedule.lookout.failures()[0] == ["iad"]


async def test_results_are_told_once_a_minute() -> None:
    schedule = await scheduled(20, budget=1.0)
    async with schedule.running():
        await schedule.advance(130)
    told = schedule.lookout.told("stream.probe.results")
    assert {item.content_id for item in told} == {SCHEDULE}
    assert len(told) == 2
    assert sum(len(item.facts["results"]) for item in told) in range(115, 125)


async def test_a_store_that_is_down_stops_nothing_for_good_and_loses_no_result() -> None:
    schedule = await scheduled(20, budget=1.0)
    store = schedule.lookout.world.store
    async with schedule.running():
        await schedule.advance(30)
        looked = sum(schedule.seen().values())
        store.down = StoreUnavailable("it is down")
        await schedule.advance(60)
        assert sum(schedule.seen().values()) == looked
        store.down = None
        await schedule.advance(10)
    (told,) = schedule.lookout.told("stream.probe.results")
    assert len(told.facts["results"]) == looked


async def test_slow_contents_hold_the_others_up_when_all_slots_are_taken() -> None:
    schedule = await scheduled(20, budget=4.0, concurrency=2)
    gate = asyncio.Event()
    schedule.lookout.prober.before_answer = gate.wait
    async with schedule.running():
        await schedule.advance(5)
        assert len(schedule.lookout.prober.asked) == 2
        gate.set()
        await schedule.advance(2)
        assert len(schedule.lookout.prober.asked) > 6


async def test_a_mistake_in_one_probe_does_not_end_the_schedule() -> None:
    schedule = await scheduled(20, budget=1.0)

    async def fail() -> None:
        schedule.lookout.prober.before_answer = None
        raise RuntimeError("a mistake of ours")

    schedule.lookout.prober.before_answer = fail
    async with schedule.running():
        await schedule.advance(5)
    assert len(schedule.seen()) > 3


async def test_after_the_last_page_of_the_catalogue_comes_the_first() -> None:
    schedule = await scheduled(5, budget=1.0, page=2)
    async with schedule.running():
        await schedule.advance(5)
        assert schedule.seen() == dict.fromkeys(range(1, 6), 1)
        await schedule.advance(12)
    assert schedule.seen() == dict.fromkeys(range(1, 6), 2)


async def test_a_turn_is_a_trace_with_a_part_for_each_look() -> None:
    schedule = await scheduled(1, regions="ams=agent:http://agent.test")
    schedule.lookout.prober.fails("ams", ProbeVerdict.SLOW)
    async with schedule.running():
        pass
    whole = schedule.tracer.named("probe content")
    assert whole.attributes == {"streaming.content_id": content_id(1)}
    look = schedule.tracer.named("probe")
    assert look.lineage.parent == whole.context
    assert look.attributes == {
        "streaming.probe.region": "ams",
        "streaming.probe.target": "primary",
        "streaming.probe.verdict": "slow",
    }
    assert look.failure == ("slow", "")
