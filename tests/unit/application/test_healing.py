"""Whatever happens in whatever order, and wherever a process dies: everything heals by itself, and nothing doubles."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Status
from streaming_service.domain.upload import ProvisionRequest
from streaming_service.errors import NotFound, StoreUnavailable
from tests.fakes import NOW, Crash
from tests.unit.application.world import CAUSE, World, content_id, request

CONTENTS = (1, 2)
_T = TypeVar("_T")
_FAULTS: dict[str, Callable[[], Exception]] = {
    "crash": Crash,
    "store down": lambda: StoreUnavailable("down"),
}


def check_healed(world: World, channels: dict[int, Channel]) -> None:
    """Exactly one stream per active content, playing what is wanted; each announcement owed once."""
    active = {number: item for number, item in channels.items() if item.status is not Status.RETIRED}
    for channel in active.values():
        assert channel.status is Status.READY
        assert channel.serving is not None
        assert channel.serving.media_hash == channel.spec.media_hash
    for channel in channels.values():
        assert channel.draining == ()
        assert channel.building is None
        told = [
            item
            for item in world.owed("stream.provisioned")
            if item.content_id == channel.content_id and item.endpoint is Endpoint.CONTENT_CALLBACK
        ]
        assert len(told) == channel.announcements
    assert world.origin.names() == sorted(item.serving.stream for item in active.values() if item.serving)
    assert len(set(world.origin.starts)) <= sum(item.incarnation for item in channels.values())
    ids = [item.id for item in world.owed()]
    assert len(ids) == len(set(ids))


class Installation(RuleBasedStateMachine):
    """One worker, one OME, two contents, and bad luck."""

    world: World

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.world = World(drain_after=30.0)
        self.newest: dict[int, ProvisionRequest] = {}
        self.retired: set[int] = set()
        self.sent: list[tuple[int, ProvisionRequest]] = []
        self.said = NOW

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    def run(self, job: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(job)

    def insist(self, job: Callable[[], Awaitable[object]]) -> None:
        """As a sender or an operator does: again, until there is an answer."""

        async def again() -> None:
            for _ in range(20):
                try:
                    await job()
                except (Crash, StoreUnavailable):
                    continue
                return

        self.run(again())

    def send(self, number: int, wish: ProvisionRequest) -> None:
        self.insist(lambda: self.world.accept(wish))

    # -- what people do ---------------------------------------------------------------------------------------------

    @rule(number=st.sampled_from(CONTENTS), media=st.integers(1, 3))
    def upload(self, number: int, media: int) -> None:
        self.said = max(self.said, self.world.clock.now()) + timedelta(seconds=1)
        self.world.clock.moment = self.said
        wish = request(number, f"sum-{media}", self.said)
        self.send(number, wish)
        self.sent.append((number, wish))
        self.newest[number] = wish
        self.retired.discard(number)

    @precondition(lambda self: bool(self.sent))
    @rule(data=st.data())
    def an_event_comes_again(self, data: st.DataObject) -> None:
        self.send(*data.draw(st.sampled_from(self.sent)))

    @rule(number=st.sampled_from(CONTENTS), media=st.integers(1, 3))
    def an_older_event_comes_late(self, number: int, media: int) -> None:
        if number in self.newest:
            self.send(number, request(number, f"sum-{media}", NOW - timedelta(days=1)))

    @rule(number=st.sampled_from(CONTENTS))
    def retire(self, number: int) -> None:
        if number in self.newest:
            self.insist(lambda: self.world.operations.retire(content_id(number), CAUSE))
            self.retired.add(number)

    @rule(number=st.sampled_from(CONTENTS))
    def replay(self, number: int) -> None:
        if number in self.newest and number not in self.retired:
            self.insist(lambda: self.world.operations.replay(content_id(number), CAUSE))

    # -- what goes wrong --------------------------------------------------------------------------------------------

    @rule()
    def ome_is_wiped(self) -> None:
        self.world.origin.wipe()

    @rule(data=st.data())
    def ome_loses_a_stream(self, data: st.DataObject) -> None:
        names = self.world.origin.names()
        if names:
            lost = data.draw(st.sampled_from(names))
            for held in self.world.origin.held.values():
                held.pop(lost, None)

    @rule(calls=st.integers(0, 8), after=st.booleans(), kind=st.sampled_from(sorted(_FAULTS)))
    def something_will_break(self, calls: int, after: bool, kind: str) -> None:
        self.world.faults.plan(calls, _FAULTS[kind](), after=after)

    @rule(number=st.sampled_from(CONTENTS))
    def somebody_will_be_faster(self, number: int) -> None:
        async def meddle(change: Change) -> None:
            # A fault may hit it, and a new content is not there yet.
            with suppress(Crash, StoreUnavailable, NotFound):
                await self.world.operations.purge(change.channel.content_id, CAUSE)

        self.world.store.before_commit = meddle

    @rule(broken=st.booleans())
    def the_file_is_broken_for_a_while(self, broken: bool) -> None:
        paths = {f"uploads/{number}/sum-1.mp4" for number in CONTENTS}
        self.world.origin.broken = paths if broken else set()

    # -- what the service does --------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 60]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def work(self) -> None:
        try:
            self.run(self.world.work())
        except Crash:
            self.world.clock.advance(30)

    @rule()
    def reconcile(self) -> None:
        with suppress(Crash, StoreUnavailable):
            self.run(self.world.reconcile())

    @rule()
    def heal(self) -> None:
        self.world.faults.clear()
        self.world.store.before_commit = None
        self.world.origin.broken.clear()
        self.run(self.world.settle())
        self.run(self.world.reconcile())
        self.run(self.world.settle())
        channels = {number: self.run(self.world.channel(number)) for number in self.newest}
        for number, channel in channels.items():
            assert (channel.status is Status.RETIRED) == (number in self.retired)
            if number not in self.retired:
                assert channel.spec.checksum == self.newest[number].checksum
        check_healed(self.world, channels)


TestInstallation: Any = Installation.TestCase
TestInstallation.settings = settings(
    max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.anyio
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(14))
async def test_a_process_that_dies_at_any_side_effect_of_a_swap_leaves_one_stream(calls: int, after: bool) -> None:
    world = World(drain_after=30.0)
    await world.playing()
    world.faults.calls.clear()
    world.faults.plan(calls, after=after)
    wish = request(checksum="sum-2", said_at=NOW + timedelta(seconds=1))
    try:
        await world.accept(wish)
    except Crash:
        await world.accept(wish)
    await world.settle()

    check_healed(world, {1: await world.channel()})
    assert (await world.channel()).spec.checksum == "sum-2"
