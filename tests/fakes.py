"""Hand-written stand-ins for the ports, shared by all rings of tests; they keep what `application.ports` promises."""

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.ports import (
    Candidate,
    CatalogEntry,
    CopyPlan,
    CopyReport,
    CopyVerdict,
    MediaFacts,
    Origin,
    Playability,
    PlayabilityReport,
    Receipt,
    RecordingState,
    Started,
    StreamFigures,
)
from streaming_service.domain.access import READ_SCOPE, Viewer
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Notification
from streaming_service.domain.placement import Placement
from streaming_service.errors import NotFound, UpstreamError, UpstreamRejected, UpstreamUnavailable

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
GOOD_FILE = MediaFacts(video=True, audio=True, width=1280, height=720, duration=8.0)


class FakeClock:
    """Time that only tests move.

    By itself a sleeper moves the clock to where it wants to wake up. With `manual` it waits for `advance`.
    """

    def __init__(self, start: datetime = NOW, *, manual: bool = False) -> None:
        self.moment = start
        self.pauses: list[float] = []
        self._manual = manual
        self._sleepers: list[tuple[datetime, int, asyncio.Event]] = []

    def now(self) -> datetime:
        return self.moment

    def time(self) -> float:
        """Unix seconds."""
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self._manual:
            self.advance(seconds)
            await asyncio.sleep(0)
            return
        awake = asyncio.Event()
        heapq.heappush(self._sleepers, (self.moment + timedelta(seconds=seconds), len(self.pauses), awake))
        await awake.wait()

    def advance(self, seconds: float) -> None:
        """Move on, and wake whoever wanted to be woken by then."""
        self.moment += timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= self.moment:
            heapq.heappop(self._sleepers)[2].set()


class Crash(Exception):
    """The process died here: nobody handles it, and the next process goes on from what is stored."""


class Faults:
    """Breaks the nth side effect from now on, before it happens or just after it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._left: int | None = None
        self._error: Exception = Crash()
        self._after = False

    def plan(self, calls_until: int, error: Exception | None = None, *, after: bool = False) -> None:
        """The call after `calls_until` good ones fails; with `after` it happens, and its answer is lost."""
        self._left, self._error, self._after = calls_until, error or Crash("died"), after

    def clear(self) -> None:
        self._left = None

    def before(self, call: str) -> None:
        self.calls.append(call)
        if self._left is not None and not self._after:
            self._count()

    def after(self) -> None:
        if self._left is not None and self._after:
            self._count()

    def _count(self) -> None:
        assert self._left is not None
        self._left -= 1
        if self._left < 0:
            self._left = None
            raise self._error


class FragileStore(MemoryStore):
    """A MemoryStore whose reads and writes of channels can be made to fail, or to lose a race."""

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__()
        self.faults = faults or Faults()
        self.down: Exception | None = None
        self.before_commit: Callable[[Change], Any] | None = None
        self.reads = 0

    async def get(self, content_id: str) -> Channel | None:
        self.reads += 1
        self._check("store.get")
        return await super().get(content_id)

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        self._check("store.commit")
        if self.before_commit:
            meddle, self.before_commit = self.before_commit, None
            await meddle(change)
        written = await super().commit(change, due_at)
        self.faults.after()
        return written

    async def owe(self, notifications: Sequence[Notification]) -> None:
        self._check("store.owe")
        await super().owe(notifications)
        self.faults.after()

    def _check(self, call: str) -> None:
        if self.down:
            raise self.down
        self.faults.before(call)

    def due(self) -> list[datetime]:
        """When channels are due, or may be placed, the earliest first."""
        moments = [moment for record in self._records.values() for moment in (record.due_at, record.queue_at)]
        return sorted(moment for moment in moments if moment)

    def everything_owed(self) -> list[Notification]:
        return [delivery.notification for delivery in self._deliveries]


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


class FakeMedia:
    """Facts by source URI; what is not named is a good file, what is `missing` is not there."""

    def __init__(self) -> None:
        self.facts: dict[str, MediaFacts | None] = {}
        self.missing: set[str] = set()
        self.error: UpstreamError | None = None

    async def inspect(self, source_uri: str) -> MediaFacts | None:
        if self.error:
            raise self.error
        if source_uri in self.missing:
            raise NotFound(f"{source_uri} is not there")
        return self.facts.get(source_uri, GOOD_FILE)


class FakeCatalog:
    """Knows every content, except those in `unknown`."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.entries: dict[str, CatalogEntry] = {}
        self.error: UpstreamError | None = None

    async def find(self, content_id: str, correlation_id: str) -> CatalogEntry | None:
        del correlation_id
        if self.error:
            raise self.error
        return None if content_id in self.unknown else self.entries.get(content_id, CatalogEntry(content_id))


class FakeTokenService:
    """Answers from `viewers`; a token that is not there is not active. While `gate` is set, answers wait for it."""

    def __init__(self) -> None:
        self.viewers: dict[str, Viewer] = {}
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    def knows(self, token: str, *, scopes: Sequence[str] = (READ_SCOPE,), **changes: Any) -> Viewer:
        """Make a token active."""
        self.viewers[token] = Viewer(user_id="user-1", scopes=frozenset(scopes), **changes)
        return self.viewers[token]

    async def introspect(self, token: str, correlation_id: str) -> Viewer | None:
        del correlation_id
        self.asked.append(token)
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return self.viewers.get(token)


class RecordingCourier:
    """Keeps what it was given. Answers from `receipts` in turn, then with 204; `gates` hold receivers up."""

    def __init__(self) -> None:
        self.sent: list[tuple[Notification, dict[str, Any]]] = []
        self.receipts: list[Receipt] = []
        self.by_endpoint: dict[str, Receipt] = {}
        self.gates: dict[str, asyncio.Event] = {}

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        self.sent.append((notification, dict(body)))
        if gate := self.gates.get(notification.endpoint):
            await gate.wait()
        if found := self.by_endpoint.get(notification.endpoint):
            return found
        return self.receipts.pop(0) if self.receipts else Receipt(ok=True, status=204, detail="")

    def ids(self) -> list[str]:
        return [notification.id for notification, _ in self.sent]


class CountingMeter:
    """Counts by name and label, and keeps the durations."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: list[float | None] = []

    def provisioned(self, result: str, seconds: float | None = None) -> None:
        self.counts[f"provisioned {result}"] += 1
        self.seconds.append(seconds)

    def upload_event(self, result: str) -> None:
        self.counts[f"upload {result}"] += 1

    def introspection(self, result: str) -> None:
        self.counts[f"introspection {result}"] += 1

    def delivery(self, endpoint: str, result: str) -> None:
        self.counts[f"{endpoint} {result}"] += 1


def unreachable(retry_after: float | None = None) -> UpstreamUnavailable:
    return UpstreamUnavailable("ome", "cannot be reached", retry_after=retry_after)


async def until(condition: Callable[[], bool], turns: int = 2000) -> None:
    """Let other tasks run until a condition holds; no time passes."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come about")
