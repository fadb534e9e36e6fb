"""Who is shown for a `stream://` item, and what a channel's window makes of it."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.devkit.media import MediaFacts
from streaming_service.devkit.ome.feeds import Feed, Feeds
from streaming_service.devkit.ome.live import LiveWindow, Segment
from streaming_service.devkit.ome.packager import Package
from streaming_service.devkit.ome.schedule import Item, Program, Schedule, StreamSpec
from streaming_service.devkit.ome.synthetic import SyntheticPackager
from streaming_service.domain.ladder import parse_ladder

CAM = "stream://default/reels/cam1"
LADDER = parse_ladder("360p|640x360|800")
PACKAGES = SyntheticPackager({"live": MediaFacts(duration=8.0, width=320, height=180)})
SCHEDULE = Schedule(
    StreamSpec("channel"), (Program("live", "", 0.0, repeat=True, items=(Item(CAM),)),), (Item("file://slate"),)
)


def open_item(url: str) -> Package | None:
    return PACKAGES.open(Path(url.removeprefix("file://")), LADDER, 2.0)


def published(begins: float, until: float | None = None) -> Feeds:
    feeds = Feeds()
    feeds.begin(CAM, Feed("file://live", begins, begins + 1.1))
    if until is not None:
        feeds.end(CAM, until)
    return feeds


def at(view: LiveWindow, now: float) -> list[Segment]:
    view.roll(SCHEDULE, now)
    return view.listed(now)


def test_a_feed_is_shown_between_its_moments() -> None:
    feeds = published(1000.0, until=1010.0)

    shown = {moment: feeds.at(CAM, moment) is not None for moment in (1000.0, 1001.0, 1001.1, 1009.9, 1010.0)}

    assert shown == {1000.0: False, 1001.0: False, 1001.1: True, 1009.9: True, 1010.0: False}
    assert feeds.at("stream://default/reels/other", 1005.0) is None


def test_changes() -> None:
    feeds = published(1000.0, until=1010.0)

    assert [feeds.next_change(CAM, moment) for moment in (0.0, 1001.1, 1010.0)] == [1001.1, 1010.0, None]
    assert [feeds.last_change(CAM, moment) for moment in (1001.0, 1001.1, 2000.0)] == [None, 1001.1, 1010.0]


def test_who_leaves_at_once_is_never_shown() -> None:
    feeds = published(1000.0, until=1000.5)

    assert feeds.at(CAM, 1001.2) is None
    assert feeds.next_change(CAM, 0.0) is None


def test_the_slate_is_cut_where_the_publisher_comes() -> None:
    feeds = Feeds()
    view = LiveWindow(1000.0, 1000.0, 100, open_item, feeds)
    assert [item.origin for item in at(view, 1004.5)] == [0, 0]

    feeds.begin(CAM, Feed("file://live", 1004.0, 1005.1))
    segments = at(view, 1009.5)

    assert [(item.origin, round(item.duration, 1), item.cut) for item in segments] == [
        (0, 2.0, False),
        (0, 2.0, False),
        (0, 1.1, True),
        (1, 2.0, False),
        (1, 2.0, False),
    ]
    # The file's first frame, at 0, is moved to where the slate ended.
    assert segments[3].start == pytest.approx(1005.1)
    assert segments[3].shift == pytest.approx(5.1)

    feeds.end(CAM, 1010.1)
    segments = at(view, 1012.2)

    assert [(item.origin, round(item.end, 1), item.cut) for item in segments[-2:]] == [
        (1, 1010.1, True),
        (2, 1012.1, False),
    ]


@pytest.mark.parametrize(("begins", "floor"), [(998.0, 1000.0), (999.4, 1000.2), (1000.7, 1000.3)])
def test_publishers_come_and_go_on_time_however_early_the_slate_began(begins: float, floor: float) -> None:
    feeds = published(1004.0, until=1010.1)

    segments = at(LiveWindow(begins, floor, 100, open_item, feeds), 1020.0)

    live = [item for item in segments if item.origin == 1]
    assert (live[0].start, live[-1].end) == (pytest.approx(1005.1), pytest.approx(1010.1))
    assert live[0].index == 0
    assert [item.origin for item in segments] == sorted(item.origin for item in segments)


def test_whoever_comes_in_a_silence_does_not_bring_back_what_is_over() -> None:
    once = Program("once", "", 1000.0, repeat=False, items=(Item("file://slate", duration=4000),))
    later = Program("later", "", 2000.0, repeat=True, items=(Item(CAM),))
    view = LiveWindow(999.0, 1000.0, 100, open_item, published(1002.4, until=1020.0))
    schedule = Schedule(SCHEDULE.stream, (once, later))

    for tenth in range(300):
        view.roll(schedule, 1000.0 + tenth / 10)

    assert [item.index for item in view.listed(1030.0)] == [0]


def test_nothing_is_cut_after_a_conclusion() -> None:
    feeds = Feeds()
    view = LiveWindow(1000.0, 1000.0, 100, open_item, feeds)
    view.conclude(SCHEDULE, 1004.5)
    concluded = view.listed(1004.5)

    feeds.begin(CAM, Feed("file://live", 1004.0, 1005.1))

    assert at(view, 1009.5) == concluded


def test_without_a_fallback_it_begins_with_the_publisher() -> None:
    feeds = Feeds()
    view, alone = LiveWindow(1000.0, 1000.0, 10, open_item, feeds), Schedule(SCHEDULE.stream, SCHEDULE.programs)
    view.roll(alone, 1010.0)
    feeds.begin(CAM, Feed("file://live", 1010.0, 1011.0))

    view.roll(alone, 1030.0)

    first = view.listed(1013.0)[0]
    assert (first.start, first.index) == (pytest.approx(1010.0), 0), "whole, although it began before"


@given(
    st.lists(st.tuples(st.floats(0.5, 9), st.floats(1.2, 9)), max_size=4),
    st.lists(st.floats(0.05, 5), min_size=1, max_size=40),
)
def test_whoever_comes_and_goes_the_time_line_has_no_gap(visits: list[tuple[float, float]], steps: list[float]) -> None:
    """Events become known when they happen, and looks fall anywhere between them."""
    feeds, now = Feeds(), 1000.0
    view = LiveWindow(1000.0, 1000.0, 1000, open_item, feeds)
    events: list[tuple[float, bool]] = []
    moment = 1000.0
    for away, there in visits:
        events += [(moment + away, True), (moment + away + there, False)]
        moment += away + there
    seen: list[Segment] = []
    for step in steps:
        now += step
        while events and events[0][0] <= now:
            when, came = events.pop(0)
            feeds.begin(CAM, Feed("file://live", when, when + 1.1)) if came else feeds.end(CAM, when + 0.1)
        listed = at(view, now)
        assert listed[: len(seen)] == seen, "what was listed stays as it is"
        seen = listed
    for before, after in itertools.pairwise(seen):
        assert after.number == before.number + 1
        assert after.start == pytest.approx(before.end)
        assert after.duration >= 0.1 - 1e-9
