"""What is taken from store and fleet for the gauges."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from streaming_service.application.monitoring import Monitoring
from streaming_service.domain.notification import Endpoint
from tests.unit.application.world import World, request

pytestmark = pytest.mark.anyio


class Shown:
    """What the gauges show."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.pending: dict[str, int] = {}
        self.oldest = 0.0
        self.letters: int | None = None
        self.queue: Mapping[str, int] = {}
        self.on_origins: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})

    def channels(self, counts: dict[str, int]) -> None:
        self.statuses = counts

    def outbox(self, pending: dict[str, int], oldest_seconds: float) -> None:
        self.pending, self.oldest = pending, oldest_seconds

    def dead_letters(self, count: int) -> None:
        self.letters = count

    def waiting(self, counts: Mapping[str, int]) -> None:
        self.queue = counts

    def origins(self, channels: Mapping[str, int], capacity: Mapping[str, int]) -> None:
        self.on_origins = (channels, capacity)


async def shown(world: World, capacities: Mapping[str, int]) -> Shown:
    gauges = Shown()
    endpoints = frozenset({Endpoint.BIGQUERY})
    await Monitoring(
        store=world.store, gauges=gauges, endpoints=endpoints, capacities=lambda: capacities, clock=world.clock
    ).refresh()
    return gauges


async def test_everything_is_shown_when_there_is_nothing() -> None:
    gauges = await shown(World(), {"default": 5})

    assert gauges.statuses == {"provisioning": 0, "ready": 0, "failed": 0, "retired": 0}
    assert (gauges.pending, gauges.oldest, gauges.letters) == ({"bigquery": 0}, 0.0, 0)
    assert gauges.queue == {"reel": 0, "series": 0}
    assert gauges.on_origins == ({"default": 0}, {"default": 5})


async def test_a_full_origin_and_the_queue_before_it() -> None:
    world = World(capacity=1)
    await world.playing(1)
    await world.accept(request(2))
    await world.settle(within=5)

    gauges = await shown(world, {"default": 1})

    assert gauges.queue["reel"] == 1
    assert gauges.on_origins == ({"default": 1}, {"default": 1})


async def test_what_is_owed_and_for_how_long() -> None:
    world = World()
    await world.playing()
    world.clock.moment = world.owed()[0].occurred_at + timedelta(seconds=90)
    gauges = await shown(world, {})

    assert (gauges.statuses["ready"], gauges.pending, gauges.oldest) == (1, {"bigquery": 1}, 90.0)


async def test_an_origin_that_left_the_fleet_is_shown_while_it_has_channels() -> None:
    world = World()
    await world.playing(1)

    assert (await shown(world, {"other": 5})).on_origins == ({"default": 1, "other": 0}, {"other": 5})
