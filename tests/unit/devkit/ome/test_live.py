"""The live window, with a clock that we turn."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streaming_service.devkit.media import MediaFacts
from streaming_service.devkit.ome.live import LiveWindow, Segment
from streaming_service.devkit.ome.packager import Package
from streaming_service.devkit.ome.schedule import Item, Program, Schedule, StreamSpec
from streaming_service.devkit.ome.synthetic import SyntheticPackager
from streaming_service.domain.ladder import parse_ladder

LADDER = parse_ladder("360p|640x360|800")
PACKAGES = SyntheticPackager(
    {
        "long": MediaFacts(duration=6.5, width=640, height=360),
        "slate": MediaFacts(duration=4.0, width=640, height=360),
        "silent": MediaFacts(duration=4.0, width=640, height=360, audio=False),
    },
    missing=frozenset({"gone"}),
)


def open_item(url: str) -> Package | None:
    return PACKAGES.open(Path(url.removeprefix("file://")), LADDER, 2.0)


def window(begins: float = 1000.0, floor: float = 1000.0, size: int = 10) -> LiveWindow:
    return LiveWindow(begins, floor, size, open_item)


def plan(
    *urls: str, begins: float = 1000.0, repeat: bool = True, fallback: str | None = None, duration: int = 60_000
) -> Schedule:
    """Of whole files, unless `duration` says otherwise (ms)."""
    items = tuple(Item(f"file://{url}", duration=duration) for url in urls)
    programs = (Program("p", "", begins, repeat, items),) if urls else ()
    return Schedule(StreamSpec("channel"), programs, (Item(f"file://{fallback}"),) if fallback else None)


def at(view: LiveWindow, schedule: Schedule, now: float) -> list[Segment]:
    view.roll(schedule, now)
    return view.listed(now)


def test_only_complete_segments_are_listed() -> None:
    view, loop = window(), plan("long")

    assert at(view, loop, 1001.9) == []
    assert [item.number for item in at(view, loop, 1002.0)] == [0]
    assert [item.index for item in at(view, loop, 1006.5)] == [0, 1, 2, 3]


@pytest.mark.parametrize(("duration", "length"), [(-1, 6.0), (6500, 6.5), (7000, 6.5), (5500, 5.5), (400, 0.4)])
def test_an_item_ends_where_it_is_told_to_and_the_loop_begins_anew(duration: int, length: float) -> None:
    segments = at(window(size=100), plan("long", duration=duration), 1000.0 + 2 * length)

    lap = [item for item in segments if item.start < 1000.0 + length - 1e-6]
    assert sum(item.duration for item in lap) == pytest.approx(length)
    assert [item.index for item in segments] == [item.index for item in lap] * 2
    assert [item.cut for item in lap[:-1]] == [False] * (len(lap) - 1)
    assert lap[-1].cut == (length not in {6.0, 6.5})


def test_a_segment_has_begun_with_its_first_part() -> None:
    view, once = window(), plan("long", repeat=False, duration=4300)
    begun: list[int] = []
    for now in (1000.4, 1000.5, 1002.4, 1002.5, 1004.4, 1004.5, 1030.0):
        view.roll(once, now)
        begun.append(view.begun(now, 0.5))

    assert begun == [-1, 0, 0, 1, 1, 1, 1], "the last 0.3 s stay in the encoder"
    view.conclude(once, 1030.0)
    assert view.begun(1030.0, 0.5) == 2


def test_the_loop_goes_on_in_time_and_number() -> None:
    segments = at(window(size=100), plan("long"), 1020.0)

    assert [item.index for item in segments] == [0, 1, 2, 3] * 3
    assert [item.number for item in segments] == list(range(12))
    assert {item.origin for item in segments} == {0}
    # The second loop's first frame, at 0 in the file, is moved to where the first loop ended.
    assert segments[4].shift == pytest.approx(6.5)


@given(st.lists(st.floats(0.01, 30), max_size=30), st.floats(-20, 20))
def test_however_often_one_looks_the_time_line_has_no_gap(steps: list[float], offset: float) -> None:
    view, loop, now = window(size=1000), plan("long", begins=1000.0 - abs(offset)), 1000.0
    for step in steps:
        now += step
        view.roll(loop, now)

    segments = view.listed(now)
    for before, after in itertools.pairwise(segments):
        assert after.number == before.number + 1
        assert after.start == pytest.approx(before.end)
        assert after.index == (before.index + 1) % 4
    assert not segments or now - segments[-1].end < 2.0 + 1e-6


def test_a_late_start_joins_in_step_with_the_clock() -> None:
    first = at(window(), plan("long", begins=997.0), 1003.0)[0]

    assert first.index == 1
    assert first.start == pytest.approx(999.0)


def test_the_window_is_bounded() -> None:
    view, loop = window(size=3), plan("long")

    listed = at(view, loop, 1100.0)

    assert len(listed) == 3
    assert view.find(listed[0].number - 2, 1100.0), "a player may still be on an older one"
    assert view.find(0, 1100.0) is None


def test_another_file_is_another_origin_on_the_same_time_line() -> None:
    segments = at(window(size=100), plan("long", "slate"), 1011.0)

    assert [item.origin for item in segments] == [0, 0, 0, 0, 1, 1]
    assert segments[4].start == pytest.approx(1006.5)
    assert segments[4].shift == pytest.approx(6.5)


def test_one_shot_freezes() -> None:
    view, once = window(), plan("slate", repeat=False)

    # Nothing follows the last segment, so it is not complete.
    assert [item.index for item in at(view, once, 1004.0)] == [0]
    assert [item.index for item in at(view, once, 1900.0)] == [0]
    assert view.find(1, 1900.0) is None


def test_what_follows_a_silence_completes_the_segment_before_it() -> None:
    view, once = window(), plan("slate", repeat=False)
    later = replace(once, programs=(*(once.programs or ()), Program("p2", "", 1010.0, True, (Item("file://long"),))))

    assert [item.number for item in at(view, later, 1009.9)] == [0]
    segments = at(view, later, 1012.0)

    assert [item.number for item in segments] == [0, 1, 2]
    assert segments[2].start == pytest.approx(1010.0)


@pytest.mark.parametrize(("begins", "floor"), [(1000.0, 1000.0), (998.0, 1000.0), (999.4, 1000.2), (1000.7, 1000.3)])
@pytest.mark.parametrize("overstated", [0.0, 28.48])
def test_a_conclusion_flushes_the_last_segment(begins: float, floor: float, overstated: float) -> None:
    """Whether the channel appeared early or late: the whole file, once."""
    view, once = window(begins, floor), plan("long", repeat=False)
    for tenth in range(66):
        at(view, once, 1000.0 + tenth / 10)

    view.conclude(once, 1006.7, overstated)

    concluded = at(view, once, 1900.0)
    assert [item.index for item in concluded] == [0, 1, 2, 3]
    assert [item.duration for item in concluded] == pytest.approx([2.0, 2.0, 2.0, 0.5 + overstated])
    view.conclude(once, 1901.0, overstated)
    assert at(view, once, 1902.0) == concluded


def test_a_conclusion_ends_a_loop_with_what_has_begun() -> None:
    view, loop = window(), plan("long")

    view.conclude(loop, 1003.0)

    assert [item.index for item in at(view, loop, 1900.0)] == [0, 1]


def test_a_list_is_played_once_from_item_to_item() -> None:
    """Also when the channel appeared so early that the window runs before the schedule."""
    view, once = window(999.4, 1000.2), plan("long", "slate", "slate", repeat=False)

    segments = at(view, once, 1900.0)

    assert [item.index for item in segments] == [0, 1, 2, 3, 0, 1, 0]
    view.conclude(once, 1900.0)
    assert [item.index for item in view.listed(1900.0)] == [0, 1, 2, 3, 0, 1, 0, 1]


def test_one_shot_ends_in_the_fallback() -> None:
    segments = at(window(), plan("long", repeat=False, fallback="slate"), 1012.0)

    assert [item.origin for item in segments] == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("url", ["gone", "silent"])
def test_what_cannot_play_never_does(url: str) -> None:
    assert at(window(), plan(url), 1900.0) == []


def test_fallback_instead_of_a_missing_file() -> None:
    assert len(at(window(), plan("gone", fallback="slate"), 1004.0)) == 2


def test_a_program_of_the_future_begins_when_it_is_due() -> None:
    view, later = window(), plan("long", begins=1100.0)

    assert at(view, later, 1050.0) == []
    assert at(view, later, 1103.0)[0].start == pytest.approx(1100.0)


def test_a_changed_schedule_goes_on_with_the_next_segment() -> None:
    view = window()
    before = at(view, plan("long"), 1004.0)

    after = at(view, plan("slate", begins=1004.0), 1008.0)

    assert [item.number for item in after] == [0, 1, 2, 3]
    assert after[:2] == before
    # The segment that had begun is finished first.
    assert [item.origin for item in after] == [0, 0, 0, 1]


class Growing:
    """A package that ffmpeg is still working at."""

    broken = False
    complete = False
    segment_seconds = 2.0
    facts = MediaFacts(duration=100.0, width=640, height=360)

    def __init__(self) -> None:
        self.done = 0

    def durations(self) -> tuple[float, ...]:
        return (2.0,) * self.done

    def codec(self, track: int) -> str:
        raise NotImplementedError

    async def init(self, track: int) -> bytes:
        raise NotImplementedError

    async def segment(self, track: int, index: int, shift: float) -> bytes:
        raise NotImplementedError


def test_a_file_in_the_making_lags_and_catches_up() -> None:
    growing = Growing()
    view = LiveWindow(1000.0, 1000.0, 10, lambda _: growing)

    assert at(view, plan("new"), 1010.0) == []
    growing.done = 2
    assert len(at(view, plan("new"), 1010.0)) == 2
    growing.done = 50
    assert [item.index for item in at(view, plan("new"), 1010.0)] == [0, 1, 2, 3, 4]


def test_far_behind_plays_what_there_is() -> None:
    growing = Growing()
    growing.done = 3
    view = LiveWindow(1050.0, 1050.0, 10, lambda _: growing)

    assert at(view, plan("new"), 1055.0)
