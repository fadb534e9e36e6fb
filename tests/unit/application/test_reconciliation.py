"""What OME holds is compared with what is wanted, and nothing else is touched."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.application.findings import Findings
from streaming_service.domain.placement import stream_name
from streaming_service.domain.state import Status
from streaming_service.errors import StoreUnavailable, UpstreamRejected
from tests.fakes import NOW, unreachable
from tests.unit.application.world import CAUSE, World, content_id, request

pytestmark = pytest.mark.anyio


async def foreign(world: World, name: str) -> None:
    """Something on OME that no channel of ours wants."""
    channel = await world.playing(99, said_at=world.clock.now() + timedelta(seconds=1))
    assert channel.serving is not None
    await world.origin.start(replace(channel.serving, stream=name), NOW)
    await world.operations.retire(channel.content_id, CAUSE)
    await world.settle()
    world.clock.advance(1)


async def test_nothing_to_do_finds_nothing(world: World) -> None:
    await world.playing()

    assert await world.reconcile() == Findings()


async def test_one_call_per_origin_and_application(world: World) -> None:
    await world.playing(1)
    await world.playing(2)
    world.faults.calls.clear()
    await world.reconcile()

    assert [call for call in world.faults.calls if call.startswith("ome.")] == ["ome.streams", "ome.streams"]


async def test_a_stream_that_ome_lost_comes_back_under_a_new_name(world: World) -> None:
    before = await world.playing()
    world.origin.wipe()

    assert await world.reconcile() == Findings(lost=1)
    assert (await world.channel()).status is Status.PROVISIONING

    await world.settle()
    after = await world.channel()
    assert before.serving is not None
    assert after.serving is not None
    assert world.origin.names() == [after.serving.stream]
    assert after.serving.stream != before.serving.stream


async def test_a_wiped_ome_gets_everything_back(world: World) -> None:
    for number in range(1, 6):
        await world.playing(number)
    world.origin.wipe()
    await world.reconcile()
    await world.settle()

    assert len(world.origin.names()) == 5


async def test_an_orphan_of_ours_is_removed(world: World) -> None:
    orphan = stream_name("ss-", content_id(7), 3)
    await foreign(world, orphan)

    assert await world.reconcile() == Findings(orphans=1)
    assert world.origin.names() == []


async def test_a_name_that_is_not_ours_is_left_alone(world: World) -> None:
    await foreign(world, "live1")

    assert await world.reconcile() == Findings()
    assert world.origin.names() == ["live1"]


async def test_an_orphan_beside_a_foreign_name_goes_alone(world: World) -> None:
    await foreign(world, "live1")
    await foreign(world, stream_name("ss-", content_id(7), 3))

    assert await world.reconcile() == Findings(orphans=1)
    assert world.origin.names() == ["live1"]


async def test_a_stream_of_another_installation_is_left_alone(world: World) -> None:
    other = stream_name("other-", content_id(7), 3)
    await foreign(world, other)
    await world.reconcile()

    assert world.origin.names() == [other]


async def test_what_is_being_built_or_drained_is_no_orphan(world: World) -> None:
    await world.playing()
    await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
    await world.settle(within=60)
    held = world.origin.names()

    assert await world.reconcile() == Findings()
    assert world.origin.names() == held
    assert len(held) == 2


async def test_an_origin_that_does_not_answer_is_not_an_empty_one(world: World) -> None:
    before = await world.playing()
    world.origin.down = unreachable()

    assert await world.reconcile() == Findings(unreachable=1)
    assert await world.channel() == before


async def test_an_origin_that_refuses_us_is_not_an_empty_one(world: World) -> None:
    before = await world.playing()
    world.origin.down = UpstreamRejected("ome", "401", status=401)

    assert await world.reconcile() == Findings(misconfigured=2)
    assert await world.channel() == before


async def test_an_origin_that_fails_does_not_hide_the_others() -> None:
    world = World(("first", "second"))
    world.fleet.preferred = "second"
    await world.playing()
    world.origins[1].wipe()
    world.origins[0].down = unreachable()

    assert await world.reconcile() == Findings(lost=1, unreachable=1)


async def test_a_channel_created_during_the_listing_is_neither_lost_nor_an_orphan(world: World) -> None:
    async def meanwhile() -> None:
        await world.playing()

    world.origin.during_listing = meanwhile

    assert await world.reconcile() == Findings()
    assert len(world.origin.names()) == 1


async def test_a_stream_replaced_during_the_listing_is_not_lost() -> None:
    world = World(("first", "second"), drain_after=0.0)
    await world.playing()

    async def moved_meanwhile() -> None:
        world.fleet.preferred = "second"
        await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
        await world.settle()

    world.origin.wipe()
    world.origin.during_listing = moved_meanwhile

    assert await world.reconcile() == Findings()
    assert (await world.channel()).status is Status.READY


async def test_somebody_who_writes_first_wins(world: World) -> None:
    await world.playing()
    world.origin.wipe()

    async def retired_meanwhile(change: object) -> None:
        del change
        await world.operations.retire(content_id(), CAUSE)

    world.store.before_commit = retired_meanwhile

    assert await world.reconcile() == Findings()
    assert (await world.channel()).status is Status.RETIRED


async def test_an_orphan_that_cannot_be_removed_stays_for_the_next_pass(world: World) -> None:
    orphan = stream_name("ss-", content_id(7), 3)
    await foreign(world, orphan)

    async def breaks(application: str, stream: str) -> bool:
        raise unreachable()

    world.origin.stop = breaks

    assert await world.reconcile() == Findings()
    assert world.origin.names() == [orphan]


async def test_a_store_that_is_down_is_raised(world: World) -> None:
    await world.playing()
    world.origin.wipe()
    world.store.down = StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await world.reconcile()


async def test_a_crash_between_two_losses_is_made_good_by_the_next_pass(world: World) -> None:
    await world.playing(1)
    await world.playing(2)
    world.origin.wipe()
    world.faults.plan(3, StoreUnavailable("down"))
    with pytest.raises(StoreUnavailable):
        await world.reconcile()
    world.faults.clear()

    await world.reconcile()
    await world.settle()

    assert len(world.origin.names()) == 2
