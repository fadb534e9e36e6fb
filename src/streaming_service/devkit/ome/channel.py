"""One scheduled channel from its POST to its end. Everything is worked out from the clock when somebody asks."""

from random import Random

from msgspec import Struct

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.feeds import STREAM, Feeds
from streaming_service.devkit.ome.live import LiveWindow, OpenItem, Segment, usable
from streaming_service.devkit.ome.pace import Pace
from streaming_service.devkit.ome.packager import Package
from streaming_service.devkit.ome.schedule import Item, Playhead, Program, Schedule, current_program, playhead
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.webhooks import Outputs

_END_OF_TIME = float("inf")
_PARTS = 4  # in a segment: 0.5 s of 2 s


class OnAir(Struct, frozen=True):
    """What `currentProgram` shows. No program: off air; a program without a head: none of its files opens."""

    program: Program | None = None
    head: Playhead | None = None


class Channel:
    """Times are seconds since the epoch. `tick` gives the next moment at which OME looks into its folder.

    `outputs` is None until it is known what the channel is served as. `feeds` are the publishers that it may show,
    `pace` tells how far it falls behind; without one it never does.
    """

    source_type = "Scheduled"
    source_url = ""

    def __init__(
        self,
        schedule: Schedule,
        *,
        written: float,
        ticks: "Ticks",
        timing: Timing,
        random: Random,
        open_item: OpenItem,
        feeds: Feeds | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._ticks = ticks
        self._timing = timing
        self._random = random
        self.appears = ticks.after(written) + random.uniform(*timing.appear)
        self.plays = self.appears + timing.warm_up
        has_empty = random.random() < timing.empty_share
        self._empty_from = self.appears + timing.warm_up * timing.empty_from if has_empty else self.plays
        self._gone = _END_OF_TIME
        # OME notices a changed file by its time in whole seconds: a second change in that second is lost.
        self._file = self._loaded = schedule
        self._file_second = self._loaded_second = int(written)
        self._look_at: float | None = None
        self._outputs_from = self.appears + timing.warm_up * timing.empty_from
        begins = self.plays - timing.segment_seconds
        self._feeds = feeds or Feeds()
        self._pace = pace
        self.window = LiveWindow(begins, self.appears, timing.window, open_item, self._feeds)
        self._open = open_item
        self.outputs: Outputs | None = None
        self.bytes_out = 0
        self.last_sent = self.appears

    def rewrite(self, schedule: Schedule, now: float) -> None:
        """A second POST before OME has looked: the file is overwritten."""
        self._file = self._loaded = schedule
        self._file_second = self._loaded_second = int(now)

    def patch(self, schedule: Schedule, now: float) -> None:
        self.schedule(now)
        self._file, self._file_second = schedule, int(now)
        self._look_at = self._look_at or self._ticks.after(now)

    def delete(self, now: float) -> None:
        self._gone = now + self._random.uniform(*self._timing.linger)

    def schedule(self, now: float) -> Schedule:
        """What OME has loaded, which may be older than what was written."""
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            if self._file_second != self._loaded_second:
                self._loaded, self._loaded_second = self._file, self._file_second
        return self._loaded

    @property
    def audio(self) -> bool:
        """Whether the channel has sound once it plays."""
        return self._loaded.stream.audio_track and (self.outputs is None or self.outputs.audio)

    @property
    def deleted(self) -> bool:
        return self._gone != _END_OF_TIME

    def listed(self, now: float) -> bool:
        return self.appears <= now < self._gone

    def gone(self, now: float) -> bool:
        return now >= self._gone

    def on_air(self, now: float) -> OnAir:
        schedule = self.schedule(now)
        program = current_program(schedule, now, self.window.length_of)
        if program is None:
            return OnAir()
        head = playhead(program.items, now - program.begins, self.window.length_of)
        if head and self._stuck(head, schedule):
            head = Playhead(head.item, 0.0)
        if head and head.item.url.startswith(STREAM):
            # On air either way, and the position is that of whatever is shown in its place.
            since = self._feeds.last_change(head.item.url, now) or self.appears
            head = Playhead(head.item, now - max(since, self.appears))
        return OnAir(program, head)

    def segments(self, now: float) -> list[Segment]:
        """The chunklist; empty as long as the channel cannot be played."""
        media_time = self._media_time(now)
        if media_time < self.plays:
            return []
        self.window.roll(self.schedule(now), media_time)
        return self.window.listed(media_time)

    def begun(self, now: float) -> int:
        """The highest media sequence number of which something is out; -1 before the first."""
        self.segments(now)
        return self.window.begun(self._media_time(now), self.part_seconds)

    @property
    def part_seconds(self) -> float:
        """Length of a part of a segment."""
        return self._timing.segment_seconds / _PARTS

    @property
    def first_chunklist(self) -> int:
        """The media sequence number that chunklists wait for."""
        return self._timing.first_chunklist

    def find(self, number: int, now: float) -> Segment | None:
        """A segment that the chunklist lists, or listed lately."""
        return self.window.find(number, self._media_time(now))

    def conclude(self, now: float, overstated: float = 0.0) -> None:
        """The stream is over for viewers; repeatable. `overstated`: seconds too many in the last EXTINF (0.20)."""
        self.window.conclude(self.schedule(now), self._media_time(now), overstated)

    def has_outputs(self, now: float) -> bool:
        """Whether the output stream exists: a while after the input stream, and as long as that."""
        served = self.outputs is not None and bool(self.outputs.playlists)
        return served and now >= self._outputs_from and self.source_facts(now) is not None

    def empty_answer(self, now: float) -> bool:
        """Playlists answer 201 without a body at this stage, if the media is going to come at all."""
        return self._empty_from <= now < self.plays and self.package(now) is not None

    def package(self, now: float) -> Package | None:
        """The file that plays, or would play at once; None when nothing can."""
        head = self.on_air(now).head
        schedule = self.schedule(now)
        for item in self._playing(head, schedule, now):
            package = self._open(item.url)
            if package and package.facts and usable(package, schedule):
                return package
        return None

    def facts(self, now: float) -> MediaFacts | None:
        """What comes in; None as long as that is not known, and when nothing does."""
        package = self.package(now)
        return package.facts if package else None

    def source_facts(self, now: float) -> MediaFacts | None:
        """What comes in, or came in first: a stream keeps what it is when its program is over."""
        facts = self.facts(now)
        if facts is None:
            self.segments(now)
            first = self.window.origin(0)
            return first.facts if first else None
        return facts

    def _playing(self, head: Playhead | None, schedule: Schedule, now: float) -> list[Item]:
        """The item that is on, with `stream://` looked through; the fallback where there is none."""
        fallback = list(schedule.fallback or ())
        if head is None or not head.item.url.startswith(STREAM):
            return [head.item] if head else fallback
        feed = self._feeds.at(head.item.url, now)
        return [Item(feed.file), *fallback] if feed else fallback

    def _media_time(self, now: float) -> float:
        return now - self._pace.lag(self.appears, now) if self._pace else now

    def _stuck(self, head: Playhead, schedule: Schedule) -> bool:
        package = self._open(head.item.url)
        return package is not None and not usable(package, schedule)


class Ticks:
    """The rhythm in which OME looks into its ScheduleFilesDir."""

    def __init__(self, start: float, poll: float) -> None:
        self._start = start
        self._poll = poll

    def after(self, moment: float) -> float:
        """The first look after `moment`."""
        if self._poll <= 0:
            return moment
        return self._start + (int((moment - self._start) / self._poll) + 1) * self._poll
