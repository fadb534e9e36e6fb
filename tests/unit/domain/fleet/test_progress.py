"""How fast media time passes, from looks at a playlist."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from streaming_service.domain.fleet.progress import Progress
from tests.fakes import NOW


def seen(looks: Iterable[tuple[float, float]]) -> Progress:
    """`(seconds, position)`."""
    progress = Progress()
    for seconds, position in looks:
        progress = progress.seen(position, NOW + timedelta(seconds=seconds))
    return progress


@pytest.mark.parametrize("pace", [1.0, 0.6])
def test_media_seconds_per_second(pace: float) -> None:
    assert seen((second, 100 + second * pace) for second in range(0, 70, 10)).ratio() == pytest.approx(pace)


def test_nothing_is_told_before_a_span_is_over() -> None:
    looks = [(second, float(second)) for second in range(0, 40, 10)]

    assert seen(looks[:1]).ratio() is None
    assert seen(looks[:3]).ratio() is None
    assert seen(looks).ratio() == 1.0


def test_only_the_last_span_counts() -> None:
    slow = [(second, second / 2) for second in range(0, 60, 10)]
    fast = [(second, 25.0 + second - 50) for second in range(60, 90, 10)]

    assert seen([*slow, *fast]).ratio() == 1.0
    assert len(seen([*slow, *fast]).looks) == 4


def test_whole_segments_do_not_look_like_a_lag() -> None:
    """A playlist that grows by two seconds at a time, looked at whenever."""
    ratios = [seen((at + phase, (at + phase) // 2 * 2) for at in range(0, 50, 10)).ratio() for phase in (0, 0.7, 1.99)]

    assert all(ratio is not None and ratio >= 0.9 for ratio in ratios)


def test_what_has_ended_is_no_lag() -> None:
    looks = [(0, 0.0), (10, 10.0), (20, 20.0), (30, 24.0), (40, 24.0)]

    assert seen(looks[:-1]).ratio() == pytest.approx(0.8)
    assert seen(looks).ratio() is None


def test_another_stream_under_the_name_begins_anew() -> None:
    looks = [(0, 100.0), (30, 130.0), (40, 5.0), (50, 15.0)]

    assert seen(looks).ratio() is None
    assert seen([*looks, (70, 35.0)]).ratio() == 1.0
