"""What operators may ask of origins."""

import pytest
from structlog.testing import capture_logs

from streaming_service.application.origins import OriginOperations
from streaming_service.domain.content import Classification
from streaming_service.errors import NotFound
from tests.unit.application.world import CAUSE, World
from tests.views import FakeViews

pytestmark = pytest.mark.anyio


def office(world: World) -> tuple[OriginOperations, FakeViews]:
    views = FakeViews()
    return OriginOperations(store=world.store, fleet=views, notifier=world.notifier, clock=world.clock), views


async def test_places_that_are_taken_are_counted() -> None:
    world = World(("ome-1",))
    await world.playing(1)
    await world.playing(2)
    operations, _ = office(world)

    assert [(item.name, item.channels) for item in await operations.list()] == [("ome-1", 2), ("ome-2", 0)]


async def test_the_fleet_is_looked_at_now_and_then(world: World) -> None:
    operations, views = office(world)
    await operations.list()
    await operations.list()
    assert views.refreshed == 1
    world.clock.advance(10)
    await operations.list()
    assert views.refreshed == 2


async def test_who_drained_what_is_logged(world: World) -> None:
    operations, _ = office(world)
    with capture_logs() as lines:
        assert (await operations.drain("ome-1", CAUSE)).drained
        assert not (await operations.undrain("ome-1", CAUSE)).drained
    assert [(line["action"], line["origin"], line["actor"]) for line in lines if line["event"] == "admin action"] == [
        ("drain", "ome-1", "test"),
        ("undrain", "ome-1", "test"),
    ]


async def test_one_that_left_while_it_was_drained_can_be_taken_out_of_the_book(world: World) -> None:
    operations, views = office(world)
    await operations.drain("ome-2", CAUSE)
    del views.origins[1]
    assert (await operations.get("ome-2")).state == "gone"
    await operations.undrain("ome-2", CAUSE)
    with pytest.raises(NotFound):
        await operations.get("ome-2")


async def test_those_that_wait_are_counted(world: World) -> None:
    await world.accept()
    operations, _ = office(world)
    assert await operations.waiting() == {Classification.REEL: 1, Classification.SERIES: 0}
