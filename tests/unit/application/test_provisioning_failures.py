"""What can get in the way between an upload and a stream that plays."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.domain.history import Change
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Phase, Status
from streaming_service.errors import Conflict, StoreUnavailable, UpstreamRejected, UpstreamUnavailable
from tests.fakes import GOOD_FILE, NOW, unreachable
from tests.unit.application.world import CAUSE, World, request

pytestmark = pytest.mark.anyio
SOURCE = "gs://uploads/1/sum-1.mp4"


async def test_an_unreachable_ome_costs_no_retries_and_is_waited_for(world: World) -> None:
    world.origin.down = unreachable()
    await world.accept()
    await world.settle(within=300)
    waiting = await world.channel()
    assert (waiting.status, waiting.retries, waiting.incarnation) == (Status.PROVISIONING, 0, 1)

    world.origin.down = None
    await world.settle(within=60)

    assert (await world.channel()).status is Status.READY


async def test_an_outage_during_the_watch_does_not_count_against_the_stream(world: World) -> None:
    world.origin.warm_up = 5.0
    await world.accept()
    await world.converge_until(Phase.CREATED)
    world.origin.down = unreachable()
    await world.settle(within=5 * world.policy.playable_timeout)
    world.origin.down = None
    world.origin.restart()
    await world.settle(within=60)
    channel = await world.channel()

    assert (channel.status, channel.retries, channel.incarnation) == (Status.READY, 0, 1)


async def test_the_pause_is_the_one_that_was_asked_for(world: World) -> None:
    world.origin.down = unreachable(retry_after=17.0)
    await world.accept()
    result = await world.provisioning.converge(await world.channel(), CAUSE, may_place=True)

    assert result.due_at == world.clock.now() + timedelta(seconds=17)


async def test_an_application_that_is_missing_fails_for_good_and_says_what_to_do(world: World) -> None:
    del world.origin.held["reels"]
    await world.accept()
    channel = await world.converge()

    assert channel.status is Status.FAILED
    assert channel.failure is not None
    assert channel.failure.code == "ome_rejected"
    assert "'reels' does not exist" in channel.failure.detail
    assert channel.retry_at == world.clock.now() + timedelta(seconds=world.policy.window)
    assert {item.endpoint for item in world.owed("stream.provisioning.failed")} == {
        Endpoint.OBSERVABILITY,
        Endpoint.BIGQUERY,
    }


async def test_what_failed_is_taken_up_again_after_the_window(world: World) -> None:
    held = world.origin.held.pop("reels")
    await world.accept()
    await world.settle(within=60)
    world.origin.held["reels"] = held
    await world.settle(within=world.policy.window + 60)

    assert (await world.channel()).status is Status.READY


async def test_a_stream_that_does_not_play_is_started_again_under_a_new_name_until_it_fails(world: World) -> None:
    world.origin.broken.add("uploads/1/sum-1.mp4")
    await world.accept()
    await world.settle(within=900)
    channel = await world.channel()

    assert [name.rpartition("-")[2] for name in world.origin.starts] == ["1", "2", "3"]
    assert (channel.status, channel.retries) == (Status.FAILED, world.policy.max_retries)
    assert channel.failure is not None
    assert channel.failure.code == "not_playable"
    assert world.origin.names() == []
    assert len(world.owed("stream.provisioning.failed")) == 2


async def test_retries_are_told_when_it_plays_in_the_end(world: World) -> None:
    world.origin.broken.add("uploads/1/sum-1.mp4")
    await world.accept()
    await world.converge()
    world.origin.broken.clear()
    await world.settle(within=60)

    assert (await world.channel()).retries == 1
    assert {item.facts["retries"] for item in world.owed("stream.provisioned")} == {1}


async def test_pauses_between_starts_grow(world: World) -> None:
    world.media.missing.add(SOURCE)
    await world.accept()
    pauses: list[float] = []
    for _ in range(2):
        channel = await world.converge()
        assert channel.retry_at is not None
        pauses.append((channel.retry_at - world.clock.now()).total_seconds())
        world.clock.advance(pauses[-1])

    assert pauses == [1.0, 2.0]


async def test_a_missing_source_is_retried_and_then_said(world: World) -> None:
    world.media.missing.add(SOURCE)
    await world.accept()
    await world.settle(within=60)
    channel = await world.channel()
    assert (channel.status, channel.incarnation) == (Status.FAILED, 0)
    assert channel.failure is not None
    assert (channel.failure.code, channel.failure.detail) == ("source_missing", f"{SOURCE} is not there")

    world.media.missing.clear()
    await world.settle(within=world.policy.window + 60)
    assert (await world.channel()).status is Status.READY


async def test_a_source_without_video_fails_at_once(world: World) -> None:
    world.media.facts[SOURCE] = replace(GOOD_FILE, video=False)
    await world.accept()
    channel = await world.converge()

    assert channel.failure is not None
    assert (channel.status, channel.failure.code) == (Status.FAILED, "source_without_video")


async def test_a_source_that_we_may_not_read_is_not_blamed_on_ome(world: World) -> None:
    world.media.error = UpstreamRejected("storage", "we may not read it", status=403)
    await world.accept()
    channel = await world.converge()

    assert channel.failure is not None
    assert (channel.status, channel.failure.code) == (Status.FAILED, "storage_rejected")


async def test_storage_that_does_not_answer_is_waited_for(world: World) -> None:
    world.media.error = UpstreamUnavailable("storage", "does not answer")
    await world.accept()
    channel = await world.converge()

    assert (channel.status, channel.retries) == (Status.PROVISIONING, 0)


async def test_ome_is_asked_for_the_audio_that_the_source_has(world: World) -> None:
    world.origin.silent.add("uploads/1/sum-1.mp4")
    world.media.facts[SOURCE] = replace(GOOD_FILE, audio=False)
    channel = await world.playing()

    assert channel.serving is not None
    assert not channel.serving.audio
    assert channel.incarnation == 1


async def test_a_stream_that_starves_of_audio_is_started_again_without(world: World) -> None:
    world.origin.silent.add("uploads/1/sum-1.mp4")
    world.media.facts[SOURCE] = None
    channel = await world.playing()

    assert channel.serving is not None
    assert not channel.serving.audio
    assert channel.incarnation == 2


async def test_a_stream_that_stays_on_ome_does_not_block_the_next_upload(world: World) -> None:
    world.origin.broken.add("uploads/1/sum-1.mp4")
    await world.accept()
    await world.converge_until(Phase.CREATED)
    world.origin.stuck.update(world.origin.names())
    await world.converge()
    await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
    await world.settle(within=30)
    channel = await world.channel()

    assert channel.serving is not None
    assert channel.serving.checksum == "sum-2"
    assert [item.placement.checksum for item in channel.draining] == ["sum-1"]


async def test_an_origin_that_left_the_fleet_during_the_build_is_replaced(world: World) -> None:
    world.origin.down = unreachable()
    await world.accept()
    await world.converge()
    world.origin.name = world.fleet.preferred = "other"
    world.fleet.origins = {"other": world.origin}
    world.origin.down = None
    await world.settle(within=60)
    channel = await world.channel()

    assert channel.serving is not None
    assert (channel.serving.origin, channel.incarnation, channel.draining) == ("other", 2, ())


async def test_losing_a_race_while_failing_decides_again(world: World) -> None:
    del world.origin.held["reels"]
    await world.accept()
    await world.converge_until(Phase.PLACED)

    async def retired_meanwhile(change: Change) -> None:
        await world.operations.retire(change.channel.content_id, CAUSE)

    world.store.before_commit = retired_meanwhile
    channel = await world.converge()

    assert channel.status is Status.RETIRED


async def test_a_store_that_is_down_is_the_only_thing_that_is_raised(world: World) -> None:
    await world.accept()
    channel = await world.channel()
    world.store.down = StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        await world.provisioning.converge(channel, CAUSE, may_place=True)


async def test_a_stale_copy_is_read_again(world: World) -> None:
    await world.accept()
    stale = await world.channel()
    await world.settle()

    result = await world.provisioning.converge(stale, CAUSE, may_place=True)

    assert result.channel == await world.channel()
    assert len(world.origin.starts) == 1


async def test_a_conflict_over_a_record_that_vanished_is_raised(world: World) -> None:
    await world.accept()
    channel = await world.channel()
    world.store._records.clear()

    with pytest.raises(Conflict):
        await world.provisioning.converge(channel, CAUSE, may_place=True)
