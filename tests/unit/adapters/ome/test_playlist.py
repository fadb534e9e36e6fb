"""Playlists read as a player reads them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.ome.playlist import Multivariant, end_of_media, first_media, parse_multivariant
from streaming_service.domain.ladder import Rung, parse_ladder

URL = "http://ome:3333/reels/ss-1/master.m3u8"
LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
MASTER = """#EXTM3U
#EXT-X-VERSION:10
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_audio",NAME="aac_audio",DEFAULT=YES,URI="chunklist_3_audio_K_llhls.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720,CODECS="avc1.42c01f,mp4a.40.2",AUDIO="aac_audio"
chunklist_0_video_K_llhls.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1800000,RESOLUTION=856x480,CODECS="avc1.42c01f,mp4a.40.2",AUDIO="aac_audio"
chunklist_1_video_K_llhls.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1080000,RESOLUTION=640x360,CODECS="avc1.42c01f,mp4a.40.2",AUDIO="aac_audio"
/reels/ss-1/chunklist_2_video_K_llhls.m3u8
"""
CHUNKLIST = """#EXTM3U
#EXT-X-VERSION:10
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MAP:URI="init_0_video_K_llhls.m4s"
#EXTINF:2.0,
seg_0_0_video_K_llhls.m4s
#EXT-X-PART:DURATION=0.5,URI="part_1_0.m4s"
"""
ONLY_PARTS = CHUNKLIST.replace("#EXTINF:2.0,\nseg_0_0_video_K_llhls.m4s\n", "")


def portrait(*sizes: tuple[int, int]) -> Multivariant:
    return Multivariant(tuple(("u", width, height) for width, height in sizes))


def test_variants_are_found_wherever_they_lie() -> None:
    manifest = parse_multivariant(MASTER, URL)

    assert manifest is not None
    assert [(url.removeprefix("http://ome:3333/reels/ss-1/"), height) for url, _, height in manifest.variants] == [
        ("chunklist_0_video_K_llhls.m3u8", 720),
        ("chunklist_1_video_K_llhls.m3u8", 480),
        ("chunklist_2_video_K_llhls.m3u8", 360),
    ]
    assert manifest.missing(LADDER.rungs) == []


def test_a_rung_that_is_not_there_is_named() -> None:
    assert portrait((1280, 720), (640, 360)).missing(LADDER.rungs) == ["480p"]


def test_a_turned_picture_has_the_same_rungs() -> None:
    assert portrait((720, 1280), (480, 856), (360, 640)).missing(LADDER.rungs) == []


def test_a_turned_rung_may_have_been_rounded_up() -> None:
    assert portrait((272, 480)).missing([Rung("270p", 270, 480, 300)]) == []
    assert portrait((276, 480)).missing([Rung("270p", 270, 480, 300)]) == ["270p"]


def test_two_rungs_of_one_size_are_two_variants() -> None:
    rungs = [Rung("high", 1280, 720, 3000), Rung("low", 1280, 720, 1500)]

    assert portrait((1280, 720)).missing(rungs) == ["low"]
    assert portrait((1280, 720), (1280, 720)).missing(rungs) == []


@pytest.mark.parametrize("text", ["", "not found", "<html></html>", CHUNKLIST, "#EXTM3U\n"])
def test_what_is_no_multivariant_playlist_is_none(text: str) -> None:
    assert parse_multivariant(text, URL) is None


@pytest.mark.parametrize("uri", ["http://[", "//[x/a.m3u8"])
def test_an_address_that_is_none_is_malformed_and_no_crash(uri: str) -> None:
    assert parse_multivariant(MASTER.replace("chunklist_1_video_K_llhls.m3u8", uri), URL) is None
    assert first_media(CHUNKLIST.replace("seg_0_0_video_K_llhls.m4s", uri), URL) is None


def test_the_first_segment_and_its_init_segment_are_found() -> None:
    assert first_media(CHUNKLIST, URL) == (
        "http://ome:3333/reels/ss-1/init_0_video_K_llhls.m4s",
        "http://ome:3333/reels/ss-1/seg_0_0_video_K_llhls.m4s",
    )


def test_segments_need_no_init_segment() -> None:
    media = first_media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\na.ts\n", URL)

    assert media == (None, "http://ome:3333/reels/ss-1/a.ts")


@pytest.mark.parametrize("text", ["", "not found", MASTER, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n", ONLY_PARTS])
def test_without_a_whole_segment_there_is_no_media_yet(text: str) -> None:
    assert first_media(text, URL) is None


_LINES = st.lists(
    st.sampled_from([*MASTER.splitlines(), *CHUNKLIST.splitlines(), "#EXT-X-KEY:METHOD=", "#EXT-X-BYTERANGE:x@y"])
    | st.from_regex(r"#EXT-X-[A-Z-]{1,20}:[A-Z=,\"0-9x.-]{0,30}", fullmatch=True)
    | st.from_regex(r"#EXTINF:.{0,10}", fullmatch=True)
    | st.sampled_from(["http://[", "//x", "\\"])
    | st.text(max_size=20),
    max_size=12,
)


@given(_LINES)
def test_any_text_is_judged_and_never_raises(lines: list[str]) -> None:
    text = "\n".join(["#EXTM3U", *lines])

    manifest = parse_multivariant(text, URL)
    first_media(text, URL)

    assert manifest is None or manifest.missing(LADDER.rungs) is not None


# As 0.21 wrote it, without the attributes that do not matter here.
DATED = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=0.520000
#EXT-X-MEDIA-SEQUENCE:4
#EXT-X-MAP:URI="init_0_video_K_llhls.m4s"
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:02.953+00:00
#EXTINF:2.013333,
seg_0_3_video_K_llhls.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:04.966+00:00
#EXT-X-PART:DURATION=0.520000,URI="part_0_4_0_video_K_llhls.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.480000,URI="part_0_4_1_video_K_llhls.m4s"
#EXTINF:2.000000,
seg_0_4_video_K_llhls.m4s
"""
HINT = '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_0_5_0_video_K_llhls.m4s"\n'
BEGUN = """#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:16:06.966+00:00
#EXT-X-PART:DURATION=0.520000,URI="part_0_5_0_video_K_llhls.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.480000,URI="part_0_5_1_video_K_llhls.m4s"
"""
END = datetime(2026, 11, 22, 14, 16, 6, 966000, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("more", "begun"), [("", 0.0), (HINT, 0.0), (BEGUN, 1.0), (BEGUN + HINT, 1.0)])
def test_a_playlist_goes_as_far_as_its_last_part(more: str, begun: float) -> None:
    assert end_of_media(DATED + more) == pytest.approx(END + begun, abs=0.001)


@pytest.mark.parametrize("text", ["", MASTER, CHUNKLIST, ONLY_PARTS, f"{DATED}#EXT-X-ENDLIST\n"])
def test_what_is_not_dated_or_has_ended_goes_nowhere(text: str) -> None:
    assert end_of_media(text) is None
