"""Whatever becomes of the origins: each content ends up once, on one origin that is well, and nothing is left over."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from streaming_service.domain.channel import Channel
from streaming_service.domain.state import Status
from tests.fake_ome import FakeOrigin
from tests.fakes import unreachable
from tests.unit.application.world import World

NAMES = ("a", "b", "c")
CONTENTS = (1, 2, 3, 4)
_T = TypeVar("_T")
_ORIGINS = st.sampled_from(NAMES)
_CONTENTS = st.sampled_from(CONTENTS)


class FleetInTrouble(RuleBasedStateMachine):
    """Three origins, four contents that play. One origin is always there, and each could hold everything."""

    world: World

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.world = World(NAMES, capacity=20, drain_after=30.0)
        # Contents that may serve nothing for a while, because their origin lost them.
        self.touched: set[int] = set()
        for number in CONTENTS:
            self.world.fleet.preferred = NAMES[number % 3]
            self.run(self.world.playing(number))

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.heal()
            for name in NAMES:
                self.recover(name)
            self.heal()
            assert all(self.channel(number).draining == () for number in CONTENTS)
            self.loop.close()

    def run(self, job: Coroutine[Any, Any, _T]) -> _T:
        return self.loop.run_until_complete(job)

    def origin(self, name: str) -> FakeOrigin:
        return self.world.named(name)

    def channel(self, number: int) -> Channel:
        return self.run(self.world.channel(number))

    # -- trouble --------------------------------------------------------------------------------------------------

    @rule(name=_ORIGINS)
    def wipe(self, name: str) -> None:
        self.note_loss(name)
        self.origin(name).wipe()

    @rule(name=_ORIGINS)
    def restart(self, name: str) -> None:
        self.world.clock.advance(1)
        self.origin(name).restart()

    @rule(name=_ORIGINS)
    def die(self, name: str) -> None:
        if name != "a":
            self.note_loss(name)
            self.origin(name).down = unreachable()
            self.world.fleet.down.add(name)

    @rule(name=_ORIGINS)
    def recover(self, name: str) -> None:
        self.origin(name).down = None
        self.world.fleet.down.discard(name)

    @rule(name=_ORIGINS)
    def drain(self, name: str) -> None:
        if name != "a":
            self.world.fleet.emptied.add(name)

    @rule(name=_ORIGINS)
    def undrain(self, name: str) -> None:
        self.world.fleet.emptied.discard(name)

    @rule(number=_CONTENTS)
    def lose(self, number: int) -> None:
        if serving := self.channel(number).serving:
            self.touched.add(number)
            self.origin(serving.origin).held[serving.application].pop(serving.stream, None)

    @rule(number=_CONTENTS, name=_ORIGINS)
    def double(self, number: int, name: str) -> None:
        serving = self.channel(number).serving
        if serving and not self.origin(name).down:
            self.run(self.origin(name).start(serving, self.world.clock.now()))

    @rule(name=_ORIGINS)
    def prefer(self, name: str) -> None:
        self.world.fleet.preferred = name

    def note_loss(self, name: str) -> None:
        """What has something on this origin may come to serve nothing for a while."""
        for number in CONTENTS:
            if any(item.origin == name for item in self.channel(number).on_ome):
                self.touched.add(number)

    # -- and what goes on meanwhile -------------------------------------------------------------------------------

    @rule(passes=st.integers(1, 3))
    def reconcile(self, passes: int) -> None:
        for _ in range(passes):
            self.run(self.world.reconcile())
            self.no_gap()

    @rule(turns=st.integers(1, 6))
    def work(self, turns: int) -> None:
        for _ in range(turns):
            self.run(self.world.work())
            self.no_gap()

    @rule(seconds=st.sampled_from((1, 30, 120)))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def no_gap(self) -> None:
        """Whatever is moved is moved without one: only what really was lost may serve nothing."""
        for number in set(CONTENTS) - self.touched:
            channel = self.channel(number)
            assert channel.status is Status.READY
            assert channel.serving is not None
            held = self.origin(channel.serving.origin).held[channel.serving.application]
            assert channel.serving.stream in held

    @rule()
    def heal(self) -> None:
        for _ in range(4):
            self.run(self.world.reconcile())
            self.run(self.world.settle(within=90))
            self.world.clock.advance(60)
        usable = set(NAMES) - self.world.fleet.down - self.world.fleet.emptied
        served: dict[str, list[str]] = {name: [] for name in NAMES}
        for number in CONTENTS:
            channel = self.channel(number)
            assert channel.status is Status.READY
            assert channel.building is None
            assert channel.serving is not None
            assert channel.serving.origin in usable
            served[channel.serving.origin].append(channel.serving.stream)
        for name in set(NAMES) - self.world.fleet.down:
            assert self.origin(name).names() == sorted(served[name])
        self.touched.clear()


TestFleetInTrouble: Any = FleetInTrouble.TestCase
TestFleetInTrouble.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
