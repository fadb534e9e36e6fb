"""Loops that find work, do it side by side, and neither lose nor double it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from streaming_service.application.dispatch import Bell, ConvergenceLoop, every
from streaming_service.application.provisioning import Converged, Provisioning
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause
from streaming_service.errors import StoreError, StoreUnavailable
from tests.fakes import FakeClock, FragileStore, KeepingTracer, until
from tests.placements import placed as put
from tests.unit.application.world import CAUSE, LEASE, World, content_id, request

pytestmark = pytest.mark.anyio


class Bench:
    """A Provisioning that holds every channel until it is let go, and knows how many it held at once."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.began: list[str] = []
        self.inside = 0
        self.most_inside = 0
        self.due_at: datetime | None = None
        self.queue_at: datetime | None = None
        self.error: Exception | None = None
        self.causes: list[Cause] = []

    async def converge(self, channel: Channel, cause: Cause, *, may_place: bool) -> Converged:
        assert may_place == channel.wants_place
        self.began.append(channel.content_id)
        self.causes.append(cause)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.gate.wait()
        finally:
            self.inside -= 1
        if self.error:
            raise self.error
        return Converged(channel, self.due_at, self.queue_at)


class Shop:
    """A convergence loop over a store whose channels are all due."""

    def __init__(self, concurrency: int = 4, seats: int = 100) -> None:
        self.tracer = KeepingTracer()
        self.world = World()
        self.store: FragileStore = self.world.store
        self.clock = FakeClock(manual=True)
        self.bench = Bench()
        self.bell = Bell()
        self.world.fleet.capacity["default"] = seats
        self.loop = ConvergenceLoop(
            store=self.store,
            provisioning=cast("Provisioning", self.bench),
            seating=self.world.seating,
            clock=self.clock,
            bell=self.bell,
            owner="me",
            concurrency=concurrency,
            lease=LEASE,
            poll_interval=60.0,
            tracer=self.tracer,
        )

    async def due(self, *numbers: int) -> None:
        """Channels that have their place and are to be started."""
        for number in numbers:
            await self.world.accept(request(number))
            channel = await self.world.channel(number)
            placed = put(channel, self.clock.now(), stream=f"ss-{number}", seat=number)
            await self.store.commit(change(placed, "placed", CAUSE), self.clock.now())

    async def waiting(self, *numbers: int) -> None:
        """Channels that need a place."""
        for number in numbers:
            await self.world.accept(request(number))
            self.world.clock.advance(1)
        self.clock.moment = self.world.clock.now()

    async def others_get(self) -> int:
        """How many channels another process could claim now."""
        return len(await self.store.claim_due(self.clock.now(), "another", LEASE, 100))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self.loop.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_what_is_due_is_converged_and_given_back_with_its_next_moment() -> None:
    shop = Shop()
    await shop.due(1)
    shop.bench.due_at = shop.clock.now() + timedelta(hours=1)
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: shop.store.due() == [shop.bench.due_at])

    shop.clock.advance(3600)
    assert await shop.others_get() == 1


async def test_only_so_many_are_in_hand_at_once() -> None:
    shop = Shop(concurrency=2)
    await shop.due(1, 2, 3, 4, 5)
    async with shop.open():
        await until(lambda: shop.bench.inside == 2)
        assert await shop.others_get() == 3
        shop.bench.gate.set()

    assert shop.bench.most_inside == 2


async def test_a_place_that_becomes_free_is_filled_at_once() -> None:
    shop = Shop(concurrency=1)
    await shop.due(1, 2, 3)
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: len(shop.bench.began) == 3)

    assert shop.bench.most_inside == 1


async def test_those_that_wait_get_their_turn_as_far_as_there_is_room() -> None:
    shop = Shop(seats=1)
    await shop.waiting(1, 2, 3, 4)
    async with shop.open():
        # One seat, and one more in case that a replacement waits.
        await until(lambda: shop.bench.inside == 2)
        assert shop.bench.began == [content_id(1), content_id(2)]


async def test_who_found_no_room_waits_on_without_being_asked_all_the_time() -> None:
    shop = Shop()
    await shop.waiting(1)
    shop.bench.queue_at = shop.clock.now() + timedelta(seconds=1)
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: shop.store.due() == [shop.bench.queue_at])
        assert len(shop.bench.began) == 1
        shop.clock.advance(1)
        shop.bell.ring()
        await until(lambda: len(shop.bench.began) == 2)


async def test_a_channel_in_hand_is_nobody_elses() -> None:
    shop = Shop()
    await shop.due(1)
    async with shop.open():
        await until(lambda: shop.bench.inside == 1)

        assert await shop.others_get() == 0


async def test_a_heartbeat_keeps_the_lease_of_long_work() -> None:
    shop = Shop()
    await shop.due(1)
    async with shop.open():
        await until(lambda: shop.bench.inside == 1 and len(shop.clock.pauses) == 1)
        for beat in range(2, 10):
            shop.clock.advance(10)
            await until(lambda beat=beat: len(shop.clock.pauses) == beat)
            assert await shop.others_get() == 0


async def test_without_a_heartbeat_another_takes_over() -> None:
    shop = Shop()
    await shop.due(1)
    async with shop.open():
        await until(lambda: shop.bench.inside == 1 and len(shop.clock.pauses) == 1)
        shop.clock.moment += LEASE

        assert await shop.others_get() == 1


