"""The live window of a channel: which segment of which file is which media sequence number.

Nothing runs in the background: whoever looks at the window first rolls it forward to the present.
"""

from collections import deque
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.devkit.ome.feeds import STREAM, Feeds
from streaming_service.devkit.ome.packager import Cuts, Package
from streaming_service.devkit.ome.schedule import (
    Item,
    Playhead,
    Schedule,
    current_program,
    item_length,
    next_start,
    playhead,
)

OpenItem = Callable[[str], Package | None]

# Nothing is cut shorter: a segment holds a few frames of picture and sound at least.
_SHORTEST = 0.1
# Seconds since the epoch are exact to less than this.
_SAME = 1e-6


class Segment(Struct, frozen=True):
    """`start` in seconds since the epoch, `shift` what must be added to the timestamps inside of it.

    `origin` counts the source files of the channel: where it changes, so does the init segment. `cut`: its item ended,
    or the channel went over to another source, before the end of what the package holds.
    """

    number: int
    start: float
    duration: float
    package: Package
    index: int
    shift: float
    origin: int
    cut: bool = False

    @property
    def end(self) -> float:
        return self.start + self.duration


class LiveWindow:
    """Segments of one channel. `begins` is when its first segment starts, `floor` when the channel appeared.

    `feeds` are the publishers behind `stream://` items.
    """

    def __init__(self, begins: float, floor: float, size: int, open_item: OpenItem, feeds: Feeds | None = None) -> None:
        self._cursor = begins
        self._floor = floor
        self._size = size
        self._open = open_item
        self._feeds = feeds or Feeds()
        # Twice the window, so that a player which has just read a chunklist finds all of it.
        self._segments: deque[Segment] = deque(maxlen=2 * size + 1)
        self._origins: list[Package] = []
        self._zero: float | None = None
        # Seconds by which what is played lies behind the schedule (negative: before it), since the first segment.
        self._lag = 0.0
        # The segment that nothing follows: OME completes a segment when the next one begins.
        self._open_end: int | None = None
        self.concluded = False

    def roll(self, schedule: Schedule, now: float) -> None:
        """Append what has begun to play since the last look, in the order of the schedule."""
        if self.concluded:
            return
        self._cut_last(schedule)
        while self._cursor <= now:
            at = self._clock - self._lag
            found = self._due(schedule, at)
            if found is None:
                if not self._skip_silence(schedule, at, now):
                    return
            elif not self._append(*found, self._next_change(schedule, self._cursor)):
                return  # ffmpeg has not finished that segment: the playlist lags, as an overloaded OME's does

    def listed(self, now: float) -> list[Segment]:
        """The complete segments of the chunklist."""
        return [segment for segment in self._segments if self._complete(segment, now)][-self._size :]

    def begun(self, now: float, part: float) -> int:
        """The highest number of which something is out: its first part of so many seconds, or all; -1 without any.

        The rest of an item that is shorter than that stays in the encoder until something follows, or a conclusion.
        """

        def out(segment: Segment) -> bool:
            return self._complete(segment, now) or (segment.duration >= part and segment.start + part <= now)

        return max((segment.number for segment in self._segments if out(segment)), default=-1)

    def find(self, number: int, now: float) -> Segment | None:
        return next((item for item in self._segments if item.number == number and self._complete(item, now)), None)

    def conclude(self, schedule: Schedule, now: float, overstated: float = 0.0) -> None:
        """The last roll: what has begun is complete, and nothing follows any more.

        OME cuts off what has begun where it is; ours plays it whole. `overstated` seconds are added to its duration.
        """
        self.roll(schedule, now)
        if self._segments and not self.concluded:
            last = self._segments.pop()
            self._segments.append(replace(last, duration=last.duration + overstated))
        self.concluded = True

    def origin(self, number: int) -> Package | None:
        """The source file with this count; 0 is the one the channel began with."""
        return self._origins[number] if number < len(self._origins) else None

    def length_of(self, url: str) -> float | None:
        """Seconds behind an item's URL, for the schedule's arithmetic."""
        if not url.startswith("file://"):
            return float("inf")
        package = self._open(url)
        if package is None or package.broken:
            return None
        # Not examined yet: on air at its beginning, for as long as that takes.
        return package.facts.duration if package.facts else float("inf")

    @property
    def _clock(self) -> float:
        """When what is chosen next begins. Publishers come and go by it, whatever the lag behind the schedule."""
        return max(self._cursor, self._floor)

    def _complete(self, segment: Segment, now: float) -> bool:
        return self.concluded or (segment.end <= now and segment.number != self._open_end)

    def _due(self, schedule: Schedule, at: float) -> tuple[Playhead, Package] | None:
        """What is to play at `at`: not the rest of an item whose last segment has been played, but what follows it."""
        found = self._choose(schedule, at)
        last = self._segments[-1] if self._segments else None
        if found is None or last is None or last.package is not found[1]:
            return found
        head, package = found
        left = item_length(head.item, self.length_of) - head.position
        near_its_end = left < min(head.position, 1.5 * package.segment_seconds)
        over = near_its_end and self._played_out(head.item, package, Cuts(package.durations()), last)
        return self._choose(schedule, at + left + _SAME) if over else found

    def _choose(self, schedule: Schedule, at: float) -> tuple[Playhead, Package] | None:
        program = current_program(schedule, at, self.length_of)
        candidates = [(program.items, at - program.begins)] if program else []
        candidates.append((schedule.fallback or (), max(0.0, at - self._floor)))
        for items, elapsed in candidates:
            head = playhead(items, elapsed, self.length_of)
            if head and head.item.url.startswith(STREAM):
                head = self._live(head.item.url)
            package = self._open(head.item.url) if head else None
            if head and package and usable(package, schedule):
                return head, package
        return None

    def _live(self, url: str) -> Playhead | None:
        """Where in its file the publisher is; None when there is none, or nothing of its file can be served yet."""
        feed = self._feeds.at(url, self._clock)
        package = self._open(feed.file) if feed else None
        if feed is None or package is None or not package.durations():
            return None
        return playhead((Item(feed.file),), self._clock - feed.begins, self.length_of)

    def _next_change(self, schedule: Schedule, after: float) -> float | None:
        """When a publisher comes or goes next, as far as is known."""
        changes = [self._feeds.next_change(url, after) for url in streams_of(schedule)]
        return min((change for change in changes if change is not None), default=None)

    def _cut_last(self, schedule: Schedule) -> None:
        """A publisher came or went in the middle of the segment that nobody has been shown yet."""
        last = self._segments[-1] if self._segments else None
        if last is None or abs(last.end - self._cursor) > _SAME:
            return
        change = self._next_change(schedule, last.start)
        if change is not None and change < last.end:
            duration, self._cursor = _until(change, last.start, last.duration)
            self._segments[-1] = replace(last, duration=duration, cut=True)

    def _skip_silence(self, schedule: Schedule, at: float, now: float) -> bool:
        """Nothing plays at `at`. True when something may by now."""
        self._open_end = self._segments[-1].number if self._segments else None
        starts = [next_start(schedule, at), self._next_change(schedule, self._clock)]
        start = min((moment for moment in starts if moment is not None), default=None)
        if start is None or start > now:
            # The schedule's time must not go back: what has just ended would begin again.
            self._cursor = now
            return False
        self._cursor, self._lag = start, 0.0
        return True

    def _append(self, head: Playhead, package: Package, change: float | None) -> bool:
        """False when the package lacks that segment. It ends at `change`, should that be first."""
        cuts = Cuts(package.durations())
        wanted = head.item.start / 1000 + head.position
        index = self._next_index(head.item, package, cuts, wanted)
        if index is None:
            return False
        if self._zero is None:
            # Join in step with the wall clock: the first segment began when its first frame was due.
            due = self._clock - (wanted - cuts.starts[index])
            self._cursor -= min(max(wanted - cuts.starts[index], 0.0), package.segment_seconds)
            self._zero = self._cursor
            self._lag = self._cursor - due
        if not self._origins or self._origins[-1] is not package:
            self._origins.append(package)
        whole = cuts.duration(index)
        left = head.item.start / 1000 + item_length(head.item, self.length_of) - cuts.starts[index]
        duration, end = _until(change, self._cursor, min(whole, max(left, _SHORTEST)))
        segment = Segment(
            number=self._segments[-1].number + 1 if self._segments else 0,
            start=self._cursor,
            duration=duration,
            package=package,
            index=index,
            shift=self._cursor - self._zero - cuts.starts[index],
            origin=len(self._origins) - 1,
            cut=duration < whole - _SAME,
        )
        self._segments.append(segment)
        self._cursor, self._open_end = end, None
        return True

    def _next_index(self, item: Item, package: Package, cuts: Cuts, wanted: float) -> int | None:
        """The segment to play at position `wanted`: the one after the last, unless that is far from it."""
        if not len(cuts):
            return None
        last = self._segments[-1] if self._segments else None
        length = item_length(item, self.length_of)
        if last and last.package is package:
            first = cuts.index_at(item.start / 1000)
            following = first if self._played_out(item, package, cuts, last) else last.index + 1
            distance = abs(cuts.starts[min(following, len(cuts))] - wanted)
            if min(distance, abs(length - distance)) < 1.5 * package.segment_seconds:
                return following if following < len(cuts) else None
        if package.complete or wanted < cuts.starts[-1]:
            return cuts.index_at(wanted)
        missing = (wanted - cuts.starts[-1]) / package.segment_seconds
        # Far behind, better something that plays now than nothing until the rest is made.
        return None if missing < 3 else cuts.index_at(wanted % cuts.starts[-1])

    def _played_out(self, item: Item, package: Package, cuts: Cuts, last: Segment) -> bool:
        """Whether `last` is the last segment of this item."""
        following = last.index + 1
        if following >= len(cuts):
            return package.complete
        return cuts.starts[following] >= item.start / 1000 + item_length(item, self.length_of) - 1e-3


def _until(change: float | None, start: float, whole: float) -> tuple[float, float]:
    """Duration and end of a segment that is over at `change`; that very moment, whatever the sum would be."""
    if change is None or change >= start + whole:
        return whole, start + whole
    if change - start >= _SHORTEST:
        return change - start, change
    shortest = min(whole, _SHORTEST)
    return shortest, start + shortest


def streams_of(schedule: Schedule) -> set[str]:
    """The `stream://` URLs in its programs."""
    items = [item for program in schedule.programs or () for item in program.items]
    return {item.url for item in items if item.url.startswith(STREAM)}


def usable(package: Package, schedule: Schedule) -> bool:
    """Whether this file can play on this channel, as far as is known: until it was examined, it may.

    A track that is asked for and not there keeps a channel from ever starting.
    """
    facts = package.facts
    if package.broken or facts is None:
        return not package.broken
    return facts.video and (facts.audio or not schedule.stream.audio_track)
