"""How long a fragmented MP4 really is, told by its samples (ISO/IEC 14496-12, 8.8).

An LL-HLS segment is several fragments one after the other, a `moof` and its `mdat` for each part. The bytes are taken
for a stranger's: every size is checked against what encloses it, and boxes are counted.
"""

from collections.abc import Generator
from struct import error as StructError  # noqa: N812 - it is a class
from struct import unpack_from
from typing import NamedTuple

_MAX_BOXES = 20_000
_MAX_SECONDS = 86_400.0  # a segment that is longer than a day is a mistake

# 8.8.7: what of the track fragment header is there, each with its size in bytes, before the default duration.
_TFHD_BEFORE_DURATION = ((0x000001, 8), (0x000002, 4))
_TFHD_DURATION = 0x000008
# 8.8.8: the same for the run's head and for each sample's row, whose first field is the duration.
_TRUN_HEAD = ((0x000001, 4), (0x000004, 4))
_TRUN_DURATION = 0x000100
_TRUN_ROW = ((_TRUN_DURATION, 4), (0x000200, 4), (0x000400, 4), (0x000800, 4))


class MalformedFragment(Exception):
    """These bytes are not what they should be; the text says what is wrong."""


class Box(NamedTuple):
    """A box's four-letter kind and where its content lies."""

    kind: bytes
    start: int
    end: int


class Timing(NamedTuple):
    """What an init segment says of a track: ticks per second, and a sample's duration where nothing else is said."""

    timescale: int
    default_duration: int


def segment_seconds(init: bytes, segment: bytes) -> float:
    """Seconds of media in a segment: of its longest track. Raises MalformedFragment, and nothing else."""
    try:
        timings = _timings(init)
        ticks = _ticks(segment, timings)
    except StructError as error:
        raise MalformedFragment("a box is too short for what it has to hold") from error
    seconds = max((count / timings[track].timescale for track, count in ticks.items()), default=0.0)
    if not 0 < seconds <= _MAX_SECONDS:
        raise MalformedFragment(f"its samples last {seconds:g} s")
    return seconds


def _timings(init: bytes) -> dict[int, Timing]:
    """By track id."""
    walk = _Walk(init)
    scales: dict[int, int] = {}
    defaults: dict[int, int] = {}
    for box in walk.inside(b"moov"):
        if box.kind == b"trak":
            track, scale = _track(walk, box)
            scales[track] = scale
        elif box.kind == b"mvex":
            for inner in walk.children(box):
                if inner.kind == b"trex":
                    content = walk.content(inner)
                    track, _, duration = unpack_from(">3I", content, 4)
                    defaults[track] = duration
    if not scales:
        raise MalformedFragment("the init segment has no tracks")
    return {track: Timing(scale, defaults.get(track, 0)) for track, scale in scales.items()}


def _track(walk: "_Walk", trak: Box) -> tuple[int, int]:
    """Track id and ticks per second."""
    track = scale = 0
    for box in walk.children(trak):
        if box.kind == b"tkhd":
            content = walk.content(box)
            (track,) = unpack_from(">I", content, 20 if content[:1] == b"\1" else 12)
        elif box.kind == b"mdia":
            for inner in walk.children(box):
                if inner.kind == b"mdhd":
                    content = walk.content(inner)
                    (scale,) = unpack_from(">I", content, 20 if content[:1] == b"\1" else 12)
    if not track or not scale:
        raise MalformedFragment("a track of the init segment has no id or no timescale")
    return track, scale


def _ticks(segment: bytes, timings: dict[int, Timing]) -> dict[int, int]:
    """The samples' durations, summed up by track id."""
    walk = _Walk(segment)
    ticks: dict[int, int] = {}
    for box in walk.inside(b"moof"):
        if box.kind == b"traf":
            track, duration = _track_fragment(walk, box, timings)
            ticks[track] = ticks.get(track, 0) + duration
    if not ticks:
        raise MalformedFragment("the segment has no track fragments")
    return ticks


def _track_fragment(walk: "_Walk", traf: Box, timings: dict[int, Timing]) -> tuple[int, int]:
    """Track id and the ticks of its samples."""
    track = ticks = default = 0
    for box in walk.children(traf):
        if box.kind == b"tfhd":
            content = walk.content(box)
            (flags, track) = unpack_from(">II", content)
            if track not in timings:
                raise MalformedFragment(f"the init segment knows no track {track}")
            default = timings[track].default_duration
            if flags & _TFHD_DURATION:
                (default,) = unpack_from(">I", content, 8 + _width(flags, _TFHD_BEFORE_DURATION))
        elif box.kind == b"trun":
            ticks += _run(walk.content(box), default)
    if not track:
        raise MalformedFragment("a track fragment has no header")
    return track, ticks


def _run(content: bytes, default: int) -> int:
    """The ticks of one run of samples."""
    flags, count = unpack_from(">II", content)
    row = _width(flags, _TRUN_ROW)
    start = 8 + _width(flags, _TRUN_HEAD)
    if start + row * count > len(content):
        raise MalformedFragment("a run has fewer samples than it says")
    if not flags & _TRUN_DURATION:
        return count * default
    return sum(unpack_from(">I", content, start + row * index)[0] for index in range(count))


def _width(flags: int, fields: tuple[tuple[int, int], ...]) -> int:
    return sum(size for flag, size in fields if flags & flag)


class _Walk:
    """The boxes of one file, each counted."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._boxes = 0

    def inside(self, kind: bytes) -> Generator[Box]:
        """What is in each of the outermost boxes of that kind."""
        for box in self._between(0, len(self._data)):
            if box.kind == kind:
                yield from self.children(box)

    def children(self, parent: Box) -> Generator[Box]:
        yield from self._between(parent.start, parent.end)

    def content(self, box: Box) -> bytes:
        return self._data[box.start : box.end]

    def _between(self, start: int, end: int) -> Generator[Box]:
        while start < end:
            self._boxes += 1
            if self._boxes > _MAX_BOXES:
                raise MalformedFragment("too many boxes")
            if end - start < 8:
                raise MalformedFragment("it ends inside of a box's header")
            size, kind = unpack_from(">I4s", self._data, start)
            header = 8
            if size == 1:
                (size,) = unpack_from(">Q", self._data, start + 8)
                header = 16
            elif size == 0:  # "to the end"
                size = end - start
            if size < header or start + size > end:
                raise MalformedFragment(f"{kind!r} does not fit into what it is in")
            yield Box(kind, start + header, start + size)
            start += size
