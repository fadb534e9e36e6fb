"""An OME, a fleet of them and a manifest bucket, by hand; they keep what `application.ports` promises."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from streaming_service.application.ports import (
    Candidate,
    CopyPlan,
    CopyReport,
    CopyVerdict,
    Origin,
    Playability,
    PlayabilityReport,
    RecordingState,
    Started,
    StreamFigures,
)
from streaming_service.domain.content import Classification
from streaming_service.domain.placement import Placement
from streaming_service.errors import NotFound, UpstreamError, UpstreamRejected
from tests.fakes import FakeClock, Faults


class Held(dict[str, tuple[Placement, datetime]]):
    """Stream name → what it plays and since when."""


class FakeOrigin:
    """An OME as the Origin port shows it: starts take effect at once, streams play `warm_up` seconds later.

    broken    media paths that never play
    silent    media paths without audio: they starve when audio is asked for
    stuck     streams that do not go away
    counted   figures of streams; of others nobody watches
    gate      while it is set, figures wait for it
    looked    streams whose position was asked for
    still     streams that do not move
    pace      media seconds that the others gain per second
    """

    def __init__(self, name: str, clock: FakeClock, applications: Sequence[str], faults: Faults | None = None) -> None:
        self.name = name
        self.clock = clock
        self.faults = faults or Faults()
        self.held: dict[str, Held] = {application: Held() for application in applications}
        self.warm_up = 1.0
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.stuck: set[str] = set()
        self.down: UpstreamError | None = None
        self.starts: list[str] = []
        self.everything_ever: dict[str, list[Placement]] = {}
        self.recorded: set[str] = set()
        self.concluded: set[str] = set()
        self.publishers: dict[str, datetime] = {}
        self.booted: datetime | None = clock.now() - timedelta(hours=1)
        self.during_listing: Callable[[], Any] | None = None
        self.counted: dict[str, StreamFigures] = {}
        self.gate: asyncio.Event | None = None
        self.looked: list[str] = []
        self.still: set[str] = set()
        self.pace = 1.0

    async def start(self, placement: Placement, now: datetime) -> Started:
        held = self._application(placement.application, "ome.start")
        self.starts.append(placement.stream)
        self.everything_ever.setdefault(placement.application, []).append(placement)
        _, since = held.setdefault(placement.stream, (placement, now))
        # A recording begins with the stream; one that was asked for before goes on.
        if placement.recording and (since == now or placement.stream in self.recorded):
            self.recorded.add(placement.stream)
        self.faults.after()
        return Started(since, placement.stream in self.recorded)

    async def holds(self, placement: Placement) -> bool:
        return placement.stream in self._application(placement.application, "ome.holds")

    async def recording(self, placement: Placement) -> RecordingState:
        found = self._application(placement.application, "ome.recording").get(placement.stream)
        if found is None or placement.stream not in self.recorded:
            return RecordingState.INTERRUPTED
        ends = found[1] + timedelta(seconds=placement.duration or 0.0)
        return RecordingState.ENDED if self.clock.now() >= ends else RecordingState.RUNNING

    async def conclude(self, placement: Placement) -> None:
        if placement.stream not in self._application(placement.application, "ome.conclude"):
            raise NotFound(f"{placement.stream} does not exist")
        self.concluded.add(placement.stream)
        self.faults.after()

    async def kick(self, application: str, ingest: str, connected_before: datetime) -> bool:
        self._application(application, "ome.kick")
        since = self.publishers.get(ingest)
        if since is None or since >= connected_before:
            return False
        del self.publishers[ingest]
        self.faults.after()
        return True

    async def booted_at(self) -> datetime | None:
        if self.down:
            raise self.down
        return self.booted

    async def stop(self, application: str, stream: str) -> bool:
        held = self._application(application, "ome.stop")
        if stream in self.stuck:
            return False
        held.pop(stream, None)
        self.faults.after()
        return True

    async def streams(self, application: str) -> frozenset[str]:
        held = self._application(application, "ome.streams")
        listed = frozenset(held)
        if self.during_listing:
            meddle, self.during_listing = self.during_listing, None
            await meddle()
        return listed

    async def playability(self, placement: Placement) -> PlayabilityReport:
        found = self._application(placement.application, "ome.playability").get(placement.stream)
        if found is None:
            return PlayabilityReport(Playability.NOT_YET, "manifest answers 404")
        wanted, since = found
        starved = wanted.audio and wanted.media_path in self.silent
        playing = self.clock.now() >= since + timedelta(seconds=self.warm_up)
        if starved or not playing or wanted.media_path in self.broken:
            return PlayabilityReport(Playability.NOT_YET, "manifest answers 404")
        return PlayabilityReport(Playability.PLAYABLE, fitted=placement.rungs, appeared=since)

    async def figures(self, application: str, stream: str) -> StreamFigures | None:
        held = self._application(application, "ome.figures")
        if self.gate:
            await self.gate.wait()
        return self.counted.get(stream, StreamFigures(0, 1500.0, 0)) if stream in held else None

    async def position(self, application: str, stream: str) -> float | None:
        found = self._application(application, "ome.position").get(stream)
        self.looked.append(stream)
        if found is None or stream in self.still:
            return 100.0 if found else None
        position = (self.clock.now() - found[1]).total_seconds() * self.pace
        once = found[0].recording and found[0].duration
        return min(position, once) if once else position

    async def appearance(self, placement: Placement) -> PlayabilityReport:
        return await self.playability(placement)

    async def starved_of_audio(self, placement: Placement) -> bool:
        found = self._application(placement.application, "ome.starved").get(placement.stream)
        return found is not None and found[0].audio and found[0].media_path in self.silent

    def names(self) -> list[str]:
        """Everything that is on this OME."""
        return sorted(stream for held in self.held.values() for stream in held)

    def restart(self) -> None:
        """What it holds survives, and warms up again; it forgets what it recorded."""
        self.recorded.clear()
        self.booted = self.clock.now()
        for held in self.held.values():
            held.update({stream: (placement, self.clock.now()) for stream, (placement, _) in held.items()})

    def wipe(self) -> None:
        """All its files are gone."""
        self.recorded.clear()
        for held in self.held.values():
            held.clear()

    def _application(self, application: str, call: str) -> Held:
        if self.down:
            raise self.down
        self.faults.before(call)
        if application not in self.held:
            raise UpstreamRejected("ome", f"application {application!r} does not exist on {self.name}", status=404)
        return self.held[application]


class FakeFleet:
    """Origins by name, each with so many seats; new channels go to `preferred` while that has room."""

    def __init__(self, *origins: Origin, capacity: int = 100) -> None:
        self.origins: dict[str, Origin] = {origin.name: origin for origin in origins}
        self.preferred = origins[0].name if origins else ""
        self.capacity: defaultdict[str, int] = defaultdict(lambda: capacity)
        self.down: set[str] = set()
        self.emptied: set[str] = set()

    def candidates(self, classification: Classification, application: str, key: str) -> tuple[Candidate, ...]:
        del classification, application, key
        usable = [name for name in self.origins if name not in self.down | self.emptied]
        ordered = sorted(usable, key=lambda name: name != self.preferred)
        return tuple(Candidate(name, self.capacity[name]) for name in ordered)

    def given_up(self) -> frozenset[str]:
        return frozenset(self.down)

    def leaving(self) -> frozenset[str]:
        return frozenset(self.emptied)

    def origin(self, name: str) -> Origin:
        if name not in self.origins:
            raise NotFound(f"origin {name} is not part of the fleet")
        return self.origins[name]

    def names(self) -> tuple[str, ...]:
        return tuple(self.origins)


class FakeBucket:
    """A manifest bucket: what a fake origin concluded is there and whole, unless it is named in `incomplete`."""

    def __init__(self, origins: Sequence[FakeOrigin], faults: Faults | None = None) -> None:
        self.origins = origins
        self.faults = faults or Faults()
        self.incomplete: set[str] = set()
        self.removed: list[str] = []
        self.down: UpstreamError | None = None

    def copies(self) -> set[str]:
        """Prefixes of the copies that are there, whole or half."""
        made = {
            placement.copy_prefix
            for origin in self.origins
            for held in origin.everything_ever.values()
            for placement in held
            if placement.stream in origin.recorded | origin.concluded
        }
        return made - set(self.removed)

    async def finish(self, plan: CopyPlan) -> CopyReport:
        self._check("bucket.finish")
        if plan.prefix not in self.copies():
            return CopyReport(CopyVerdict.MISSING)
        if plan.prefix in self.incomplete:
            return CopyReport(CopyVerdict.INCOMPLETE, "a segment is missing")
        self.faults.after()
        return CopyReport(CopyVerdict.COMPLETE, duration=plan.duration, files=10, bytes=1000)

    async def remove(self, prefix: str) -> None:
        self._check("bucket.remove")
        self.removed.append(prefix)
        self.faults.after()

    async def check(self) -> None:
        if self.down:
            raise self.down

    def _check(self, call: str) -> None:
        if self.down:
            raise self.down
        self.faults.before(call)
