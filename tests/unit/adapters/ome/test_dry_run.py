"""A dry run: the real client and origin, and an OME that is not there. Everything downstream runs."""

from collections.abc import Awaitable, Callable

import pytest

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.ome import NullOme, OmeClient, OmeOrigin
from streaming_service.adapters.ome.null import API_URL, PLAYBACK_URL
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.application.ports import StreamFigures
from streaming_service.domain.state import Status
from tests.fake_ome import FakeFleet
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
    watcher = OmeWatcher(client, caller, PLAYBACK_URL, playlist="master", timeout=1.0)
    return OmeOrigin("default", client, watcher, None, vhost="default", sleep=sleep)


def use(world: World, origin: OmeOrigin) -> None:
    """Everything in this world goes to that origin."""
    fleet = FakeFleet(origin)
    world.provisioning._fleet = world.provisioning._clearing._fleet = fleet
    world.reconciliation._fleet = world.seating._fleet = fleet


@pytest.fixture
def world() -> World:
    world = World()
    use(world, dry_origin(world.clock.sleep))
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
    use(world, dry_origin(world.clock.sleep))

    assert (await world.reconcile()).lost == 1
    await world.settle()
    assert len(await held(world)) == 1


async def test_retiring_leaves_nothing(world: World) -> None:
    channel = await world.playing()
    await world.operations.retire(channel.content_id, CAUSE)
    await world.settle()

    assert await held(world) == frozenset()


async def test_it_has_the_applications_that_are_configured(world: World) -> None:
    assert await dry_origin(world.clock.sleep).applications() == {"reels", "series"}


async def test_what_plays_has_figures_and_never_lags(world: World) -> None:
    channel = await world.playing()
    assert channel.serving is not None
    origin = world.provisioning._fleet.origin("default")
    stream = channel.serving.stream

    assert await origin.figures("reels", stream) == StreamFigures(0, 0, 0)
    assert await origin.figures("reels", "ss-unknown") is None
    assert await origin.position("reels", stream) is None
    assert await origin.booted_at() is None
