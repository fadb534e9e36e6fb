"""A channel's life by the clock."""

from pathlib import Path
from random import Random

import pytest

from streaming_service.devkit.ome.channel import Channel, Ticks
from streaming_service.devkit.ome.packager import Package
from streaming_service.devkit.ome.schedule import Item, Program, Schedule, StreamSpec
from streaming_service.devkit.ome.synthetic import SyntheticPackager
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.webhooks import local_outputs, no_outputs
from streaming_service.domain.ladder import parse_ladder

LADDER = parse_ladder("360p|640x360|800")
PACKAGES = SyntheticPackager()


def open_item(url: str) -> Package | None:
    return PACKAGES.open(Path(url), LADDER, 2.0)


def schedule(name: str = "p1", *, repeat: bool = True) -> Schedule:
    return Schedule(StreamSpec("channel"), (Program(name, "", 1000.0, repeat=repeat, items=(Item("file://a"),)),))


def channel(timing: Timing, written: float = 1000.2, *, repeat: bool = True) -> Channel:
    return Channel(
        schedule(repeat=repeat),
        written=written,
        ticks=Ticks(1000.0, timing.poll),
        timing=timing,
        random=Random(7),
        open_item=open_item,
    )


@pytest.mark.parametrize(("moment", "look"), [(1000.0, 1000.5), (1000.2, 1000.5), (1000.5, 1001.0)])
def test_ticks(moment: float, look: float) -> None:
    assert Ticks(1000.0, 0.5).after(moment) == pytest.approx(look)


def test_no_rhythm_means_at_once() -> None:
    assert Ticks(1000.0, 0).after(1003.0) == 1003.0


@pytest.mark.parametrize("written", [1000.0, 1000.1, 1000.25, 1000.49])
def test_appears_within_the_measured_time(written: float) -> None:
    made = channel(Timing(), written)

    assert 0.1 <= made.appears - written <= 0.9
    assert not made.listed(made.appears - 0.01)
    assert made.listed(made.appears)
    assert made.segments(made.plays - 0.01) == []
    assert made.segments(made.plays)


def test_empty_answers_come_before_the_playlist() -> None:
    made = channel(Timing(empty_share=1.0))

    assert not made.empty_answer(made.appears)
    assert made.empty_answer(made.plays - 0.1)
    assert not made.empty_answer(made.plays)


def test_deleted_lingers() -> None:
    made = channel(Timing())
    made.delete(1010.0)

    assert made.listed(1012.3)
    assert made.gone(1012.9)
    assert not made.listed(1012.9)


def test_patch_is_seen_at_the_next_look() -> None:
    made = channel(Timing())
    made.patch(schedule("p2"), 1010.1)

    assert made.schedule(1010.4) == schedule()
    assert made.schedule(1010.5) == schedule("p2")


def test_second_patch_in_one_second_is_lost() -> None:
    """The recorded case: one picked up by a look, another within the same second of the clock."""
    made = channel(Timing())
    made.patch(schedule("a"), 1010.05)
    assert made.schedule(1010.5) == schedule("a")

    made.patch(schedule("b"), 1010.7)

    assert made.schedule(1020.0) == schedule("a")
    made.patch(schedule("c"), 1020.0)
    assert made.schedule(1021.0) == schedule("c")


def test_two_patches_between_looks_last_wins() -> None:
    made = channel(Timing())
    made.patch(schedule("a"), 1010.05)
    made.patch(schedule("b"), 1010.1)

    assert made.schedule(1010.5) == schedule("b")


def test_the_output_stream_comes_between_the_stream_and_its_playlist() -> None:
    made = channel(Timing())
    assert not made.has_outputs(made.plays), "nobody has said what it is served as"
    made.outputs = local_outputs(LADDER)

    assert not made.has_outputs(made.appears)
    assert not made.has_outputs(made.appears + 0.9)
    assert made.has_outputs(made.appears + 1.0)
    assert made.segments(made.appears + 1.0) == []


def test_a_stream_without_playlists_has_no_output() -> None:
    made = channel(Timing())
    made.outputs = no_outputs(LADDER)

    assert not made.has_outputs(made.plays)


def test_what_has_played_once_keeps_its_output() -> None:
    """Also when nobody has looked since: a copy is concluded and stopped after the end."""
    made = channel(Timing(), repeat=False)
    made.outputs = local_outputs(LADDER)

    assert made.on_air(1100.0).program is None
    assert made.has_outputs(1100.0)
    assert len(made.segments(1100.0)) == 3
    made.conclude(1100.0)
    assert len(made.segments(1100.0)) == 4
