"""What probes conclude, without a network."""

import pytest

from streaming_service.domain.hls import MediaPlaylist, MediaSegment
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.domain.probe_rules import (
    Look,
    hole_in,
    is_slow,
    is_stale,
    judge_silence,
    judge_status,
    lacking,
    longest_journey,
    longest_pause,
    looked,
    segment_limit,
    went_back,
)

RUNGS = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900").rungs


def playlist(count: int = 6, *, first: int = 0, seconds: float = 2.0, **changes: object) -> MediaPlaylist:
    segments = tuple(
        MediaSegment(f"https://cdn.test/{number}", seconds, at=1000.0 + number * seconds)
        for number in range(first, first + count)
    )
    facts: dict[str, object] = {"segments": segments, "target": seconds, "sequence": first}
    return MediaPlaylist(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "listed", "verdict"),
    [
        (200, False, None),
        (201, False, ProbeVerdict.HTTP_ERROR),
        (302, False, ProbeVerdict.HTTP_ERROR),
        (401, False, ProbeVerdict.SIGNATURE_REJECTED),
        (403, True, ProbeVerdict.SIGNATURE_REJECTED),
        (404, False, ProbeVerdict.HTTP_ERROR),
        (404, True, ProbeVerdict.GAP),
        (410, True, ProbeVerdict.GAP),
        (503, True, ProbeVerdict.HTTP_ERROR),
    ],
)
def test_a_status_says(status: int, listed: bool, verdict: ProbeVerdict | None) -> None:
    assert judge_status(status, listed=listed) is verdict


def test_no_whole_answer_is_slow_only_when_it_had_begun_and_time_was_up() -> None:
    assert judge_silence(None, 3.0, 3.0) is ProbeVerdict.UNREACHABLE
    assert judge_silence(200, 3.0, 3.0) is ProbeVerdict.SLOW
    assert judge_silence(200, 0.1, 3.0) is ProbeVerdict.UNREACHABLE, "cut off"


def test_promised_rungs_are_looked_for_by_the_short_side() -> None:
    assert lacking(RUNGS, [(1280, 720), (856, 480), (640, 360)]) == []
    assert lacking(RUNGS, [(720, 1280), (480, 856), (360, 640)]) == []
    assert lacking(RUNGS, [(1280, 720), (640, 360)]) == ["480p"]
    assert lacking(RUNGS, [(0, 0)]) == ["720p", "480p", "360p"]


def test_a_player_begins_a_live_playlist_three_target_durations_before_its_end() -> None:
    assert playlist(6).first_played.url.endswith("/3")
    assert playlist(2).first_played.url.endswith("/0")
    assert playlist(6, ended=True).first_played.url.endswith("/0")


def test_a_hole_is_told() -> None:
    whole = playlist()
    assert hole_in(whole) == ""
    with_hole = playlist(segments=(*whole.segments[:2], *whole.segments[4:]))
    assert hole_in(with_hole) == "4.0 s are missing in the playlist"


def test_what_says_that_it_does_not_go_on_has_no_hole() -> None:
    first, second = MediaSegment("a", 2.0, at=0.0), MediaSegment("b", 2.0, at=100.0, cut=True)
    assert hole_in(playlist(segments=(first, second))) == ""


def test_a_gap_counts_where_a_player_begins() -> None:
    segments = playlist().segments
    missing = MediaSegment(segments[3].url, 2.0, gap=True)
    assert "missing" in hole_in(playlist(segments=(*segments[:3], missing, *segments[4:])))
    assert hole_in(playlist(segments=(MediaSegment("a", 2.0, gap=True), *segments[1:]))) == ""


def test_stale_takes_two_looks() -> None:
    still = playlist()
    first = looked(None, still, 100.0)
    assert not is_stale(first, still, 1.0, 100.0)
    second = looked(first, still, 104.9)
    assert second == first
    assert longest_pause(still, 1.0) == 5.0
    assert not is_stale(second, still, 1.0, 105.0)
    assert is_stale(second, still, 1.0, 105.1)


def test_what_advances_is_not_stale() -> None:
    first = looked(None, playlist(), 100.0)
    further = playlist(first=1)
    assert not is_stale(looked(first, further, 500.0), further, 1.0, 500.0)
    begun = playlist(begun=0.5)
    assert looked(first, begun, 500.0).since == 500.0


def test_what_has_ended_is_never_stale() -> None:
    ended = playlist(ended=True)
    assert not is_stale(Look(ended.head, 0.0), ended, 0.0, 1e9)


def test_a_cache_that_is_a_little_behind_did_not_begin_anew() -> None:
    look = looked(None, playlist(first=10), 100.0)
    behind = playlist(first=8)
    assert not went_back(look, behind)
    assert looked(look, behind, 101.0) == look
    anew = playlist(first=0)
    assert went_back(look, anew)
    assert looked(look, anew, 102.0) == Look(anew.head, 102.0)


def test_a_segment_may_take_as_long_as_it_plays_whatever_a_playlist_says() -> None:
    assert segment_limit(3.0, 6.0) == 6.0
    assert segment_limit(3.0, 1.0) == 3.0
    assert segment_limit(3.0, 1e9) == 10.0
    assert longest_journey(3.0, patient=False) > 3.0 + 3.0 + 10.0 + 10.0
    assert longest_journey(3.0, patient=True) > longest_journey(3.0, patient=False) + 15.0


def test_slow_is_to_wait_for_playlists_or_to_play_faster_than_media_come() -> None:
    assert not is_slow(3.0, 3.0, 2.0, 2.0)
    assert is_slow(3.1, 3.0, 0.1, 2.0)
    assert is_slow(0.1, 3.0, 2.1, 2.0)
    assert not is_slow(0.1, 3.0, 0.9, 0.4)
