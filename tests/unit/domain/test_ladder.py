"""Presets to ladders, caps to playlists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.ladder import QUALITIES, Ladder, Rung, parse_ladder
from streaming_service.errors import InvalidInput

REELS = "720p|1280x720|2500,480p|854x480|1500,360p|640x360|900"
SERIES = "1080p|1920x1080|4500,720p|1280x720|2500,480p|854x480|1500"


def names(rungs: tuple[Rung, ...]) -> list[str]:
    return [rung.name for rung in rungs]


def test_a_preset_names_size_and_bitrate() -> None:
    assert parse_ladder(REELS).rungs[1] == Rung("480p", 854, 480, 1500)


def test_the_best_rung_comes_first_whatever_the_order() -> None:
    assert names(parse_ladder("360p|640x360|900,1080p|1920x1080|4500,720p|1280x720|2500").rungs) == [
        "1080p",
        "720p",
        "360p",
    ]


def test_of_two_sizes_alike_the_higher_bitrate_is_better() -> None:
    assert names(parse_ladder("low|1280x720|1500,high|1280x720|3000").rungs) == ["high", "low"]


def test_blanks_around_entries_do_not_matter() -> None:
    assert parse_ladder(" 720p | 1280x720 | 2500 , 360p|640x360|900 ").rungs[0] == Rung("720p", 1280, 720, 2500)


def test_a_portrait_rung_is_measured_by_its_short_side() -> None:
    assert parse_ladder("720p|720x1280|2500").rungs[0].short_side == 720


@pytest.mark.parametrize(
    ("quality", "reels", "series"),
    [
        ("auto", "master", "master"),
        ("1080p", "master", "master"),
        ("720p", "master", "max-720p"),
        ("480p", "max-480p", "max-480p"),
        ("360p", "max-360p", "max-480p"),
    ],
)
def test_a_cap_picks_the_playlist_that_holds_that_rung_and_those_below(quality: str, reels: str, series: str) -> None:
    assert parse_ladder(REELS).playlist(quality) == reels
    assert parse_ladder(SERIES).playlist(quality) == series


def test_a_cap_below_every_rung_leaves_the_smallest() -> None:
    assert names(parse_ladder(SERIES).capped("360p")) == ["480p"]


def test_the_playlist_of_the_full_ladder_may_have_another_name() -> None:
    assert parse_ladder(REELS).playlist("auto", "full") == "full"
    assert parse_ladder(REELS).playlist("480p", "full") == "max-480p"


@pytest.mark.parametrize(
    ("preset", "reason"),
    [
        ("", "is not name"),
        ("720p", "is not name"),
        ("720p|1280x720", "is not name"),
        ("720p|1280x720|2500,", "is not name"),
        ("720p|1280x720|2500|x", "is not name"),
        ("7/20|1280x720|2500", "must be 1 to 32"),
        ("|1280x720|2500", "must be 1 to 32"),
        (f"{'n' * 33}|1280x720|2500", "must be 1 to 32"),
        ("720p|1280|2500", "is not WIDTHxHEIGHT"),
        ("720p|0x720|2500", "is not WIDTHxHEIGHT"),
        ("720p|8193x720|2500", "is not WIDTHxHEIGHT"),
        ("720p|1280x-720|2500", "is not WIDTHxHEIGHT"),
        ("720p|1280x720|0", "is not kbit/s"),
        ("720p|1280x720|200001", "is not kbit/s"),
        ("720p|1280x720|2.5", "is not kbit/s"),
        ("720p|1280x720|²", "is not kbit/s"),
        ("720p|1280x720|2500,720p|640x360|900", "twice"),
    ],
)
def test_a_wrong_preset_names_what_is_wrong(preset: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        parse_ladder(preset, "OME_REELS_PRESET")

    assert caught.value.field == "OME_REELS_PRESET"


@given(st.text(alphabet="0123456789xpX|,- ٣²abc", max_size=60) | st.text(max_size=60))
def test_any_text_is_a_ladder_or_invalid(preset: str) -> None:
    try:
        ladder = parse_ladder(preset)
    except InvalidInput:
        return
    assert ladder.rungs


_RUNGS = st.builds(
    Rung,
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
    st.integers(1, 8192),
    st.integers(1, 8192),
    st.integers(1, 9999),
)


@given(st.lists(_RUNGS, min_size=1, max_size=6, unique_by=lambda rung: rung.name), st.sampled_from(QUALITIES))
def test_a_cap_gives_the_lower_end_of_the_ladder_and_never_nothing(rungs: list[Rung], quality: str) -> None:
    ladder = parse_ladder(",".join(f"{rung.name}|{rung.width}x{rung.height}|{rung.bitrate_kbps}" for rung in rungs))

    capped = ladder.capped(quality)

    assert capped
    assert ladder.rungs[-len(capped) :] == capped
    if quality != "auto" and len(capped) > 1:
        assert capped[0].short_side <= int(quality[:-1])


@given(st.lists(_RUNGS, min_size=1, max_size=6, unique_by=lambda rung: rung.name))
def test_parsing_what_was_written_gives_the_same_ladder(rungs: list[Rung]) -> None:
    def write(ladder: Ladder) -> str:
        return ",".join(f"{rung.name}|{rung.width}x{rung.height}|{rung.bitrate_kbps}" for rung in ladder.rungs)

    ladder = parse_ladder(write(Ladder(tuple(rungs))))

    assert parse_ladder(write(ladder)) == ladder
    assert set(ladder.rungs) == set(rungs)
