"""What a channel plays at which moment."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.devkit.ome.schedule import (
    Item,
    Program,
    Schedule,
    StreamSpec,
    current_program,
    item_length,
    next_start,
    playhead,
    program_end,
    timestamp,
)

LENGTHS = {
    "file://five": 5.0,
    "file://three": 3.0,
    "file://fraction": 15.4,
    "file://short": 0.811,
    "stream://live": math.inf,
}
FIVE, THREE, GONE, LIVE = (Item(url) for url in ("file://five", "file://three", "file://gone", "stream://live"))


def program(*items: Item, begins: float = 100.0, repeat: bool = True) -> Program:
    return Program("p", "", begins, repeat, items)


def schedule(*programs: Program) -> Schedule:
    return Schedule(StreamSpec("channel"), programs)


def test_position_is_the_wall_clock_modulo_the_length() -> None:
    """The recorded case: 5 s + 5 s, begun 7.7 s ago."""
    head = playhead((FIVE, FIVE), 7.7, LENGTHS.get)

    assert head
    assert head.position == pytest.approx(2.7)


@given(st.floats(0, 1e6), st.lists(st.sampled_from([FIVE, THREE, GONE]), max_size=4))
def test_playhead_is_inside_of_an_item_that_opens(elapsed: float, items: list[Item]) -> None:
    head = playhead(tuple(items), elapsed, LENGTHS.get)

    if not {FIVE, THREE} & set(items):
        assert head is None
    elif head:  # float rounding at the very end of the loop may find none
        assert 0 <= head.position < item_length(head.item, LENGTHS.get)


@given(st.floats(0, 1e5), st.integers(0, 1000))
def test_loops_repeat(elapsed: float, loops: int) -> None:
    once, again = (playhead((FIVE, THREE), at, LENGTHS.get) for at in (elapsed, elapsed + 8 * loops))

    if once and again and once.item == again.item:
        assert again.position == pytest.approx(once.position, abs=1e-6)


def test_missing_files_are_passed_over() -> None:
    head = playhead((GONE, THREE), 1, LENGTHS.get)

    assert head
    assert (head.item, head.position) == (THREE, 1)


def test_nothing_opens() -> None:
    assert playhead((GONE,), 1, LENGTHS.get) is None
    assert playhead((), 1, LENGTHS.get) is None


def test_a_live_stream_never_ends() -> None:
    head = playhead((LIVE,), 1e9, LENGTHS.get)

    assert head
    assert head.position == 1e9


@pytest.mark.parametrize(
    ("item", "seconds"),
    [
        (FIVE, 5.0),
        (Item("file://five", start=2000), 3.0),
        (Item("file://five", duration=1500), 1.5),
        (Item("file://five", start=4000, duration=9000), 1.0),
        (Item("file://five", start=9000), 0.0),
        (GONE, 0.0),
        (Item("file://fraction"), 15.0),
        (Item("file://fraction", start=11500), 3.5),
        (Item("file://fraction", duration=15400), 15.4),
        (Item("file://fraction", duration=60000), 15.4),
        (Item("file://short"), 0.0),
        (Item("file://short", duration=1000), 0.811),
    ],
)
def test_item_length(item: Item, seconds: float) -> None:
    assert item_length(item, LENGTHS.get) == seconds


def test_program_without_repeat_ends() -> None:
    once = schedule(program(FIVE, repeat=False))

    assert current_program(once, 104.9, LENGTHS.get)
    assert current_program(once, 105.0, LENGTHS.get) is None


def test_program_whose_file_is_missing_stays_current() -> None:
    """OME shows it, off air, for ever."""
    assert current_program(schedule(program(GONE, repeat=False)), 1e6, LENGTHS.get)


def test_the_last_one_that_has_begun_is_current() -> None:
    first, second, third = (program(FIVE, begins=begins) for begins in (100.0, 200.0, 300.0))
    plan = schedule(third, first, second)

    assert current_program(plan, 99.0, LENGTHS.get) is None
    assert current_program(plan, 250.0, LENGTHS.get) == second
    assert program_end(plan, second) == 300.0
    assert program_end(plan, third) is None
    assert next_start(plan, 100.0) == 200.0
    assert next_start(plan, 300.0) is None


def test_timestamp() -> None:
    assert timestamp(1795355173.591) == "2026-11-22T13:46:13.591+00:00"
