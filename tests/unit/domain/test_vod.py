"""Copies: their places, their renditions, and the arithmetic that proves them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.ladder import Rung, parse_ladder
from streaming_service.domain.placement import Placement
from streaming_service.domain.vod import Track, check_prefix, flaw_in_length, match_rungs
from streaming_service.errors import InvalidInput

LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")


def test_a_placement_says_where_its_copy_lies() -> None:
    placement = Placement(
        incarnation=3,
        origin="ome-1",
        application="reels",
        stream="ss-0d9f-3",
        media_path="a.mp4",
        media_hash="h",
        checksum="c",
        rungs=LADDER.rungs,
        audio=True,
        placed_at=datetime(2026, 11, 22, tzinfo=UTC),
    )

    check_prefix(placement.copy_prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "/",
        "vod/",
        "vod/reels/",
        "vod/reels/ss-1",
        "vod/reels//",
        "vod/../x/",
        "vod/reels/../",
        "/vod/a/b/",
        "vod/reels/a/b/",
        "reels/a/b/",
        "vod/reels/a b/",
        "vod/reels/a/\n",
        "vod/reels/ä/",
        f"vod/reels/{'a' * 201}/",
    ],
)
def test_what_is_not_exactly_one_copy_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput, match="prefix"):
        check_prefix(prefix)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(1280, 720), (856, 480), (640, 360)], [0, 1, 2]),
        ([(640, 360), (1280, 720), (856, 480)], [1, 2, 0]),
        ([(720, 1280), (480, 856), (360, 640)], [0, 1, 2]),
        ([(1280, 720), (640, 360)], [0, None, 1]),
        ([], [None, None, None]),
    ],
)
def test_the_short_side_finds_the_variant(sizes: list[tuple[int, int]], expected: list[int | None]) -> None:
    assert list(match_rungs(LADDER.rungs, sizes).values()) == expected


def test_a_turned_rung_may_have_been_rounded_up() -> None:
    rung = Rung("270p", 270, 480, 300)

    assert match_rungs([rung], [(272, 480)]) == {"270p": 0}
    assert match_rungs([rung], [(276, 480)]) == {"270p": None}


def test_two_rungs_of_one_size_need_two_variants() -> None:
    rungs = [Rung("high", 1280, 720, 4000), Rung("low", 1280, 720, 2000)]

    assert match_rungs(rungs, [(1280, 720), (1280, 720)]) == {"high": 0, "low": 1}
    assert match_rungs(rungs, [(1280, 720)]) == {"high": 0, "low": None}


def tracks(*seconds: float) -> list[Track]:
    return [Track(f"track {index}", length) for index, length in enumerate(seconds)]


# 11.88 and 11.989: a copy of 12 s by v0.21, complete. 10 and 6: stopped early. 14: into the second loop.
@pytest.mark.parametrize(
    ("seconds", "flaw"),
    [
        ((11.88, 11.88, 11.989), ""),
        ((11.7, 11.7), ""),
        ((11.69, 12.0), "track 0 holds 11.69 s of 12.00 s"),
        ((12.0, 0.0), "track 1 holds 0.00 s"),
        ((10.0, 10.0, 10.005), "track 0 holds 10.00 s of 12.00 s"),
        ((14.0, 14.0, 14.005), "track 2 is too long: 14.01 s"),
        ((40.36, 13.888), "track 0 is too long: 40.36 s"),
        ((11.88, 13.1), "track 1 and track 0 differ by 1.22 s"),
    ],
)
def test_only_the_whole_source_once_is_complete(seconds: tuple[float, ...], flaw: str) -> None:
    found = flaw_in_length(tracks(*seconds), 12.0, 0.3)

    assert found.startswith(flaw)
    assert bool(found) == bool(flaw)


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan")])
def test_a_source_whose_length_is_not_known_proves_nothing(duration: float) -> None:
    assert "not known" in flaw_in_length(tracks(12.0), duration, 0.3)


def test_tracks_may_differ_by_as_much_as_those_of_the_source_do() -> None:
    assert flaw_in_length(tracks(12.0, 9.0), 12.0, 0.3, 9.0) == ""
    assert "holds 8.60 s" in flaw_in_length(tracks(12.0, 8.6), 12.0, 0.3, 9.0)
    assert "holds 9.00 s of 12.00 s" in flaw_in_length(tracks(9.0, 9.0), 12.0, 0.3, 9.0), "all of it ends too early"
    assert "differ by" in flaw_in_length(tracks(13.9, 8.8), 12.0, 0.3, 9.0)


@given(st.floats(0.5, 40_000), st.lists(st.floats(-0.3, 0.69), min_size=1, max_size=5))
def test_what_is_as_long_as_its_source_is_complete(duration: float, errors: list[float]) -> None:
    assert flaw_in_length(tracks(*(duration + error for error in errors)), duration, 0.31) == ""


@given(st.floats(1, 40_000), st.floats(0.31, 1), st.integers(0, 3))
def test_one_short_track_is_enough(duration: float, missing: float, which: int) -> None:
    lengths = [duration] * 4
    lengths[which] -= missing

    assert flaw_in_length(tracks(*lengths), duration, 0.3).startswith(f"track {which} holds")