async def test_a_heartbeat_survives_a_store_that_is_down() -> None:
    shop = Shop()
    await shop.due(1)
    beats: list[str] = []
    extend = shop.store.extend_lease

    async def flaky(content_id: str, owner: str, until: datetime) -> bool:
        beats.append(owner)
        if len(beats) == 1:
            raise StoreUnavailable("down")
        return await extend(content_id, owner, until)

    shop.store.extend_lease = flaky
    async with shop.open():
        await until(lambda: len(shop.clock.pauses) == 1)
        shop.clock.advance(10)
        await until(lambda: len(shop.clock.pauses) == 2)
        shop.clock.advance(10)
        await until(lambda: len(beats) == 2)
        await asyncio.sleep(0)
        assert await shop.others_get() == 0


async def test_stopping_gives_back_what_is_in_hand() -> None:
    shop = Shop()
    await shop.due(1, 2)
    async with shop.open():
        await until(lambda: shop.bench.inside == 2)

    assert shop.bench.inside == 0
    assert await shop.others_get() == 2


async def test_a_bell_saves_the_wait() -> None:
    shop = Shop()
    shop.bench.gate.set()
    async with shop.open():
        await asyncio.sleep(0)
        await shop.due(1)
        shop.bell.ring()
        await until(lambda: shop.bench.began == [content_id(1)])


@pytest.mark.parametrize("error", [StoreUnavailable("down"), StoreError("cannot be read by this release")])
async def test_a_store_that_fails_once_is_asked_again(error: StoreError) -> None:
    shop = Shop()
    await shop.due(1)
    claims: list[int] = []
    claim_due = shop.store.claim_due

    async def flaky(now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
        claims.append(1)
        if len(claims) == 1:
            raise error
        return await claim_due(now, owner, lease, limit)

    shop.store.claim_due = flaky
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: len(claims) == 1)
        shop.bell.ring()
        await until(lambda: len(shop.bench.began) == 1)


@pytest.mark.parametrize("error", [StoreUnavailable("down"), ValueError("a mistake of ours")])
async def test_work_that_breaks_off_is_due_again_after_a_while(error: Exception) -> None:
    shop = Shop()
    await shop.due(1)
    shop.bench.error = error
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: shop.store.due() == [shop.clock.now() + LEASE])

    assert len(shop.bench.began) == 1


async def test_a_wish_that_arrives_during_the_work_is_not_forgotten() -> None:
    shop = Shop()
    await shop.due(1)
    async with shop.open():
        await until(lambda: shop.bench.inside == 1)
        again = request(checksum="sum-2", said_at=shop.clock.now() + timedelta(seconds=1))
        await shop.world.accept(again)
        shop.bench.gate.set()
        await until(lambda: len(shop.bench.began) >= 2)


async def test_each_job_has_a_correlation_id_of_its_own() -> None:
    shop = Shop()
    await shop.due(1, 2)
    shop.bench.gate.set()
    async with shop.open():
        await until(lambda: len(shop.bench.causes) == 2)

    assert {cause.actor for cause in shop.bench.causes} == {"worker"}
    assert len({cause.correlation_id for cause in shop.bench.causes} - {CAUSE.correlation_id}) == 2


# -- the bell ---------------------------------------------------------------------------------------------------------


async def test_a_ring_before_the_wait_is_heard() -> None:
    bell = Bell()
    bell.ring()

    await bell.wait(3600)


async def test_a_ring_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    await bell.wait(3600)

    waiting = asyncio.create_task(bell.wait(3600))
    await asyncio.sleep(0)
    assert not waiting.done()
    bell.ring()
    await waiting


async def test_a_wait_ends_by_itself() -> None:
    await Bell().wait(0)


# -- jobs now and then ------------------------------------------------------------------------------------------------


class Job:
    """Counts its turns; fails as it is told."""

    def __init__(self, *errors: Exception | None) -> None:
        self.turns = 0
        self._errors = list(errors)

    async def __call__(self) -> None:
        self.turns += 1
        error = self._errors.pop(0) if self._errors else None
        if error:
            raise error


async def turns_of(job: Job, leader: Callable[[], Any], pauses: int) -> FakeClock:
    """Run a job every minute until it has paused that often."""
    clock = FakeClock()
    task = asyncio.create_task(every(60.0, job, clock=clock, name="job", leader=leader))
    await until(lambda: len(clock.pauses) >= pauses)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return clock


async def elected() -> bool:
    return True


async def test_a_job_is_done_again_and_again() -> None:
    job = Job()
    clock = await turns_of(job, elected, 3)

    assert job.turns == 3
    assert set(clock.pauses) == {60.0}


async def test_only_the_elected_process_does_it() -> None:
    async def not_elected() -> bool:
        return False

    job = Job()
    await turns_of(job, not_elected, 3)

    assert job.turns == 0


@pytest.mark.parametrize("error", [StoreUnavailable("down"), ValueError("a mistake of ours")])
async def test_a_job_that_fails_is_done_again(error: Exception) -> None:
    job = Job(error)
    await turns_of(job, elected, 2)

    assert job.turns == 2


async def test_an_election_that_fails_is_held_again() -> None:
    results = [StoreUnavailable("down"), None]

    async def flaky() -> bool:
        if error := results.pop(0) if results else None:
            raise error
        return True

    job = Job()
    await turns_of(job, flaky, 2)

    assert job.turns == 1
