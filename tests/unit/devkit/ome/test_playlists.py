"""Playlists as text, against the recorded format."""

import m3u8

from streaming_service.devkit.ome.playlists import Chunk, Names, Variant, chunklist, multivariant, playlist_rungs
from streaming_service.domain.ladder import parse_ladder

LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1200,360p|640x360|700")
NAMES = Names("3460840473935171378")
VARIANTS = [Variant(track, rung, "avc1.42c01f", 25.0) for track, rung in enumerate(LADDER.rungs)]


def test_one_playlist_for_each_cap() -> None:
    assert playlist_rungs(LADDER) == {"llhls": (2,), "master": (0, 1, 2), "max-360p": (2,), "max-480p": (1, 2)}


def test_single_rung() -> None:
    assert playlist_rungs(parse_ladder("360p|640x360|800")) == {"llhls": (0,), "master": (0,)}


def test_multivariant_is_as_recorded() -> None:
    assert multivariant(NAMES, VARIANTS[:2], 3).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        (
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac_audio",NAME="Audio_100",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",'
            'URI="chunklist_3_audio_3460840473935171378_llhls.m3u8"'
        ),
        "",
        "",
        (
            "#EXT-X-STREAM-INF:BANDWIDTH=2628000,RESOLUTION=1280x720,FRAME-RATE=25.000,"
            'CODECS="avc1.42c01f,mp4a.40.2",AUDIO="aac_audio"'
        ),
        "chunklist_0_video_3460840473935171378_llhls.m3u8",
        (
            "#EXT-X-STREAM-INF:BANDWIDTH=1328000,RESOLUTION=856x480,FRAME-RATE=25.000,"
            'CODECS="avc1.42c01f,mp4a.40.2",AUDIO="aac_audio"'
        ),
        "chunklist_1_video_3460840473935171378_llhls.m3u8",
    ]


def test_without_sound() -> None:
    text = multivariant(NAMES, VARIANTS, None)

    assert "AUDIO" not in text
    assert "mp4a" not in text
    assert "BANDWIDTH=2500000" in text


def test_absolute_and_legacy_names() -> None:
    names = Names.of("default", "reels", "channel", absolute=True, legacy=True)

    uri = m3u8.loads(multivariant(names, VARIANTS, 3)).playlists[0].uri
    assert uri == f"/reels/channel/chunklist_0_video_{names.key}_llhls.m3u8?_HLS_legacy=YES"


def test_names_depend_on_names_only() -> None:
    assert Names.of("default", "reels", "a") == Names.of("default", "reels", "a")
    assert Names.of("default", "reels", "a") != Names.of("default", "series", "a")


def test_chunklist() -> None:
    chunks = [Chunk(7, 1795358000.0, 2.0, 0), Chunk(8, 1795358002.0, 1.5, 0), Chunk(9, 1795358003.5, 2.0, 1)]

    text = chunklist(NAMES, 1, "video", chunks, 2.0)

    parsed = m3u8.loads(text)
    assert (parsed.media_sequence, parsed.target_duration, parsed.is_endlist) == (7, 2, False)
    assert [segment.duration for segment in parsed.segments] == [2.0, 1.5, 2.0]
    assert [segment.discontinuity for segment in parsed.segments] == [False, False, True]
    assert parsed.segments[0].uri == "seg_1_7_video_3460840473935171378_llhls.m4s"
    assert [init.uri for init in parsed.segment_map] == [
        "init_1_video_3460840473935171378_llhls.m4s",
        "init_1_video_3460840473935171378_1_llhls.m4s",
    ]
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:33:20.000+00:00\n#EXTINF:2.000000,\n" in text


def test_a_window_after_a_change_of_files_counts_the_discontinuity() -> None:
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:2\n" in chunklist(NAMES, 0, "video", [Chunk(9, 0.0, 2.0, 2)], 2.0)


def test_legacy_chunklist_has_no_server_control() -> None:
    assert "SERVER-CONTROL" in chunklist(NAMES, 0, "video", [], 2.0)
    assert "SERVER-CONTROL" not in chunklist(Names("1", legacy=True), 0, "video", [], 2.0)


def test_what_has_ended_is_as_recorded_after_a_conclusion() -> None:
    """Counted from 0 whatever the first segment's number, with the target that it had, however wrong the last is."""
    chunks = [Chunk(18, 1795358000.0, 2.0, 0), Chunk(19, 1795358002.0, 30.36, 0)]

    assert chunklist(NAMES, 0, "video", chunks, 2.0, ended=True) == (
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="init_0_video_3460840473935171378_llhls.m4s"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:33:20.000+00:00\n"
        "#EXTINF:2.000000,\nseg_0_18_video_3460840473935171378_llhls.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:33:22.000+00:00\n"
        "#EXTINF:30.360000,\nseg_0_19_video_3460840473935171378_llhls.m4s\n"
        "#EXT-X-ENDLIST\n"
    )
