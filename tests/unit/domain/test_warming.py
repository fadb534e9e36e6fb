from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.domain.hls import MediaPlaylist, MediaSegment
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.probe import Target
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.warming import (
    WORTH_REPEATING,
    Missed,
    WarmedRegion,
    beginning,
    call_id,
    envelope,
    segments_of,
    signed_errand,
    summary,
    to_be_warmed,
    worth_repeating,
)
from tests.fakes import NOW
from tests.unit.application.world import World

pytestmark = pytest.mark.anyio

OWED = Notification("n-1", Endpoint.CDN_WARMUP, "cdn.warmup", "content-1", NOW, {}, "c-1")
SOME = WarmedRegion("iad", "edge", ("/a", "/b"))
PART = WarmedRegion("sfo", "edge", ("/a",), (Missed("/b", "answers 503", 503),))
NONE = WarmedRegion("ams", "agent", missed=(Missed("*", "the agent does not answer"),))


def playlist(count: int, *, ended: bool = True, init: str | None = "init") -> MediaPlaylist:
    return MediaPlaylist(tuple(MediaSegment(f"s{n}", 2.0, init) for n in range(count)), 2.0, ended=ended)


def test_the_beginning_is_what_a_player_fetches_first() -> None:
    assert beginning(playlist(9), 2) == ("init", "s0", "s1")
    assert beginning(playlist(1), 5) == ("init", "s0")
    assert beginning(playlist(9), 0) == ()
    assert beginning(playlist(9, init=None), 1) == ("s0",)


def test_of_a_window_that_moves_it_is_three_target_durations_before_the_end() -> None:
    assert beginning(playlist(9, ended=False), 2) == ("init", "s6", "s7")


def test_what_a_playlist_says_is_missing_is_not_fetched() -> None:
    found = playlist(3)
    gap = replace(found, segments=(replace(found.segments[0], gap=True), *found.segments[1:]))
    assert beginning(gap, 2) == ("init", "s1")


async def test_only_what_is_served_now_is_warmed() -> None:
    world = World()
    channel = await world.playing()
    assert channel.serving is not None
    path = f"{channel.serving.path}master.m3u8"

    assert to_be_warmed(channel, path, "master") is channel.serving
    assert to_be_warmed(channel, None, "master") is channel.serving
    assert to_be_warmed(channel, "/reels/other/master.m3u8", "master") == "it was replaced meanwhile"
    assert to_be_warmed(replace(channel, serving=None), path, "master") == "nothing is served"
    assert to_be_warmed(channel.retired(NOW), path, "master") == "it is retired"
    assert to_be_warmed(None, path, "master") == "it is retired"


async def test_of_what_is_live_only_the_playlists_are() -> None:
    channel = await World().playing()
    assert segments_of(channel, 2) == 2
    assert segments_of(replace(channel, spec=replace(channel.spec, live=True)), 2) == 0


def test_an_errand_bears_the_grant() -> None:
    signer = CloudCdnSigner(Keyring(SigningKey("primary", bytes(16))))
    grant = signer.sign("https://cdn.example/reels/s-1/", 1_700_000_000)
    errand = signed_errand(grant, "master.m3u8", Target.PRIMARY, segments=2, timeout=1.0, seconds=9.0)

    assert errand.url.startswith("https://cdn.example/reels/s-1/master.m3u8?")
    assert errand.grant in errand.url
    assert "Signature=" in errand.grant


@pytest.mark.parametrize(
    ("results", "age", "again"),
    [
        ([SOME, PART], timedelta(0), False),
        ([SOME, NONE], timedelta(0), True),
        ([SOME, NONE], WORTH_REPEATING, False),
        ([NONE, NONE], WORTH_REPEATING, True),
        ([], timedelta(0), False),
    ],
)
def test_a_region_that_got_nothing_is_worth_another_try_while_it_matters(
    results: list[WarmedRegion], age: timedelta, again: bool
) -> None:
    assert worth_repeating(results, NOW, NOW + age) is again


def test_the_analytics_are_told_what_was_warmed_and_what_was_not() -> None:
    (told,) = envelope(OWED, "/reels/s-1/master.m3u8", Target.PRIMARY, [SOME, PART, NONE], NOW, {Endpoint.BIGQUERY})

    assert (told.topic, told.content_id, told.correlation_id) == ("cdn.warmup", "content-1", "c-1")
    assert (told.facts["warmed"], told.facts["failed"]) == (3, 2)
    assert told.facts["regions"][1] == {
        "region": "sfo",
        "way": "edge",
        "warmed": ["/a"],
        "failed": [{"path": "/b", "reason": "answers 503", "statusCode": 503}],
    }
    later = envelope(OWED, "/x", Target.PRIMARY, [SOME], NOW + timedelta(seconds=5), {Endpoint.BIGQUERY})
    assert later[0].id != told.id, "each action is told"
    assert envelope(OWED, "/x", Target.PRIMARY, [SOME], NOW, {Endpoint.AUDIT}) == ()


def test_the_log_says_who_got_how_much() -> None:
    assert summary([SOME, PART]) == "edge iad: 2 warmed; edge sfo: 1 warmed, 1 missed: answers 503"
    assert summary([WarmedRegion(None, "cdn-control", ("/a",))]) == "cdn-control: 1 warmed"


def test_a_call_has_one_name_however_often_it_is_made() -> None:
    assert call_id(OWED, "iad", "/a") == call_id(OWED, "iad", "/a")
    assert len({call_id(OWED, region, path) for region in (None, "iad", "sfo") for path in ("/a", "/b")}) == 6
