"""A dry run: the real client and origin, and an OME that is not there. Everything downstream runs."""

from collections.abc import Awaitable, Callable

import pytest

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.ome import NullOme, OmeClient, OmeOrigin, StaticFleet
from streaming_service.adapters.ome.null import API_URL, PLAYBACK_URL
from streaming_service.domain.channel import Channel
from streaming_service.domain.state import Status
from streaming_service.errors import NotFound
from tests.unit.adapters.servers import ManualClock
from tests.unit.application.world import CAUSE, LADDER, World, request

pytestmark = pytest.mark.anyio


def dry_origin(sleep: Callable[[float], Awaitable[None]]) -> OmeOrigin:
    clock = ManualClock()
    null = NullOme({"reels": LADDER, "series": LADDER})
    caller = ResilientCaller(
        "ome",
        null,
        Breaker("ome", clock.monotonic),
        clock=clock,
        monotonic=clock.monotonic,
        jitter=lambda: 0.5,
        context=dict,
    )
    client = OmeClient(caller, API_URL, access_token="key:secret")
    return OmeOrigin("default", client, caller, PLAYBACK_URL, playlist="master", timeout=1.0, sleep=sleep)


@pytest.fixture
def world() -> World:
    world = World()
    world.provisioning._fleet = world.reconciliation._fleet = StaticFleet([dry_origin(world.clock.sleep)])
    return world


async def held(world: World) -> frozenset[str]:
    return await world.reconciliation._fleet.origin("default").streams("reels")


async def test_an_upload_becomes_ready(world: World) -> None:
    channel = await world.playing()

    assert channel.status is Status.READY
    assert channel.serving is not None
    assert await held(world) == {channel.serving.stream}
    assert world.owed("stream.provisioned")


async def test_new_media_replaces_the_old(world: World) -> None:
    await world.playing()
    world.clock.advance(1)
    await world.accept(request(checksum="sum-2", said_at=world.clock.now()))
    await world.settle()
    channel = await world.channel()

    assert channel.serving is not None
    assert channel.serving.checksum == "sum-2"
    assert await held(world) == {channel.serving.stream}


async def test_a_pass_of_the_reconciler_finds_nothing_to_do(world: World) -> None:
    await world.playing()
    findings = await world.reconcile()

    assert (findings.lost, findings.orphans, findings.unreachable) == (0, 0, 0)


async def test_a_process_that_starts_again_makes_everything_again(world: World) -> None:
    await world.playing()
    world.provisioning._fleet = world.reconciliation._fleet = StaticFleet([dry_origin(world.clock.sleep)])

    assert (await world.reconcile()).lost == 1
    await world.settle()
    assert len(await held(world)) == 1


async def test_retiring_leaves_nothing(world: World) -> None:
    channel = await world.playing()
    await world.operations.retire(channel.content_id, CAUSE)
    await world.settle()

    assert await held(world) == frozenset()


async def test_a_fleet_knows_its_origins(world: World) -> None:
    fleet = StaticFleet([dry_origin(world.clock.sleep)])
    channel: Channel = await world.playing()

    assert fleet.names() == ("default",)
    assert fleet.choose(channel) == "default"
    with pytest.raises(NotFound, match="elsewhere"):
        fleet.origin("elsewhere")
