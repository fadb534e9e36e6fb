"""Whose turn it is, and which seat it gets."""

import pytest

from streaming_service.application.seating import Openings, Seat, Seating
from streaming_service.domain.content import Classification
from streaming_service.domain.state import Phase, Status
from tests.unit.application.world import CAUSE, SPECS, World, content_id, request

pytestmark = pytest.mark.anyio


async def test_a_full_fleet_lets_the_rest_wait() -> None:
    world = World(capacity=2)
    for number in (1, 2, 3):
        await world.accept(request(number))
    await world.settle(within=30)

    statuses = [(await world.channel(number)).status for number in (1, 2, 3)]
    assert statuses == [Status.READY, Status.READY, Status.PROVISIONING]
    assert (await world.channel(3)).phase is Phase.ACCEPTED
    assert len(world.origin.names()) == 2


async def test_whoever_waits_gets_the_seat_that_becomes_free() -> None:
    world = World(capacity=1)
    await world.playing(1)
    await world.accept(request(2))
    await world.settle(within=10)
    await world.operations.retire(content_id(1), CAUSE)
    await world.settle(within=30)

    assert (await world.channel(2)).status is Status.READY


async def test_a_replacement_finds_room_on_a_full_fleet() -> None:
    world = World(capacity=1)
    await world.playing(1)
    world.clock.advance(1)
    await world.accept(request(1, checksum="sum-2", said_at=world.clock.now()))
    await world.accept(request(2))
    await world.settle(within=60)

    serving = (await world.channel(1)).serving
    assert serving is not None
    assert serving.checksum == "sum-2"
    assert (await world.channel(2)).status is Status.PROVISIONING, "the extra seat is for replacements alone"


async def test_the_next_origin_takes_what_the_preferred_one_has_no_seat_for() -> None:
    world = World(["a", "b"], capacity=1)
    await world.playing(1)
    await world.playing(2)

    assert [len(origin.names()) for origin in world.origins] == [1, 1]


async def test_an_origin_that_failed_a_channel_is_not_asked_first_again() -> None:
    world = World(["a", "b"])
    world.origins[0].broken.add("uploads/1/sum-1.mp4")
    channel = await world.playing(1)
    if channel.status is not Status.READY:
        await world.settle(within=200)
        channel = await world.channel()

    assert channel.serving is not None
    assert channel.serving.origin == "b"


async def test_without_a_healthy_origin_nobody_has_a_turn() -> None:
    world = World()
    world.fleet.down.add("default")
    await world.accept()

    assert await world.seating.openings(world.clock.now()) == Openings()
    await world.settle(within=60)
    assert (await world.channel()).phase is Phase.ACCEPTED
    assert world.store.reads < 20, "nobody asks all the time"


async def test_a_seat_that_somebody_else_took_first_is_not_tried_again() -> None:
    world = World(capacity=2)
    await world.playing(1)
    other = Seating(world.store, world.fleet, SPECS.applications.__getitem__, pick=lambda _: 0)
    await world.accept(request(2))
    channel = await world.channel(2)
    assert await other.seat(channel, world.clock.now()) == Seat("default", 1)
    other.take(Seat("default", 1))

    assert await other.seat(channel, world.clock.now()) is None


async def test_openings_count_those_who_are_on_their_way() -> None:
    world = World(capacity=4)
    for number in range(1, 8):
        await world.accept(request(number))
    now = world.clock.now()
    assert await world.seating.openings(now) == Openings((Classification.REEL,), 5)

    for number in (1, 2, 3):
        world.seating.expect(content_id(number))
    assert (await world.seating.openings(now)).room == 2
    world.seating.no_longer_expect(content_id(1))
    assert (await world.seating.openings(now)).room == 3
