"""How live contents begin, and how their keys are rotated."""

from datetime import timedelta
from typing import Any

import pytest

from streaming_service.domain.history import Change, change
from streaming_service.domain.ingest_key import digest
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Status
from streaming_service.errors import InvalidInput, NotFound, UpstreamRejected, UpstreamUnavailable
from tests.unit.application.studio import GRACE, SLATE, Studio, live, stream
from tests.unit.application.world import CAUSE, content_id, request

pytestmark = pytest.mark.anyio


@pytest.fixture
def studio() -> Studio:
    return Studio()


# -- registration -----------------------------------------------------------------------------------------------------


async def test_a_live_content_plays_its_slate_and_has_a_key(studio: Studio) -> None:
    made = await studio.registered(contentType="series")
    channel = await studio.channel()
    assert (channel.status, channel.spec.live, channel.spec.source_uri) == (Status.READY, True, SLATE)
    assert channel.serving
    assert (channel.serving.live, channel.serving.ingest_stream) == (True, stream())
    assert [key.digest for key in channel.ingest] == [digest(made.key)]
    assert made.addresses.rtmp == "rtmp://ome:1935/series"
    assert made.previous_key_valid_until is None
    assert made.key not in repr(made)


async def test_a_repeat_neither_shows_nor_changes_the_key(studio: Studio) -> None:
    await studio.registered()
    before = (await studio.channel()).ingest
    again = await studio.ingest.register(live(), None, CAUSE)
    assert (again.first, again.channel.ingest) == (None, before)


async def test_a_registration_that_was_cut_off_before_its_key_makes_it_when_repeated(studio: Studio) -> None:
    await studio.world.intake.register(live(), None, CAUSE)
    again = await studio.ingest.register(live(), None, CAUSE)
    assert again.first
    assert len((await studio.channel()).ingest) == 1


async def test_two_at_once_make_one_key(studio: Studio) -> None:
    async def meddle(_: Change) -> None:
        await studio.ingest.first(content_id(1), CAUSE)

    await studio.world.intake.register(live(), None, CAUSE)
    studio.store.before_commit = meddle
    assert (await studio.ingest.register(live(), None, CAUSE)).first is None
    assert len((await studio.channel()).ingest) == 1


async def test_after_a_retirement_it_begins_with_another_key(studio: Studio) -> None:
    first = await studio.registered()
    await studio.world.operations.retire(content_id(1), CAUSE)
    studio.clock.advance(1)
    second = await studio.registered()
    assert second.key != first.key


async def test_the_slate_of_the_installation(studio: Studio) -> None:
    with pytest.raises(InvalidInput) as error:
        await studio.ingest.register(live(slateGcsUri=None), None, CAUSE)
    assert error.value.field == "slateGcsUri"
    generous = Studio(slate="gs://uploads/default.mp4")
    await generous.ingest.register(live(slateGcsUri=None), None, CAUSE)
    assert (await generous.channel()).spec.source_uri == "gs://uploads/default.mp4"
    await generous.ingest.register(live(2), None, CAUSE)
    assert (await generous.channel(2)).spec.source_uri == SLATE


async def test_another_slate_is_another_start_and_the_same_key(studio: Studio) -> None:
    await studio.registered()
    before = await studio.channel()
    studio.clock.advance(1)
    await studio.ingest.register(live(slateGcsUri="gs://uploads/other.mp4"), None, CAUSE)
    await studio.world.settle(within=60)
    after = await studio.channel()
    assert (after.generation, after.incarnation) == (2, 2)
    assert after.ingest == before.ingest


async def test_an_upload_gets_no_key(studio: Studio) -> None:
    body: dict[str, Any] = {
        "contentId": content_id(4),
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/a.mp4",
        "checksum": "c",
        "live": False,
    }
    made = await studio.ingest.register(body, None, CAUSE)
    assert (made.first, made.channel.spec.live, made.channel.ingest) == (None, False, ())


@pytest.mark.parametrize("said", ["yes", 1, None, {}])
async def test_live_is_yes_or_no(studio: Studio, said: object) -> None:
    with pytest.raises(InvalidInput) as error:
        await studio.ingest.register({**live(), "live": said}, None, CAUSE)
    assert error.value.field == "live"


# -- rotation ---------------------------------------------------------------------------------------------------------


async def test_a_rotation_is_told_to_the_analytics_and_purges_the_cdn(studio: Studio) -> None:
    await studio.registered(ingestRegion="us-east1")
    before = len(studio.store.everything_owed())
    made = await studio.rotate()
    owed = studio.store.everything_owed()[before:]
    assert sorted((item.endpoint, item.topic) for item in owed) == [
        (Endpoint.BIGQUERY, "cdn.failover"),
        (Endpoint.BIGQUERY, "cdn.purge"),
        (Endpoint.BIGQUERY, "stream.ingest.rotated"),
        (Endpoint.CDN_CONTROL, "cdn.purge"),
        (Endpoint.OBSERVABILITY, "stream.ingest.rotated"),
    ]
    facts = {(item.endpoint, item.topic): item.facts for item in owed}
    failover = facts[Endpoint.BIGQUERY, "cdn.failover"]
    assert (failover["trigger"], failover["promoted"], failover["ingestRegion"]) == (
        "ingest-rotation",
        False,
        "us-east1",
    )
    serving = (await studio.channel()).serving
    assert serving
    assert facts[Endpoint.CDN_CONTROL, "cdn.purge"]["path"] == f"{serving.path}*"
    assert made.previous_key_valid_until == studio.clock.now() + timedelta(seconds=GRACE)
    assert made.key not in repr(owed)
    assert digest(made.key) not in repr(owed)


