"""Playlists that advance slower than the clock, and when that is an overload."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.fleet.load import Load

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
HEALTHY = 1.0
BETWEEN = 0.95
LAGGING = 0.5


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def after(*samples: tuple[float, float], load: Load | None = None) -> Load:
    """Seconds and ratio of each sample."""
    load = load or Load()
    for seconds, ratio in samples:
        load = load.observed(ratio, at(seconds))
    return load


OVERLOADED = after((0, LAGGING), (10, LAGGING))


@pytest.mark.parametrize(
    ("samples", "overloaded"),
    [
        ([(0, LAGGING)], False),
        ([(0, LAGGING), (9.9, LAGGING)], False),
        ([(0, LAGGING), (10, LAGGING)], True),
        ([(0, 0.89), (10, 0.89)], True),
        ([(0, 0.9), (10, 0.9), (20, 0.9)], False),
        ([(0, LAGGING), (5, BETWEEN), (10, LAGGING)], False),
        ([(0, LAGGING), (5, HEALTHY), (10, LAGGING), (15, LAGGING)], False),
        ([(0, LAGGING), (121, LAGGING)], False),
        ([(0, LAGGING), (120, LAGGING)], True),
    ],
)
def test_lagging_for_ten_seconds_is_an_overload(samples: list[tuple[float, float]], overloaded: bool) -> None:
    load = after(*samples)

    assert load.overloaded is overloaded


@pytest.mark.parametrize(
    ("samples", "overloaded"),
    [
        ([(20, HEALTHY)], True),
        ([(20, HEALTHY), (49, HEALTHY)], True),
        ([(20, HEALTHY), (50, HEALTHY)], False),
        ([(20, 0.97), (50, 0.97), (80, 0.97)], True),
        ([(20, HEALTHY), (40, BETWEEN), (50, HEALTHY)], True),
        ([(20, HEALTHY), (40, LAGGING), (50, HEALTHY), (79, HEALTHY)], True),
    ],
)
def test_keeping_up_for_thirty_seconds_ends_it(samples: list[tuple[float, float]], overloaded: bool) -> None:
    load = after(*samples, load=OVERLOADED)

    assert load.overloaded is overloaded


def test_an_origin_that_nobody_looks_at_any_more_is_not_overloaded_for_ever() -> None:
    assert OVERLOADED.overloaded_at(at(130))
    assert not OVERLOADED.overloaded_at(at(131))


def test_the_first_sample_after_a_long_silence_begins_anew() -> None:
    assert not after((200, LAGGING), load=OVERLOADED).overloaded
    assert after((200, LAGGING), (210, LAGGING), load=OVERLOADED).overloaded


@pytest.mark.parametrize("ratio", [float("nan"), float("inf"), -1.0, 0.0])
def test_odd_ratios_are_survived(ratio: float) -> None:
    assert not after((0, ratio)).overloaded


@given(st.lists(st.tuples(st.floats(0.1, 60.0), st.floats(0.0, 2.0)), max_size=60))
def test_the_verdict_changes_no_faster_than_the_policy_allows(steps: list[tuple[float, float]]) -> None:
    load, now = Load(), 0.0
    changed_at: float | None = None
    for gap, ratio in steps:
        now += gap
        following = load.observed(ratio, at(now))
        if following.overloaded != load.overloaded:
            # Never by the first sample of its kind, and by a look at what the verdict is about.
            assert following.since is not None
            assert (at(now) - following.since).total_seconds() >= (10.0 if following.overloaded else 30.0)
            assert ratio < 0.9 if following.overloaded else ratio > 0.97
            assert changed_at is None or now - changed_at >= 10.0 - 1e-6
            changed_at = now
        load = following
