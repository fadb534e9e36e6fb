"""Hand-written stand-ins for the ports, shared by all rings of tests; they keep what `application.ports` promises."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.ports import (
    CatalogEntry,
    MediaFacts,
    Receipt,
)
from streaming_service.domain.access import READ_SCOPE, Viewer
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Notification
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.domain.probe_journey import Finding, Journey
from streaming_service.domain.probe_region import Region
from streaming_service.domain.trace import Lineage, TraceContext
from streaming_service.errors import NotFound, UpstreamError, UpstreamUnavailable
from streaming_service.tracing import NO_LINEAGE, NOTHING_KNOWN, Attributes, Kind, fresh_context

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
        return [delivery.notification for delivery in self._deliveries.values()]


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


class FakeProber:
    """Finds what is written down for a region and a target, else that all is well. None: the region is silent."""

    def __init__(self) -> None:
        self.findings: dict[tuple[str, Target], Finding | None] = {}
        self.asked: list[tuple[str, Journey]] = []
        self.before_answer: Callable[[], Awaitable[object]] | None = None

    def fails(self, region: str, verdict: ProbeVerdict, target: Target = Target.PRIMARY) -> None:
        self.findings[region, target] = Finding(verdict, 12.5, 200, f"found {verdict}")

    async def probe(self, region: Region, journey: Journey) -> Finding | None:
        self.asked.append((region.name, journey))
        if self.before_answer:
            await self.before_answer()
        return self.findings.get((region.name, journey.target), Finding(ProbeVerdict.OK, 12.5, 200))


class FakeFailovers:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.asked_for: list[bool] = []

    async def heard(self, observations: Sequence[Observation], *, asked_for: bool = False) -> None:
        self.observations += observations
        self.asked_for.append(asked_for)

    def state(self, content_id: str) -> tuple[str, str]:
        return "failover", f"told about {content_id}"


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

    def probed(self, region: str, target: str, verdict: str) -> None:
        self.counts[f"probe {region} {target} {verdict}"] += 1

    def delivery(self, endpoint: str, result: str) -> None:
        self.counts[f"{endpoint} {result}"] += 1

    def warmed(self, region: str, result: str, count: int) -> None:
        self.counts[f"{result} {region}"] += count


def unreachable(retry_after: float | None = None) -> UpstreamUnavailable:
    return UpstreamUnavailable("ome", "cannot be reached", retry_after=retry_after)


async def until(condition: Callable[[], bool], turns: int = 2000) -> None:
    """Let other tasks run until a condition holds; no time passes."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come about")


class KeptSpan:
    """A span of a KeepingTracer."""

    recording = True
    telling = True

    def __init__(
        self, tracer: "KeepingTracer", name: str, kind: Kind, lineage: Lineage, attributes: Attributes
    ) -> None:
        fresh = fresh_context()
        self.context = TraceContext(lineage.parent.trace_id if lineage.parent else fresh.trace_id, fresh.span_id, True)
        self.name = name
        self.kind = kind
        self.lineage = lineage
        self.attributes = dict(attributes)
        self.failure: tuple[str, str] | None = None
        self.ended = False
        self._tracer = tracer
        tracer.spans.append(self)

    def child(self, name: str, kind: Kind, attributes: Attributes) -> "KeptSpan":
        return KeptSpan(self._tracer, name, kind, Lineage(self.context), attributes)

    def note(self, attributes: Attributes) -> None:
        self.attributes |= attributes

    def rename(self, name: str) -> None:
        self.name = name

    def failed(self, kind: str, detail: str = "") -> None:
        self.failure = (kind, detail)

    def end(self) -> None:
        assert not self.ended
        self.ended = True


class KeepingTracer:
    """Records everything that is begun."""

    enabled = True

    def __init__(self) -> None:
        self.spans: list[KeptSpan] = []

    def begin(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        lineage: Lineage = NO_LINEAGE,
        attributes: Attributes = NOTHING_KNOWN,
    ) -> KeptSpan:
        return KeptSpan(self, name, kind, lineage, attributes)

    def named(self, name: str) -> KeptSpan:
        """The only one of this name."""
        (found,) = (item for item in self.spans if item.name == name)
        return found
