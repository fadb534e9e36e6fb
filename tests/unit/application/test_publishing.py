"""From a recording on OME to a VOD copy that viewers are sent to."""

from datetime import timedelta

import pytest

from streaming_service.application.ports import MediaFacts
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.state import Phase, Status
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable
from tests.fakes import NOW
from tests.unit.application.world import CAUSE, World, request

pytestmark = pytest.mark.anyio

STREAM = "ss-00000000000040008000000000000001-1"
COPY = f"vod/reels/{STREAM}/"
SECOND = f"vod/reels/{STREAM[:-1]}2/"


@pytest.fixture
def world() -> World:
    return World(publishing=True)


async def recording(world: World) -> Channel:
    """A reel that plays from OME and whose copy is being made."""
    await world.accept()
    await world.settle(within=3)
    channel = await world.channel()
    assert (channel.status, channel.phase) == (Status.READY, Phase.PLAYABLE)
    return channel


async def published(world: World, number: int = 1) -> Channel:
    await world.accept(request(number))
    await world.settle(within=20)
    channel = await world.channel(number)
    assert (channel.status, channel.phase) == (Status.READY, Phase.PUBLISHED)
    return channel


def paths(world: World) -> list[str]:
    """What the catalog was told to send viewers to, in order."""
    told = [item for item in world.owed("stream.provisioned") if item.endpoint == "content-callback"]
    return [item.facts["manifestPath"] for item in told]


async def test_a_reel_plays_from_ome_and_then_from_its_copy(world: World) -> None:
    await recording(world)
    assert paths(world) == [f"/reels/{STREAM}/master.m3u8"]
    await world.settle(within=20)
    channel = await world.channel()

    assert channel.phase is Phase.PUBLISHED
    assert channel.serving is not None
    assert channel.serving.path == f"/{COPY}"
    assert paths(world) == [f"/reels/{STREAM}/master.m3u8", f"/{COPY}master.m3u8"]
    assert world.origin.concluded == {STREAM}


async def test_ome_is_released_when_those_who_watch_have_seen_the_end(world: World) -> None:
    channel = await published(world)
    assert world.origin.names() == [STREAM]
    assert [item.not_before for item in channel.draining] == [channel.phase_at + timedelta(seconds=30)]

    await world.settle()
    assert world.origin.names() == []
    assert world.bucket.copies() == {COPY}
    assert await world.store.seats() == {}


async def test_a_series_is_ready_when_its_copy_is_published(world: World) -> None:
    wish = request(classification=Classification.SERIES, protocol=Protocol.HLS, said_protocol=True)
    await world.accept(wish)
    await world.settle(within=3)
    channel = await world.channel()
    assert (channel.status, channel.phase, channel.serving) == (Status.PROVISIONING, Phase.PLAYABLE, None)
    assert paths(world) == []
    assert world.meter.counts["provisioned playable"] == 1
    assert world.meter.seconds == [pytest.approx(1.0, abs=0.6)], "until it plays, not until its copy is there"

    await world.settle(within=20)
    channel = await world.channel()
    assert (channel.status, channel.phase) == (Status.READY, Phase.PUBLISHED)
    assert world.meter.seconds[1:] == [None]
    assert [path.startswith("/vod/series/") for path in paths(world)] == [True]
    assert world.meter.counts["provisioned ready"] == 1


async def test_new_media_is_published_under_a_name_of_its_own(world: World) -> None:
    await published(world)
    await world.accept(request(checksum="sum-2", said_at=world.clock.now()))
    await world.settle(within=3)
    assert world.bucket.copies() >= {COPY}, "viewers may still hold URLs of it"

    await world.settle()
    assert world.bucket.copies() == {SECOND}
    assert world.origin.names() == []


async def test_a_recording_is_looked_at_in_between_and_not_all_the_time(world: World) -> None:
    world.media.facts["gs://uploads/1/sum-1.mp4"] = MediaFacts(True, True, 1280, 720, 3600.0)
    await recording(world)
    looks = world.faults.calls.count("ome.recording")
    await world.settle(within=600)

    assert 15 <= world.faults.calls.count("ome.recording") - looks <= 25


async def test_an_ome_that_restarts_spoils_a_recording(world: World) -> None:
    await recording(world)
    world.origin.restart()
    await world.settle(within=40)
    channel = await world.channel()

    assert channel.phase is Phase.PUBLISHED
    assert channel.serving is not None
    assert channel.serving.copy_prefix == SECOND
    assert [entry.reason for entry in await world.store.history(channel.content_id, 50) if entry.action == "retry"] == [
        f"recording_interrupted: default no longer records {STREAM}: was it restarted?"
    ]
    await world.settle()
    assert world.bucket.copies() == {SECOND}, "no half copy stays"


async def test_a_copy_that_lacks_something_is_never_shown(world: World) -> None:
    world.bucket.incomplete.add(COPY)
    await recording(world)
    await world.settle(within=120)

    assert paths(world)[-1] == f"/{SECOND}master.m3u8"
    assert f"/{COPY}master.m3u8" not in paths(world)
    await world.settle()
    assert world.bucket.copies() == {SECOND}


