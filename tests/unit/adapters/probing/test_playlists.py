"""Playlists of renditions, as OME writes them and as nobody should."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.http import Response
from streaming_service.adapters.probing.playlists import max_age, parse_media
from streaming_service.domain.probe_rules import hole_in

URL = "https://cdn.test/reels/ss-1/chunklist_0_video_K_llhls.m3u8?Expires=1"
# As OME 0.21 answers, but for names and times.
LIVE = """#EXTM3U
#EXT-X-VERSION:10
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.560000
#EXT-X-PART-INF:PART-TARGET=0.520000
#EXT-X-MEDIA-SEQUENCE:4
#EXT-X-MAP:URI="init_0_video_K_llhls.m4s"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:01.000+00:00
#EXT-X-PART:DURATION=0.520000,URI="part_0_4_0.m4s",INDEPENDENT=YES
#EXTINF:2.000000,
seg_0_4_video_K_llhls.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:03.000+00:00
#EXTINF:2.000000,
seg_0_5_video_K_llhls.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:05.000+00:00
#EXT-X-PART:DURATION=0.520000,URI="part_0_6_0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.480000,URI="part_0_6_1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_0_6_2.m4s"
"""


def test_a_live_playlist_with_a_segment_that_is_still_written() -> None:
    playlist = parse_media(LIVE, URL)
    assert playlist
    assert [segment.url.rpartition("/")[2] for segment in playlist.segments] == [
        "seg_0_4_video_K_llhls.m4s",
        "seg_0_5_video_K_llhls.m4s",
    ]
    first = playlist.segments[0]
    assert (first.init, first.seconds) == ("https://cdn.test/reels/ss-1/init_0_video_K_llhls.m4s", 2.0)
    assert first.at == datetime(2026, 11, 22, 14, 16, 1, tzinfo=UTC).timestamp()
    assert (playlist.head, playlist.target, playlist.ended) == ((6, 1.0), 2.0, False)
    assert hole_in(playlist) == ""


def test_what_ended_gapped_and_was_cut() -> None:
    text = LIVE.replace("#EXTINF", "#EXT-X-DISCONTINUITY\n#EXT-X-GAP\n#EXTINF") + "#EXT-X-ENDLIST\n"
    playlist = parse_media(text, URL)
    assert playlist
    assert playlist.ended
    assert all(segment.gap and segment.cut for segment in playlist.segments)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "#EXTM3U\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nchunk.m3u8\n",
        "#EXTM3U\n#EXTINF:nan,\nseg.m4s\n",
        "#EXTM3U\n#EXTINF:-2,\nseg.m4s\n",
        "#EXTM3U\n#EXTINF:two,\nseg.m4s\n",
        "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:01Z\n#EXTINF:1e300,\nseg.m4s\n",
        '#EXTM3U\n#EXT-X-PART:DURATION=0.5,URI="part.m4s"\n',
        "#EXTM3U\n#EXTINF:2,\nhttp://[x/seg.m4s\n",
    ],
)
def test_what_is_none(text: str) -> None:
    assert parse_media(text, URL) is None


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01"])
def test_dates_at_the_end_of_time(date: str) -> None:
    text = f"#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:2,\nseg.m4s\n"
    playlist = parse_media(text, URL)
    assert playlist is None or playlist.segments[0].at is not None


def test_a_playlist_that_says_little() -> None:
    playlist = parse_media("#EXTM3U\n#EXTINF:3.5,\nseg.m4s\n", URL)
    assert playlist
    assert (playlist.target, playlist.head, playlist.segments[0].init) == (3.5, (1, 0.0), None)


@given(st.lists(st.sampled_from(LIVE.splitlines()) | st.text(max_size=40)), st.booleans())
def test_nothing_that_anybody_writes_is_an_error(lines: list[str], whole: bool) -> None:
    playlist = parse_media("#EXTM3U\n" + "\n".join(lines if whole else [*LIVE.splitlines(), *lines]), URL)
    if playlist:
        assert playlist.first_played in playlist.segments
        hole_in(playlist)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("max-age=5", 5.0),
        ("public, max-age=60, s-maxage=10", 10.0),
        ("max-age=99999", 60.0),
        ("max-age=-1", 0.0),
        ("max-age=soon", 0.0),
    ],
)
def test_how_long_a_cache_may_keep_it(header: str, seconds: float) -> None:
    assert max_age(Response(200, {"cache-control": header}, b"")) == seconds
