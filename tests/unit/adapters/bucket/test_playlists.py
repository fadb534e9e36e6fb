"""Playlists of a dump, read and changed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.bucket.playlists import (
    MalformedPlaylist,
    UnfinishedPlaylist,
    parse_chunklist,
    parse_master,
    with_last_duration,
    with_target,
    with_variants,
)
from tests.unit.adapters.bucket.dumps import KEY, LADDER, chunklist, chunklist_name, master

MASTER = master(LADDER.rungs)
CHUNKLIST = chunklist(0, "video", [2.0, 2.0, 1.88])


def test_a_master_of_a_dump() -> None:
    found = parse_master(MASTER)

    assert [variant.size for variant in found.variants] == [(1280, 720), (856, 480), (640, 360)]
    assert {variant.audio for variant in found.variants} == {"aac_audio"} == found.audio
    assert found.chunklists == (*(chunklist_name(number, "video") for number in range(3)), chunklist_name(3, "audio"))


def test_a_master_without_sound() -> None:
    found = parse_master(master(LADDER.rungs, audio=False))

    assert found.audio == frozenset()
    assert len(found.chunklists) == 3


def test_a_chunklist_of_a_dump() -> None:
    found = parse_chunklist(CHUNKLIST)

    assert found.seconds == (2.0, 2.0, 1.88)
    assert found.target == 2
    assert found.last == f"seg_0_2_video_{KEY}_llhls.m4s"
    assert found.last_init == f"init_0_video_{KEY}_llhls.m4s"
    assert found.files == {found.last_init, *(f"seg_0_{index}_video_{KEY}_llhls.m4s" for index in range(3))}


def test_a_second_init_segment_is_needed_too() -> None:
    text = CHUNKLIST.replace(
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:00:04",
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init_0_video_2.m4s"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-22T14:00:04',
    )

    assert parse_chunklist(text).last_init == "init_0_video_2.m4s"
    assert {"init_0_video_2.m4s", f"init_0_video_{KEY}_llhls.m4s"} <= parse_chunklist(text).files


@pytest.mark.parametrize("uri", ["../seg.m4s", "/seg.m4s", "a/seg.m4s", "https://evil.example/seg.m4s", "seg.m4s?x=1"])
@pytest.mark.parametrize("old", [f"seg_0_1_video_{KEY}_llhls.m4s", f"init_0_video_{KEY}_llhls.m4s"])
def test_a_uri_may_only_be_a_file_beside_it(uri: str, old: str) -> None:
    with pytest.raises(MalformedPlaylist, match="no file beside it"):
        parse_chunklist(CHUNKLIST.replace(old, uri))


@pytest.mark.parametrize("uri", ["..", ".", ".hidden", "a\\b", "a%2fb", "%2e%2e", "ä.m3u8", "a" * 256, "//host/a"])
@pytest.mark.parametrize("old", [chunklist_name(1, "video"), chunklist_name(3, "audio")])
def test_and_so_in_a_master(uri: str, old: str) -> None:
    with pytest.raises(MalformedPlaylist, match="no file beside it"):
        parse_master(MASTER.replace(old, uri))


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e9", "x", ""])
def test_a_duration_has_to_be_one(seconds: str) -> None:
    with pytest.raises(MalformedPlaylist):
        parse_chunklist(CHUNKLIST.replace("#EXTINF:1.880000", f"#EXTINF:{seconds}"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<html>404</html>\n#EXT-X-ENDLIST", "no playlist"),
        (MASTER + "#EXT-X-ENDLIST\n", "no segments"),
        ("#EXTM3U\n#EXT-X-ENDLIST\n", "no segments"),
        (CHUNKLIST.replace("#EXT-X-TARGETDURATION:2\n", ""), "no target duration"),
        (CHUNKLIST.replace("#EXT-X-MAP", "#EXT-X-NOTHING"), "without an init segment"),
        (CHUNKLIST.replace("#EXT-X-ENDLIST", "#EXTINF:2.0,\n#EXT-X-ENDLIST"), "without an init segment"),
    ],
)
def test_what_is_no_chunklist_says_why(text: str, reason: str) -> None:
    with pytest.raises(MalformedPlaylist, match=reason):
        parse_chunklist(text)


def test_a_chunklist_is_unfinished_wherever_it_is_cut() -> None:
    for end in range(len(CHUNKLIST.rstrip())):
        with pytest.raises(UnfinishedPlaylist):
            parse_chunklist(CHUNKLIST[:end])


def test_a_master_is_unfinished_or_lacks_renditions_wherever_it_is_cut() -> None:
    for end in range(len(MASTER) - 1):
        try:
            found = parse_master(MASTER[:end])
        except UnfinishedPlaylist:
            continue
        assert len(found.variants) < 3


def test_a_variant_without_a_uri_is_not_counted_as_the_next_one() -> None:
    with pytest.raises(UnfinishedPlaylist, match="without a URI"):
        parse_master(MASTER.replace(chunklist_name(0, "video") + "\n", ""))


def test_only_some_variants_are_kept_and_everything_else() -> None:
    text = with_variants(MASTER, {1, 2})

    assert [variant.size for variant in parse_master(text).variants] == [(856, 480), (640, 360)]
    assert parse_master(text).audio == {"aac_audio"}
    assert set(MASTER.splitlines()) - set(text.splitlines()) == {
        line for line in MASTER.splitlines() if "1280x720" in line or line == chunklist_name(0, "video")
    }


@given(
    st.lists(
        st.sampled_from(["", "\n", "# a comment\n", '#EXT-X-FUTURE:URI="x"\n', "\r\n", "  \n"]), min_size=1, max_size=6
    ),
    st.sets(st.integers(0, 4), min_size=1),
)
def test_the_variants_that_are_kept_are_those_that_were_read(between: list[str], keep: set[int]) -> None:
    lines = [
        f"#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION={side}x{side}\n{between[side % len(between)]}v{side}.m3u8\n"
        for side in range(1, 6)
    ]
    text = "#EXTM3U\n" + "".join(lines)

    kept = parse_master(with_variants(text, keep)).variants
    assert kept == tuple(variant for index, variant in enumerate(parse_master(text).variants) if index in keep)


def test_two_variants_may_share_a_chunklist() -> None:
    text = MASTER.replace(chunklist_name(1, "video"), chunklist_name(0, "video"))

    assert [variant.size for variant in parse_master(with_variants(text, {0})).variants] == [(1280, 720)]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("said", ["30.360000,", "30.36,a title, with a comma", "30.36"])
def test_the_last_duration_is_replaced_and_nothing_else(said: str, ending: str) -> None:
    text = CHUNKLIST.replace("1.880000,", said).replace("\n", ending)
    mended = with_last_duration(text, 1.88)

    assert parse_chunklist(mended).seconds == (2.0, 2.0, 1.88)
    changed = [pair for pair in zip(text.splitlines(True), mended.splitlines(True), strict=True) if pair[0] != pair[1]]
    assert changed == [
        (f"#EXTINF:{said}{ending}", f"#EXTINF:{said.replace(said.split(',', maxsplit=1)[0], '1.880000')}{ending}")
    ]


def test_the_target_is_replaced() -> None:
    text = CHUNKLIST.replace("TARGETDURATION:2", "TARGETDURATION:30")

    assert with_target(text, 2) == CHUNKLIST


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=20), st.floats(0.001, 100))
def test_mending_survives_reading(durations: list[float], last: float) -> None:
    mended = parse_chunklist(with_last_duration(chunklist(0, "video", durations), last))

    assert mended.seconds == pytest.approx([*durations[:-1], last], abs=1e-6)


PIECES = st.lists(st.sampled_from(MASTER.splitlines() + CHUNKLIST.splitlines()) | st.text(max_size=20))


@given(st.text() | PIECES.map(lambda pieces: "\n".join(["#EXTM3U", *pieces])))
def test_no_text_can_hurt_us(text: str) -> None:
    for parse in (parse_master, parse_chunklist):
        for ended in (text, text + "\n", text + "\n#EXT-X-ENDLIST\n"):
            with suppress(MalformedPlaylist, UnfinishedPlaylist):
                parse(ended)
