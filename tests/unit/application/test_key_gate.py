"""Who is let in to push, and what the history tells of it."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.domain.history import Change, change
from streaming_service.domain.ingest import publisher_of
from streaming_service.domain.ingest_key import make_key
from streaming_service.domain.publisher import Publisher
from streaming_service.errors import StoreUnavailable
from tests.fakes import NOW
from tests.unit.application.studio import GRACE, Studio, live, stream
from tests.unit.application.world import CAUSE, content_id

pytestmark = pytest.mark.anyio


@pytest.fixture
def studio() -> Studio:
    return Studio()


async def test_a_key_lets_in_as_the_ingest_stream(studio: Studio) -> None:
    key = (await studio.registered()).key
    verdict = await studio.knocks(key)
    assert (verdict.allowed, verdict.reason, verdict.lifetime_ms) == (True, None, None)
    assert verdict.new_url == f"rtmp://ome:1935/reels/{stream()}"


@pytest.mark.parametrize(
    ("url", "new_url"),
    [
        ("rtmp://h/reels/{}?a=b%20c", "rtmp://h/reels/{}?a=b%20c"),
        ("srt://default/reels/{}", "srt://default/reels/{}"),
        ("srt://h:9999?streamid=default%2Freels%2F{}", "srt://default/reels/{}"),
        ("https://h:3334/reels/{}?direction=whip", "https://h:3334/reels/{}?direction=whip"),
    ],
)
async def test_over_every_protocol(studio: Studio, url: str, new_url: str) -> None:
    key = (await studio.registered()).key
    assert (await studio.knocks(key, url=url)).new_url == new_url.format(stream())


async def test_what_is_no_key_never_reaches_the_store(studio: Studio) -> None:
    await studio.registered()
    reads = studio.store.reads
    for name in ("", "live", stream(), content_id(1)):
        assert (await studio.knocks(name or "-")).reason == "the stream name is no stream key"
    assert studio.store.reads == reads


async def test_another_secret_another_content_and_another_application_are_refused(studio: Studio) -> None:
    key = (await studio.registered()).key
    assert (await studio.knocks(make_key(content_id(1), bytes(24)))).reason == "the stream key is not valid (any more)"
    assert (await studio.knocks(make_key(content_id(9), bytes(24)))).allowed is False
    refused = await studio.knocks(key, url="rtmp://ome/series/{}")
    assert (refused.allowed, refused.reason) == (False, "the stream key is for application reels")


async def test_an_uploaded_content_takes_nobody_until_it_is_live(studio: Studio) -> None:
    await studio.world.playing(2)
    key = (await studio.rotate(2)).key
    assert (await studio.knocks(key)).reason == "the content is not live"
    assert (await studio.ingest.register(live(2), None, CAUSE)).first is None, "it has a key"
    assert (await studio.knocks(key)).allowed is True


async def test_a_retired_content_takes_nobody(studio: Studio) -> None:
    key = (await studio.registered()).key
    await studio.world.operations.retire(content_id(1), CAUSE)
    await studio.directory.refresh()
    refused = await studio.knocks(key)
    assert (refused.allowed, refused.reason) == (False, "the content is retired")


# -- rotation ---------------------------------------------------------------------------------------------------------


async def test_after_a_rotation_both_keys_are_good_for_the_grace(studio: Studio) -> None:
    old = (await studio.registered()).key
    new = (await studio.rotate()).key
    studio.clock.advance(100)
    assert (await studio.knocks(new)).lifetime_ms is None
    assert (await studio.knocks(old)).lifetime_ms == (GRACE - 100) * 1000
    studio.clock.advance(GRACE - 100)
    assert (await studio.knocks(old)).allowed is False
    assert (await studio.knocks(new)).allowed is True


async def test_the_last_instant_of_a_grace_is_not_for_ever(studio: Studio) -> None:
    old = (await studio.registered()).key
    await studio.rotate()
    studio.clock.moment += timedelta(seconds=GRACE) - timedelta(microseconds=1)
    assert (await studio.knocks(old)).lifetime_ms == 1, "0 would be for ever"


async def test_what_another_process_rotated_just_now_counts_at_once(studio: Studio) -> None:
    old = (await studio.registered()).key
    new = (await studio.rotate()).key
    assert (await studio.knocks(new)).lifetime_ms is None
    assert (await studio.knocks(old)).lifetime_ms == GRACE * 1000


async def test_while_the_store_is_down_known_keys_are_good(studio: Studio) -> None:
    first = (await studio.registered()).key
    studio.store.down = StoreUnavailable("down")
    assert (await studio.knocks(first)).allowed is True
    unknown = make_key(content_id(1), bytes(24))
    assert (await studio.knocks(unknown)).allowed is False
    assert (await studio.knocks(first)).allowed is True
    await studio.publishers.settled(1)


async def test_a_live_content_that_is_not_placed_yet_is_looked_up(studio: Studio) -> None:
    studio.world.fleet.down.add("default")
    made = await studio.ingest.register(live(3), None, CAUSE)
    assert made.first
    assert (await studio.knocks(made.first.key)).allowed is True


# -- who is there -----------------------------------------------------------------------------------------------------


async def test_each_coming_and_going_is_one_line(studio: Studio) -> None:
    key = (await studio.registered()).key
    await studio.knocks(key)
    assert await studio.actions() == ["connected"]
    await studio.knocks(key)
    for _ in range(2):  # as OME says after a kick
        studio.leaves(key, new_url=f"rtmp://ome:1935/reels/{stream()}")
    assert await studio.actions() == ["connected", "disconnected"]
    (entry, *_) = await studio.store.history(content_id(1), 1)
    assert entry.reason == "publisher left: 192.0.2.7:1"
    assert content_id(1) in studio.changed


async def test_who_pushes_is_known(studio: Studio) -> None:
    key = (await studio.registered()).key
    await studio.knocks(key, port=5)
    await studio.actions()
    now = studio.clock.now()
    assert publisher_of(await studio.channel(), now) == Publisher("192.0.2.7", 5, "rtmp", now)


async def test_goodbyes_of_the_refused_and_the_unknown_leave_no_trace(studio: Studio) -> None:
    key = (await studio.registered()).key
    await studio.knocks(key, port=1)
    studio.leaves(key, port=2)
    studio.leaves("live")
    studio.leaves(make_key(content_id(9), bytes(24)))
    assert await studio.actions() == ["connected"]


async def test_a_goodbye_that_names_only_the_ingest_stream(studio: Studio) -> None:
    key = (await studio.registered()).key
    await studio.knocks(key)
    studio.leaves("?", new_url=f"rtmp://ome:1935/reels/{stream()}")
    assert await studio.actions() == ["connected", "disconnected"]


async def test_a_store_that_fails_costs_a_line_and_nothing_else(studio: Studio) -> None:
    key = (await studio.registered()).key
    studio.store.down = StoreUnavailable("down")
    assert (await studio.knocks(key)).allowed is True
    await studio.publishers.settled(1)
    studio.store.down = None
    studio.leaves(key)
    assert await studio.actions() == []


async def test_whoever_loses_a_race_writes_again(studio: Studio) -> None:
    key = (await studio.registered()).key

    async def meddle(_: Change) -> None:
        current = await studio.channel()
        touched = replace(current, updated_at=NOW)
        await studio.store.commit(change(touched, "test", CAUSE), None)

    studio.store.before_commit = meddle
    await studio.knocks(key)
    assert await studio.actions() == ["connected"]


async def test_encoders_do_not_fill_the_memory_while_the_store_hangs(studio: Studio) -> None:
    key = (await studio.registered()).key
    for port in range(1100):
        await studio.knocks(key, port=port)
        if port == 0:
            await asyncio.sleep(0)
    assert len(studio.publishers._pending) <= 1000
    await studio.publishers.settled(30)
