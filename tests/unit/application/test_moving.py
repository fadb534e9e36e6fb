"""Channels leave origins that are down, gone, or to be emptied, and only then."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from streaming_service.application.findings import Findings
from streaming_service.domain.content import Protocol
from streaming_service.domain.state import Phase, Status
from tests.fakes import MediaFacts, unreachable
from tests.unit.application.world import World, request

pytestmark = pytest.mark.anyio
HOUR = 3600.0


def die(world: World, name: str) -> None:
    world.named(name).down = unreachable()
    world.fleet.down.add(name)


def recover(world: World, name: str) -> None:
    world.named(name).down = None
    world.fleet.down.discard(name)


def filmed(world: World, seconds: float) -> None:
    """Every upload lasts so long."""
    facts = MediaFacts(video=True, audio=True, width=1280, height=720, duration=seconds)
    world.media.facts = {f"gs://uploads/{number}/sum-1.mp4": facts for number in range(1, 9)}


@pytest.fixture
def pair() -> World:
    """New channels go to `first` while it may take any."""
    return World(("first", "second"))


# -- down -------------------------------------------------------------------------------------------------------------


async def test_what_a_dead_origin_served_is_placed_on_the_others(pair: World) -> None:
    before = [(await pair.playing(number)).serving for number in (1, 2, 3)]
    die(pair, "first")

    assert await pair.reconcile() == Findings(evacuated=3)
    assert (await pair.channel()).phase_reason == "origin first is down"
    await pair.settle(within=60)

    assert len(pair.origins[1].names()) == 3
    assert all(item and item.stream not in pair.origins[1].names() for item in before)
    assert await pair.reconcile() == Findings()


async def test_what_was_being_built_there_begins_again_elsewhere(pair: World) -> None:
    await pair.accept()
    await pair.converge_until(Phase.CREATED)
    die(pair, "first")

    assert await pair.reconcile() == Findings(evacuated=1)
    failure = (await pair.channel()).failure
    assert failure is not None
    assert failure.code == "origin_down"
    await pair.settle(within=60)
    assert len(pair.origins[1].names()) == 1


async def test_what_drains_there_waits_until_it_answers_and_then_goes(pair: World) -> None:
    await pair.playing()
    die(pair, "first")
    await pair.reconcile()
    await pair.settle(within=600)
    assert len((await pair.channel()).draining) == 1
    recover(pair, "first")
    assert await pair.reconcile() == Findings()
    await pair.settle()

    assert pair.origins[0].names() == []
    assert (await pair.channel()).draining == ()


async def test_a_dead_origin_is_not_asked_for_anything(pair: World) -> None:
    await pair.playing()
    die(pair, "first")
    await pair.reconcile()
    pair.origins[0].down = None  # it would answer, but counts as down still
    await pair.settle(within=600)

    assert len(pair.origins[0].names()) == 1


async def test_what_drains_on_a_dead_origin_keeps_nothing_else_from_going(pair: World) -> None:
    await pair.playing()
    die(pair, "first")
    await pair.reconcile()
    await pair.settle(within=60)
    old = (await pair.channel()).serving
    await pair.accept(request(checksum="sum-2", said_at=pair.clock.now()))
    await pair.settle(within=600)

    assert old is not None
    assert [item.placement.origin for item in (await pair.channel()).draining] == ["first"]
    assert old.stream not in pair.origins[1].names()


async def test_a_published_copy_does_not_care_about_its_origin() -> None:
    world = World(("first", "second"), publishing=True)
    await world.playing()
    await world.settle()
    before = await world.channel()
    assert before.phase is Phase.PUBLISHED
    die(world, "first")

    assert await world.reconcile() == Findings()
    assert await world.channel() == before


# -- gone -------------------------------------------------------------------------------------------------------------


async def test_an_origin_that_left_the_fleet_is_left_at_once(pair: World) -> None:
    await pair.playing()
    del pair.fleet.origins["first"]

    assert await pair.reconcile() == Findings(evacuated=1)
    await pair.settle()
    after = await pair.channel()
    assert after.serving is not None
    assert (after.serving.origin, after.draining) == ("second", ())


async def test_before_anybody_has_looked_nothing_counts_as_gone(pair: World) -> None:
    before = await pair.playing()
    pair.fleet.origins.clear()

    assert await pair.reconcile() == Findings()
    assert await pair.channel() == before


# -- to be emptied ----------------------------------------------------------------------------------------------------


async def test_an_origin_is_emptied_without_a_gap(pair: World) -> None:
    for number in (1, 2, 3):
        await pair.playing(number)
    pair.fleet.emptied.add("first")

    assert await pair.reconcile() == Findings(moved=3)
    while await pair.work():
        for number in (1, 2, 3):
            channel = await pair.channel(number)
            assert channel.status is Status.READY
            assert channel.serving is not None
            assert channel.serving.stream in pair.named(channel.serving.origin).names()
    await pair.settle()

    assert pair.origins[0].names() == []
    assert len(pair.origins[1].names()) == 3
    assert await pair.reconcile() == Findings()


async def test_only_so_many_are_on_their_way_at_a_time() -> None:
    world = World(("first", "second"))
    for number in range(1, 13):
        await world.playing(number)
    world.fleet.emptied.add("first")

    assert await world.reconcile() == Findings(moved=10)
    assert await world.reconcile() == Findings()
    await world.settle(within=60)
    assert await world.reconcile() == Findings(moved=2)


async def test_one_that_cannot_be_replaced_now_takes_no_turn_from_the_others() -> None:
    world = World(("first", "second"))
    for number in range(1, 13):
        await world.playing(number)
    world.fleet.emptied.add("first")
    await world.reconcile()
    world.media.missing = {f"gs://uploads/{number}/sum-1.mp4" for number in range(1, 13)}
    await world.settle(within=120)
    world.media.missing.clear()

    assert await world.reconcile() == Findings(moved=2)


async def test_with_nowhere_else_to_go_viewers_keep_what_they_have(pair: World) -> None:
    before = (await pair.playing()).serving
    pair.fleet.emptied.update(("first", "second"))
    for _ in range(5):
        await pair.reconcile()
        await pair.work()
        pair.clock.advance(30)

    channel = await pair.channel()
    assert channel.status is Status.READY
    assert channel.serving == before


async def test_a_recording_that_ends_soon_is_left_to_its_end() -> None:
    world = World(("first", "second"), publishing=True)
    filmed(world, 240.0)
    await world.playing()
    world.fleet.emptied.add("first")

    assert await world.reconcile() == Findings()
    await world.settle()
    assert (await world.channel()).phase is Phase.PUBLISHED
    assert world.origins[0].names() == world.origins[1].names() == []


async def test_a_long_recording_begins_again_elsewhere_while_it_plays_on() -> None:
    world = World(("first", "second"), publishing=True)
    filmed(world, HOUR)
    await world.playing()
    world.fleet.emptied.add("first")

    assert await world.reconcile() == Findings(moved=1)
    await world.settle(within=60)
    serving = (await world.channel()).serving
    assert serving is not None
    assert serving.origin == "second"


async def test_a_long_copy_that_nobody_watches_yet_begins_again_elsewhere() -> None:
    world = World(("first", "second"), publishing=True)
    filmed(world, HOUR)
    await world.playing(protocol=Protocol.HLS, said_protocol=True)
    assert (await world.channel()).building is not None
    world.fleet.emptied.add("first")

    assert await world.reconcile() == Findings(moved=1)
    await world.settle(within=60)
    building = (await world.channel()).building
    assert building is not None
    assert building.origin == "second"


async def test_an_origin_that_is_used_again_takes_channels_again(pair: World) -> None:
    pair.fleet.emptied.add("first")
    await pair.playing(1)
    pair.fleet.emptied.clear()
    await pair.playing(2)

    assert len(pair.origins[0].names()) == 1


# -- restarted --------------------------------------------------------------------------------------------------------


async def test_a_restarted_ome_gets_fresh_names_and_its_old_urls_are_purged(pair: World) -> None:
    before = await pair.playing()
    await pair.reconcile()
    pair.clock.advance(60)
    pair.origin.restart()

    assert await pair.reconcile() == Findings(restarted=1)
    assert before.serving is not None
    (purge,) = [item for item in pair.owed("cdn.purge") if item.endpoint == "cdn-control"]
    assert purge.facts["path"] == f"/reels/{before.serving.stream}/*"
    assert (await pair.channel()).status is Status.READY
    await pair.settle(within=60)
    after = (await pair.channel()).serving
    assert after is not None
    assert after.stream != before.serving.stream
    assert await pair.reconcile() == Findings()


async def test_a_restart_is_noticed_by_a_process_that_was_not_there(pair: World) -> None:
    await pair.playing()
    pair.clock.advance(60)
    pair.origin.restart()
    pair.reconciliation = pair.new_reconciliation()

    assert await pair.reconcile() == Findings(restarted=1)
    pair.reconciliation = pair.new_reconciliation()
    assert await pair.reconcile() == Findings()


async def test_a_clock_of_its_own_makes_no_restart(pair: World) -> None:
    pair.origin.booted = pair.clock.now() - timedelta(days=9)
    await pair.playing()
    assert await pair.reconcile() == Findings()


async def test_without_statistics_everything_else_is_compared(pair: World) -> None:
    await pair.playing()
    pair.origin.booted = None
    pair.origin.wipe()
    assert await pair.reconcile() == Findings(lost=1)


# -- several origins, one stream --------------------------------------------------------------------------------------


async def test_a_duplicate_on_another_origin_is_removed_there(pair: World) -> None:
    serving = (await pair.playing()).serving
    assert serving is not None
    await pair.origins[1].start(serving, pair.clock.now())

    assert await pair.reconcile() == Findings(orphans=1)
    assert pair.origins[0].names() == [serving.stream]
    assert pair.origins[1].names() == []


async def test_what_is_half_deleted_is_tried_again_in_the_next_pass(pair: World) -> None:
    serving = (await pair.playing()).serving
    assert serving is not None
    await pair.origins[1].start(serving, pair.clock.now())
    pair.origins[1].stuck.add(serving.stream)

    assert await pair.reconcile() == Findings()
    pair.origins[1].stuck.clear()
    assert await pair.reconcile() == Findings(orphans=1)


async def test_an_application_that_an_origin_lacks_is_said_once_and_judged_by_nobody(pair: World) -> None:
    before = await pair.playing()
    lacking = pair.origins[0].held.pop("reels")
    with capture_logs() as lines:
        assert await pair.reconcile() == Findings(misconfigured=1)
        assert await pair.reconcile() == Findings(misconfigured=1)
    assert [line["application"] for line in lines if line["log_level"] == "error"] == ["reels"]
    assert await pair.channel() == before

    pair.origins[0].held["reels"] = lacking
    assert await pair.reconcile() == Findings()
    assert await pair.channel() == before
