"""The scheduled channels of one application and their `.sch` files, which survive a restart; its other streams, too."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import msgspec

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.channel import Channel, Ticks
from streaming_service.devkit.ome.feeds import Feeds
from streaming_service.devkit.ome.ingest_stream import IngestStream, Source
from streaming_service.devkit.ome.live import streams_of
from streaming_service.devkit.ome.pace import Pace
from streaming_service.devkit.ome.packager import Package, Packager
from streaming_service.devkit.ome.rest import ApiError
from streaming_service.devkit.ome.schedule import Item, Program, Schedule, StreamSpec
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.webhooks import Outputs, local_outputs
from streaming_service.domain.ladder import Ladder

# OME writes XML. Nothing but OME reads these files, so ours are JSON.
_SUFFIX = ".sch"

# Name, creation, source and whether it has sound → what the channel is served as.
AskOutputs = Callable[[str, float, MediaFacts, bool], Awaitable[Outputs]]


class Channels:
    """Raises ApiError with the words of OME. `now` is the clock, seconds since the epoch.

    With `ask` each channel is served as a webhook says, otherwise all are served as the ladder says. `ingest` holds the
    streams of publishers by name. `feeds` and `pace` are those of the whole server.
    """

    def __init__(
        self,
        *,
        ladder: Ladder,
        media_root: Path,
        folder: Path,
        packager: Packager,
        timing: Timing,
        random: Random,
        now: Callable[[], float],
        ask: AskOutputs | None = None,
        feeds: Feeds | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.ingest: dict[str, IngestStream] = {}
        self._feeds = feeds or Feeds()
        self._pace = pace
        self.ladder = ladder
        self.now = now
        self._media_root = media_root.resolve()
        self._folder = folder
        self._packager = packager
        self._timing = timing
        self._random = random
        self._ticks = Ticks(now(), timing.poll)
        self._channels: dict[str, Channel] = {}
        self._ask = ask
        self._asking: set[asyncio.Task[None]] = set()
        # Working out a path costs more than all else that a request does.
        self._paths: dict[str, Path | None] = {}

    def load(self) -> None:
        """What the folder holds, as OME finds it when it starts."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            schedule = msgspec.json.decode(path.read_bytes(), type=Schedule)
            self._channels[schedule.stream.name] = self._new(schedule)

    async def stop(self) -> None:
        """Nothing is asked any more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def create(self, schedule: Schedule) -> None:
        name, now = schedule.stream.name, self.now()
        channel = self._present(name)
        if name in self.ingest or (channel and now >= channel.appears):
            raise ApiError(409, f"Stream '{name}' already exists")
        if not self._write(schedule):
            return
        if channel:
            channel.rewrite(schedule, now)
        else:
            channel = self._channels[name] = self._new(schedule)
        channel.package(now)  # begins to examine and package the file

    def patch(self, channel: Channel, schedule: Schedule) -> None:
        self._write(schedule)
        channel.patch(schedule, self.now())

    def delete(self, channel: Channel, name: str) -> None:
        path = self._path(name)
        if channel.deleted or not path.exists():
            raise ApiError(500, f"Could not delete the schedule file {self._folder}//{name}{_SUFFIX}")
        path.unlink()
        channel.delete(self.now())

    def names(self) -> list[str]:
        return [name for name in list(self._channels) if self.find(name)]

    def streams(self) -> list[str]:
        """Names of everything that is on air."""
        return [*self.names(), *self.ingest]

    def stream(self, name: str) -> Channel | None:
        """A channel or what a publisher sends."""
        return self.ingest.get(name) or self.find(name)

    def find(self, name: str) -> Channel | None:
        """The channel as a stream: listed, and not gone."""
        channel = self._present(name)
        return channel if channel and channel.listed(self.now()) else None

    def on_air(self, now: float) -> int:
        """How many channels there is something to encode for."""
        return sum(1 for channel in self._channels.values() if channel.listed(now) and channel.package(now))

    def prepare(self, url: str, file: str) -> None:
        """A publisher of `stream://…` has come: what it sends is packaged for the channels that will show it."""
        for channel in list(self._channels.values()):
            if url in streams_of(channel.schedule(self.now())):
                self.open_item(file, channel.outputs)

    def add_ingest(self, name: str, file: str, source: Source) -> IngestStream:
        """What a publisher sends as a stream of that name, without outputs so far. It loops `file`."""

        def open_item(url: str) -> Package | None:
            return self.open_item(url, stream.outputs)

        stream = IngestStream(
            Schedule(StreamSpec(name), (Program("", "", self.now(), repeat=True, items=(Item(file),)),)),
            source=source,
            written=self.now(),
            timing=self._timing,
            random=self._random,
            open_item=open_item,
        )
        self.ingest[name] = stream
        return stream

    async def examine(self, url: str) -> MediaFacts | None:
        """What the media file behind `file://…` holds; None when there is none."""
        path = self._file(url)
        return await self._packager.examine(path) if path else None

    def open_item(self, url: str, outputs: Outputs | None) -> Package | None:
        """The media behind `file://…`; None while it is not known what to make of it."""
        path = self._file(url)
        return self._packager.open(path, outputs.ladder, self._timing.segment_seconds) if path and outputs else None

    def _file(self, url: str) -> Path | None:
        """Unlike OME we do not leave the media root: what is outside is missing."""
        if url not in self._paths:
            self._paths[url] = self._below_media_root(url)
        return self._paths[url]

    def _below_media_root(self, url: str) -> Path | None:
        if not url.startswith("file://"):
            return None
        try:
            path = (self._media_root / url.removeprefix("file://").lstrip("/")).resolve()
        except (OSError, ValueError):
            return None
        return path if path.is_relative_to(self._media_root) else None

    def _present(self, name: str) -> Channel | None:
        channel = self._channels.get(name)
        if channel and channel.gone(self.now()):
            del self._channels[name]
            return None
        return channel

    def _new(self, schedule: Schedule) -> Channel:
        def open_item(url: str) -> Package | None:
            return self.open_item(url, channel.outputs)

        channel = Channel(
            schedule,
            written=self.now(),
            ticks=self._ticks,
            timing=self._timing,
            random=self._random,
            open_item=open_item,
            feeds=self._feeds,
            pace=self._pace,
        )
        if self._ask is None:
            channel.outputs = local_outputs(self.ladder)
        else:
            task = asyncio.get_running_loop().create_task(self._decide(self._ask, channel, schedule))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return channel

    async def _decide(self, ask: AskOutputs, channel: Channel, schedule: Schedule) -> None:
        """OME asks once, when it has seen the first frames. Of a file that is not there it never sees any."""
        await asyncio.sleep(max(0.0, channel.appears - self.now()))
        facts = await self._first_facts(schedule)
        name, audio = schedule.stream.name, schedule.stream.audio_track
        channel.outputs = await ask(name, channel.appears, facts, audio) if facts else local_outputs(self.ladder)

    async def _first_facts(self, schedule: Schedule) -> MediaFacts | None:
        items = [item for program in schedule.programs or () for item in program.items]
        for item in (*items, *(schedule.fallback or ())):
            feed = self._feeds.at(item.url, self.now())
            if facts := await self.examine(feed.file if feed else item.url):
                return facts
        return None

    def _write(self, schedule: Schedule) -> bool:
        """False for a name that leads elsewhere: OME writes the file there and never finds it again; we write none."""
        name = schedule.stream.name
        if "/" in name and not (self._folder / name).parent.is_dir():
            raise self._unwritable(name)
        if "/" in name:
            return False
        try:
            self._path(name).write_bytes(msgspec.json.encode(schedule))
        except (OSError, ValueError) as error:
            raise self._unwritable(name) from error
        return True

    def _unwritable(self, name: str) -> ApiError:
        return ApiError(500, f"Could not save the schedule file {self._folder}//{name}{_SUFFIX}")

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"