async def test_each_rotation_is_owed_anew(studio: Studio) -> None:
    await studio.registered()
    for _ in range(2):
        await studio.rotate()
    owed = [item.id for item in studio.store.everything_owed() if item.topic in {"cdn.failover", "cdn.purge"}]
    assert len(owed) == len(set(owed)) == 6


async def test_before_the_first_start_what_was_fetched_too_early_is_purged(studio: Studio) -> None:
    await studio.world.accept(request(7))
    await studio.rotate(7)
    (path,) = {item.facts["path"] for item in studio.world.owed("cdn.purge")}
    assert path == f"/reels/ss-{content_id(7).replace('-', '')}-1/*"


async def test_the_old_publisher_is_cut_once_the_grace_is_over(studio: Studio) -> None:
    await studio.registered()
    origin = studio.world.origin
    origin.publishers[stream()] = studio.clock.now()
    studio.clock.advance(10)
    await studio.rotate()
    await studio.after(GRACE - 1)
    assert stream() in origin.publishers
    await studio.after(1)
    assert stream() not in origin.publishers
    channel = await studio.channel()
    assert (len(channel.ingest), channel.status) == (1, Status.READY)


async def test_who_came_with_the_new_key_stays(studio: Studio) -> None:
    await studio.registered()
    await studio.rotate()
    studio.clock.advance(1)
    studio.world.origin.publishers[stream()] = studio.clock.now()
    await studio.after(2 * GRACE)
    assert len((await studio.channel()).ingest) == 1
    assert stream() in studio.world.origin.publishers


async def test_of_two_rotations_the_first_cuts_nobody_who_came_with_the_second_key(studio: Studio) -> None:
    await studio.registered()
    await studio.rotate()
    studio.clock.advance(10)
    studio.world.origin.publishers[stream()] = studio.clock.now()
    studio.clock.advance(100)
    await studio.rotate()
    await studio.after(GRACE - 110)
    assert len((await studio.channel()).ingest) == 2, "the first is revoked"
    assert stream() in studio.world.origin.publishers
    await studio.after(110)
    assert stream() not in studio.world.origin.publishers


@pytest.mark.parametrize("trouble", [UpstreamUnavailable("ome", "down"), UpstreamRejected("ome", "no", status=400)])
async def test_a_cut_that_fails_is_tried_again_and_nobody_gets_in_meanwhile(
    studio: Studio, trouble: UpstreamUnavailable | UpstreamRejected
) -> None:
    old = (await studio.registered()).key
    studio.world.origin.publishers[stream()] = studio.clock.now()
    studio.clock.advance(1)
    await studio.rotate()
    studio.clock.advance(GRACE)
    studio.world.origin.down = trouble
    await studio.world.converge()
    channel = await studio.channel()
    assert (len(channel.ingest), channel.status, channel.failure) == (2, Status.READY, None)
    assert (await studio.knocks(old)).allowed is False
    studio.world.origin.down = None
    await studio.world.converge()
    assert len((await studio.channel()).ingest) == 1
    assert stream() not in studio.world.origin.publishers


@pytest.mark.parametrize("ending", ["retired", "uploaded"])
async def test_what_is_no_longer_live_cuts_its_publisher(studio: Studio, ending: str) -> None:
    await studio.registered()
    studio.world.origin.publishers[stream()] = studio.clock.now()
    studio.clock.advance(1)
    if ending == "retired":
        await studio.world.operations.retire(content_id(1), CAUSE)
    else:
        await studio.world.accept(request(1, said_at=studio.clock.now()))
    await studio.world.settle(within=1000)
    assert studio.world.origin.publishers == {}


async def test_rotating_what_is_not_there_or_retired(studio: Studio) -> None:
    with pytest.raises(NotFound):
        await studio.rotate(5)
    await studio.registered()
    await studio.world.operations.retire(content_id(1), CAUSE)
    with pytest.raises(InvalidInput) as error:
        await studio.rotate()
    assert error.value.code == "retired"


async def test_a_rotation_that_loses_a_race_decides_again(studio: Studio) -> None:
    await studio.registered()

    async def meddle(_: Change) -> None:
        current = await studio.channel()
        await studio.store.commit(change(current.replayed(studio.clock.now()), "test", CAUSE), None)

    studio.store.before_commit = meddle
    made = await studio.rotate()
    assert made.channel.announce is True
    assert len(made.channel.ingest) == 2
