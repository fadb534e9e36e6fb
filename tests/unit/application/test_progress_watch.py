"""Which channels are looked at, and what is made of it."""

from datetime import datetime

import pytest

from streaming_service.application.progress_watch import ProgressWatch
from tests.fakes import unreachable
from tests.unit.application.world import World

pytestmark = pytest.mark.anyio


class Tower:
    """A world and somebody who watches it."""

    def __init__(self, *origins: str, rotation: float = 300.0) -> None:
        self.world = World(origins or ("default",))
        self.observed: list[tuple[str, float]] = []
        self.watch = ProgressWatch(
            store=self.world.store,
            fleet=self.world.fleet,
            observe=self._observe,
            clock=self.world.clock,
            rotation=rotation,
        )

    def _observe(self, origin: str, ratio: float, now: datetime) -> None:
        assert now == self.world.clock.now()
        self.observed.append((origin, round(ratio, 3)))

    async def look(self, times: int = 5) -> list[tuple[str, float]]:
        """Every ten seconds. Gives what was observed meanwhile."""
        self.observed.clear()
        for _ in range(times):
            await self.watch.run()
            self.world.clock.advance(10)
        return self.observed


async def test_an_origin_that_keeps_up_and_one_that_does_not() -> None:
    tower = Tower("ome-1", "ome-2")
    for number, name in ((1, "ome-1"), (2, "ome-2")):
        tower.world.fleet.preferred = name
        await tower.world.playing(number)
    tower.world.origins[1].pace = 0.7

    assert await tower.look() == [("ome-1", 1.0), ("ome-2", 0.7)] * 2


async def test_nothing_is_said_of_an_idle_origin() -> None:
    assert await Tower().look() == []


async def test_three_channels_are_looked_at_and_others_later() -> None:
    tower = Tower(rotation=60.0)
    for number in range(1, 7):
        await tower.world.playing(number)
    origin = tower.world.origin
    seen: set[frozenset[str]] = set()
    for _ in range(20):
        origin.looked = []
        await tower.look(1)
        assert len(origin.looked) == 3
        seen.add(frozenset(origin.looked))
        tower.world.clock.advance(50)

    assert len(frozenset[str]().union(*seen)) == 6


async def test_the_same_ones_are_looked_at_for_a_whole_turn() -> None:
    tower = Tower(rotation=1e9)
    for number in range(1, 7):
        await tower.world.playing(number)
    origin = tower.world.origin
    await tower.look(10)

    assert len(set(origin.looked)) == 3


async def test_the_median_of_the_channels_that_move() -> None:
    tower = Tower()
    await tower.world.playing(1)
    second = await tower.world.playing(2)
    assert second.serving
    tower.world.origin.still = {second.serving.stream}

    assert await tower.look() == [("default", 1.0)] * 2


async def test_an_origin_that_is_down_is_for_its_probes() -> None:
    tower = Tower()
    await tower.world.playing()
    await tower.look(3)
    tower.world.origin.down = unreachable()
    assert await tower.look(1) == []
    tower.world.origin.down = None

    assert await tower.look(1) == [("default", 1.0)]


async def test_an_origin_or_channel_that_has_left_is_forgotten() -> None:
    tower = Tower("ome-1", "ome-2")
    await tower.world.playing()
    await tower.look()
    del tower.world.fleet.origins["ome-1"]
    assert await tower.look() == []
    assert "ome-1" not in tower.watch._progress

    tower.world.fleet.origins["ome-1"] = tower.world.origins[0]
    tower.world.origins[0].wipe()
    assert await tower.look() == []