async def test_a_copy_that_never_becomes_whole_fails_for_good(world: World) -> None:
    world.bucket.incomplete |= {f"{COPY[:-2]}{number}/" for number in range(1, 9)}
    await world.accept()
    await world.settle(within=600)
    channel = await world.channel()

    assert (channel.status, channel.serving) == (Status.FAILED, None)
    assert channel.failure is not None
    assert channel.failure.code == "copy_incomplete"
    assert "a segment is missing" in channel.failure.detail
    assert [item.topic for item in world.owed("stream.provisioning.failed")]
    assert world.origin.names() == []
    assert world.bucket.copies() == set()


async def test_a_bucket_that_is_away_costs_nothing_but_time(world: World) -> None:
    await recording(world)
    world.bucket.down = UpstreamUnavailable("storage", "cannot be reached")
    await world.settle(within=120)
    channel = await world.channel()
    assert (channel.status, channel.phase, channel.retries) == (Status.READY, Phase.PLAYABLE, 0)

    world.bucket.down = None
    await world.settle(within=20)
    assert (await world.channel()).phase is Phase.PUBLISHED


async def test_a_bucket_that_refuses_us_is_an_operators_business(world: World) -> None:
    await recording(world)
    world.bucket.down = UpstreamRejected("storage", "may not read vod/: grant storage.objects.list", status=403)
    await world.settle(within=20)
    channel = await world.channel()

    assert channel.failure is not None
    assert channel.failure.code == "storage_rejected"
    assert channel.status is Status.FAILED


async def test_what_has_no_known_length_stays_on_ome(world: World) -> None:
    world.media.facts["gs://uploads/1/sum-1.mp4"] = None
    await world.accept()
    await world.settle()
    channel = await world.channel()

    assert (channel.status, channel.phase) == (Status.READY, Phase.PLAYABLE)
    assert channel.serving is not None
    assert not channel.serving.publish
    assert world.origin.names() == [STREAM]


async def test_a_length_that_the_sender_states_will_do_with_more_tolerance(world: World) -> None:
    world.media.facts["gs://uploads/1/sum-1.mp4"] = None
    await world.accept(request(duration=8.0))
    await world.settle(within=20)
    channel = await world.channel()

    assert channel.phase is Phase.PUBLISHED
    assert channel.serving is not None
    assert channel.serving.tolerance == 1.0


async def test_a_recording_that_begins_too_late_begins_again(world: World) -> None:
    """The process died between the channel's creation and the start of its recording."""
    await world.accept()
    await world.converge_until(Phase.PLACED)
    building = (await world.channel()).building
    assert building is not None
    await world.origin.start(building, world.clock.now())
    world.origin.recorded.clear()
    world.clock.advance(5)
    await world.settle(within=60)
    channel = await world.channel()

    assert channel.phase is Phase.PUBLISHED
    assert channel.incarnation == 2


async def test_retiring_removes_the_copy_at_once(world: World) -> None:
    channel = await published(world)
    await world.operations.retire(channel.content_id, CAUSE)
    await world.settle(within=5)

    assert world.bucket.copies() == set()
    assert world.origin.names() == []


async def test_a_replay_looks_for_the_copy_before_it_tells_anybody(world: World) -> None:
    channel = await published(world)
    await world.operations.replay(channel.content_id, CAUSE)
    await world.settle(within=5)
    assert paths(world).count(f"/{COPY}master.m3u8") == 2

    await world.bucket.remove(COPY)
    await world.operations.replay(channel.content_id, CAUSE)
    await world.settle()
    assert (await world.channel()).incarnation == 2
    assert world.bucket.copies() == {SECOND}


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_anywhere_ends_in_the_same_place(after: bool) -> None:
    calls = 0
    while True:
        world = World(publishing=True)
        await world.accept()
        world.faults.plan(calls, after=after)
        await world.settle()
        if world.faults._left is not None:  # it needed fewer side effects than that
            break
        channel = await world.channel()
        assert (channel.status, channel.phase) == (Status.READY, Phase.PUBLISHED), f"after call {calls}"
        assert channel.serving is not None
        assert world.bucket.copies() == {channel.serving.copy_prefix}, f"after call {calls}"
        assert world.origin.names() == []
        assert len({item.id for item in world.store.everything_owed()}) == len(world.store.everything_owed())
        calls += 1
    assert calls >= 9


async def test_the_catalogue_may_be_larger_than_the_fleet() -> None:
    world = World(publishing=True, capacity=2)
    for number in range(1, 13):
        await world.accept(request(number, said_at=NOW))
    most = 0
    for _ in range(2000):
        if not await world.work():
            due = world.store.due()
            if not due:
                break
            world.clock.advance(max(0.1, (due[0] - world.clock.now()).total_seconds()))
        most = max(most, len(world.origin.names()))

    assert most <= 2
    assert [(await world.channel(number)).phase for number in range(1, 13)] == [Phase.PUBLISHED] * 12
