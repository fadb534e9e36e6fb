"""What a scheduled channel plays at which moment. Pure: times are seconds since the epoch and come in.

Observed on OME 0.20 and 0.21: the position is (now - scheduled) modulo the program's length, `repeat: false` ends
the program at its length, and the last program that has begun is the current one.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct


class Item(Struct, frozen=True):
    """`start` and `duration` in milliseconds; -1 plays the file, cut down to whole seconds."""

    url: str
    start: int = 0
    duration: int = -1


class Program(Struct, frozen=True):
    """`scheduled` is the text that was sent, `begins` the same moment as seconds since the epoch."""

    name: str
    scheduled: str
    begins: float
    repeat: bool
    items: tuple[Item, ...]


class StreamSpec(Struct, frozen=True):
    """The part of a scheduled channel that PATCH cannot change."""

    name: str
    bypass_transcoder: bool = False
    video_track: bool = True
    audio_track: bool = True


class Schedule(Struct, frozen=True):
    """The content of one `.sch` file; `None` where the field was not sent."""

    stream: StreamSpec
    programs: tuple[Program, ...] | None = None
    fallback: tuple[Item, ...] | None = None


class Playhead(Struct, frozen=True):
    """`position` is in seconds since the beginning of `item`."""

    item: Item
    position: float


FileLength = Callable[[str], float | None]
"""Seconds of the media behind an item's URL; None when it cannot be opened, infinite for a live stream."""


def current_program(schedule: Schedule, now: float, length_of: FileLength) -> Program | None:
    """The program that is on its slot now: begun, not over, and not followed by one that has begun too."""
    begun = [program for program in schedule.programs or () if program.begins <= now]
    if not begun:
        return None
    program = max(begun, key=lambda candidate: candidate.begins)
    length = sum(item_length(item, length_of) for item in program.items)
    if not program.repeat and 0 < length <= now - program.begins:
        return None
    return program


def program_end(schedule: Schedule, program: Program) -> float | None:
    """When the next program takes over, None when there is none."""
    later = [other.begins for other in schedule.programs or () if other.begins > program.begins]
    return min(later, default=None)


def next_start(schedule: Schedule, after: float) -> float | None:
    """The first moment after `after` at which a program begins."""
    return min((program.begins for program in schedule.programs or () if program.begins > after), default=None)


def playhead(items: tuple[Item, ...], elapsed: float, length_of: FileLength) -> Playhead | None:
    """Where a looping list of items is after `elapsed` seconds; None when nothing in it can be opened."""
    lengths = [item_length(item, length_of) for item in items]
    whole = sum(lengths)
    if whole <= 0:
        return None
    left = elapsed if math.isinf(whole) else elapsed % whole
    for item, length in zip(items, lengths, strict=True):
        if left < length:
            return Playhead(item, left)
        left -= length
    return None


def item_length(item: Item, length_of: FileLength) -> float:
    """Seconds an item plays: 0 when its file cannot be opened, or is all to be played and shorter than a second."""
    length = length_of(item.url) or 0.0
    begins = item.start / 1000
    if item.duration < 0:
        # OME takes the length of a file in whole seconds.
        return max(0.0, length if math.isinf(length) else math.floor(length) - begins)
    return min(max(0.0, length - begins), item.duration / 1000)


def timestamp(moment: float) -> str:
    """Seconds since the epoch as OME writes them: `2026-11-22T13:46:13.591+00:00`."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
