"""From an accepted upload to a stream that plays, and on through everything that is wished afterwards."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import PlayabilityReport
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.placement import Placement
from streaming_service.domain.state import Phase, Status
from streaming_service.domain.wish import Outcome
from streaming_service.errors import InvalidInput
from tests.fakes import NOW, unreachable
from tests.placements import placed as put
from tests.unit.application.world import CAUSE, World, request

pytestmark = pytest.mark.anyio
SOURCE = "gs://uploads/1/sum-1.mp4"


async def test_an_upload_becomes_playable(world: World) -> None:
    channel = await world.playing()

    assert (channel.status, channel.phase) == (Status.READY, Phase.PLAYABLE)
    assert channel.serving is not None
    assert world.origin.names() == [channel.serving.stream]
    assert channel.serving.stream.startswith("ss-")
    assert channel.serving.stream.endswith("-1")


async def test_what_plays_is_owed_to_every_endpoint_once(world: World) -> None:
    channel = await world.playing()

    owed = world.owed("stream.provisioned")
    assert {item.endpoint for item in owed} == set(Endpoint) - {
        Endpoint.CDN_CONTROL,
        Endpoint.CDN_WARMUP,
        Endpoint.AUDIT,
    }
    assert {item.endpoint for item in world.owed("cdn.warmup")} == {Endpoint.CDN_WARMUP}
    assert channel.serving is not None
    assert {item.facts["manifestPath"] for item in owed} == {f"/reels/{channel.serving.stream}/master.m3u8"}
    assert "delivery" in world.wakes


async def test_nothing_is_owed_before_it_plays(world: World) -> None:
    world.origin.broken.add("uploads/1/sum-1.mp4")
    await world.accept()
    await world.settle(within=30)

    assert world.owed() == []


async def test_every_step_is_written_with_its_reason(world: World) -> None:
    channel = await world.playing()

    history = await world.operations.history(channel.content_id)
    assert [entry.action for entry in reversed(history)] == ["accepted", "placed", "created", "playable"]
    assert all(entry.reason and entry.actor == "test" for entry in history)


async def test_the_name_of_a_start_is_written_before_ome_is_asked(world: World) -> None:
    world.origin.down = unreachable()
    await world.accept()
    channel = await world.converge()

    assert channel.building is not None
    assert channel.phase is Phase.PLACED
    assert world.origin.starts == []


async def test_how_long_an_upload_took_is_measured(world: World) -> None:
    world.origin.warm_up = 3.0
    await world.playing()

    assert world.meter.counts["provisioned ready"] == 1
    assert world.meter.seconds == [pytest.approx(3.0, abs=0.3)]


async def test_a_stream_that_was_made_again_does_not_count_as_a_slow_upload(world: World) -> None:
    await world.playing()
    world.clock.advance(86_400)
    world.origin.wipe()
    await world.reconcile()
    await world.settle()

    assert world.meter.seconds[1:] == [None]


async def test_the_same_upload_again_does_nothing(world: World) -> None:
    before = await world.playing()
    outcome = await world.accept()
    await world.settle()

    assert outcome is Outcome.UNCHANGED
    assert await world.channel() == before


async def test_the_same_said_later_starts_and_announces_nothing(world: World) -> None:
    before = await world.playing()
    await world.accept(request(said_at=NOW + timedelta(hours=1)))
    await world.settle()
    after = await world.channel()

    assert (after.serving, after.generation, after.announcements) == (before.serving, 1, 1)
    assert world.origin.starts == [before.serving.stream if before.serving else ""]


async def test_an_upload_that_the_policy_refuses_leaves_nothing(world: World) -> None:
    wish = request()
    with pytest.raises(InvalidInput):
        await world.accept(replace(wish, source=replace(wish.source, bucket="elsewhere")))

    assert await world.store.get(wish.content_id) is None


async def test_two_uploads_at_once_are_both_taken_in(world: World) -> None:
    async def somebody_is_faster(change: Change) -> None:
        del change
        await world.accept(request(checksum="sum-0", tenant_id="tenant", said_at=NOW - timedelta(seconds=1)))

    world.store.before_commit = somebody_is_faster
    await world.accept()
    channel = await world.channel()

    assert (channel.spec.checksum, channel.spec.tenant_id) == ("sum-1", "tenant")


async def test_new_media_is_swapped_in_without_a_gap(world: World) -> None:
    first = (await world.playing()).serving
    await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
    await world.settle(within=60)
    second = (await world.channel()).serving

    assert first is not None
    assert second is not None
    assert second.checksum == "sum-2"
    assert world.origin.names() == sorted([first.stream, second.stream])

    world.clock.advance(world.policy.drain_after)
    await world.settle()

    assert world.origin.names() == [second.stream]


async def test_the_old_stream_stays_until_its_last_url_has_expired(world: World) -> None:
    await world.playing()
    await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
    await world.settle(within=60)
    swapped_at = world.clock.now()
    await world.settle()

    assert world.clock.now() >= swapped_at + timedelta(seconds=world.policy.drain_after - 60)
    assert len(world.origin.names()) == 1


async def test_a_metadata_change_needs_no_new_start(world: World) -> None:
    before = await world.playing()
    outcome = await world.accept(request(said_at=NOW + timedelta(seconds=1), tenant_id="tenant"))
    await world.settle()
    channel = await world.channel()

    assert outcome is Outcome.REVISED
    assert (channel.generation, channel.serving) == (2, before.serving)


async def test_a_replay_of_what_plays_tells_the_platform_again_and_starts_nothing(world: World) -> None:
    before = await world.playing()
    owed = len(world.owed())
    await world.operations.replay(before.content_id, CAUSE)
    await world.settle()

    assert len(world.owed()) == 2 * owed
    assert len({item.id for item in world.owed()}) == 2 * owed
    assert (await world.channel()).serving == before.serving


async def test_a_replay_of_what_no_longer_plays_makes_it_play_first(world: World) -> None:
    before = await world.playing()
    world.origin.wipe()
    await world.operations.replay(before.content_id, CAUSE)
    await world.settle()
    channel = await world.channel()

    assert channel.incarnation == 2
    assert channel.announcements == 2
    assert len(world.origin.names()) == 1


async def test_a_new_wish_is_noticed_while_an_old_start_is_watched(world: World) -> None:
    world.origin.broken.add("uploads/1/sum-1.mp4")
    await world.accept()
    looks: list[Placement] = []
    look = world.origin.playability

    async def replaced_at_the_third_look(placement: Placement) -> PlayabilityReport:
        looks.append(placement)
        if len(looks) == 3:
            await world.accept(request(checksum="sum-2", said_at=NOW + timedelta(seconds=1)))
        return await look(placement)

    world.origin.playability = replaced_at_the_third_look
    await world.settle(within=30)

    assert [placement.checksum for placement in looks[:4]] == ["sum-1", "sum-1", "sum-1", "sum-2"]
    assert (await world.channel()).retries == 0


async def test_retiring_during_the_build_leaves_nothing_on_ome(world: World) -> None:
    await world.accept()

    async def retired_meanwhile(change: Change) -> None:
        await world.operations.retire(change.channel.content_id, CAUSE)

    await world.store.commit(await _placed_and_started(world), NOW)
    world.store.before_commit = retired_meanwhile
    await world.settle()
    channel = await world.channel()

    assert (channel.status, channel.draining) == (Status.RETIRED, ())
    assert world.origin.names() == []
    assert world.owed("stream.provisioned") == []


async def _placed_and_started(world: World) -> Change:
    from streaming_service.domain.history import change

    channel = await world.channel()
    placed = put(channel, NOW, origin="default", stream=f"ss-{channel.content_id.replace('-', '')}-1")
    assert placed.building is not None
    await world.origin.start(placed.building, NOW)
    return change(replace(placed.started(NOW), version=channel.version), "created", CAUSE)
