"""What this process knows of its origins: who there is, how they fare, what they can do. Answers come from memory."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import structlog
from msgspec import Struct

from streaming_service.application.ports import Candidate, Clock
from streaming_service.application.topology_watch import TopologyWatch
from streaming_service.domain.fleet.health import HEALTH_POLICY, HealthPolicy, HealthState, OriginHealth
from streaming_service.domain.fleet.placement import allowed, given_up, rendezvous
from streaming_service.domain.fleet.topology import OriginSpec, Topology
from streaming_service.errors import NotFound, StoreError, UpstreamError, UpstreamRejected

log = structlog.get_logger(__name__)


class ProbeableOrigin(Protocol):
    """One OME, asked whether it is there."""

    async def applications(self) -> frozenset[str]:
        """The applications it has. Raises UpstreamError; NotFound when it lacks the virtual host."""
        ...


class DrainBook(Protocol):
    """Where an operator's wish to empty an origin is written."""

    async def drained(self) -> frozenset[str]:
        """Names of origins. Raises StoreError."""
        ...


class OriginView(Struct, frozen=True, kw_only=True):
    """One origin for a person to look at.

    `capacity` is what it holds when all is well, `allowed` what it may hold now. `applications` is None until it has
    told. `reason` says what is wrong, and is empty when nothing is.
    """

    name: str
    pools: tuple[str, ...]
    state: HealthState
    since: datetime
    capacity: int
    allowed: int
    drained: bool
    overloaded: bool
    applications: frozenset[str] | None
    reason: str


class _Known:
    """One origin. `refusal` is set while it answers and says no, `failure` while it does not answer."""

    def __init__(self, spec: OriginSpec, origin: ProbeableOrigin, health: OriginHealth) -> None:
        self.spec = spec
        self.origin = origin
        self.health = health
        self.applications: frozenset[str] | None = None
        self.refusal = ""
        self.failure = ""

    def lacks(self, application: str) -> bool:
        return self.applications is not None and application not in self.applications


class FleetWatch:
    """`refresh` is called every few seconds, one call at a time; everything else answers from what it found.

    `connect` gives access to an origin, and is asked again when its spec changes. `applications` are those that each
    pool's origins must have. `default_capacity` is for origins whose spec names none. `timeout` of one probe, seconds.
    """

    def __init__(
        self,
        *,
        topology: TopologyWatch,
        connect: Callable[[OriginSpec], ProbeableOrigin],
        drains: DrainBook,
        clock: Clock,
        applications: Mapping[str, Iterable[str]],
        default_capacity: int,
        policy: HealthPolicy = HEALTH_POLICY,
        concurrency: int = 8,
        timeout: float = 10.0,
    ) -> None:
        self._watch = topology
        self._connect = connect
        self._drains = drains
        self._clock = clock
        self._needs = {pool: tuple(sorted(set(names))) for pool, names in applications.items()}
        self._default_capacity = default_capacity
        self._policy = policy
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout = timeout
        self._topology = Topology()
        self._known: dict[str, _Known] = {}
        self._drained: frozenset[str] = frozenset()
        self._book_problem = ""
        self._problems: frozenset[str] = frozenset()

    # -- finding out ----------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read topology and drain book, and probe every origin once. Raises for none of what they do."""
        self._adopt(await self._watch.refresh())
        await self._read_drains()
        await asyncio.gather(*(self._probe(known) for known in self._known.values()))
        self._tell_problems()

    def observe_progress(self, origin: str, ratio: float, now: datetime) -> None:
        """Media time gained per wall time on an origin: the median over its sampled channels, 1.0 keeps up."""
        if known := self._known.get(origin):
            before = known.health.load.overloaded_at(now, self._policy.load)
            known.health = known.health.progressed(ratio, now, self._policy)
            overloaded = known.health.load.overloaded
            if overloaded != before:
                say = log.warning if overloaded else log.info
                say("origin overloaded" if overloaded else "origin keeps up again", origin=origin, ratio=ratio)

    def _adopt(self, topology: Topology) -> None:
        now = self._clock.now()
        known: dict[str, _Known] = {}
        for name, spec in topology.origins.items():
            before = self._known.get(name)
            if before and before.spec == spec:
                known[name] = before
                continue
            known[name] = _Known(spec, self._connect(spec), OriginHealth(since=now))
            if before and before.spec.api_url == spec.api_url:
                # Still the same server: what we know of it holds.
                known[name].health, known[name].applications = before.health, before.applications
        self._topology, self._known = topology, known

    async def _read_drains(self) -> None:
        try:
            self._drained = await self._drains.drained()
        except StoreError as error:
            if str(error) != self._book_problem:
                self._book_problem = str(error)
                log.warning("drain book not read, the last one stays", reason=self._book_problem)
        else:
            self._book_problem = ""

    async def _probe(self, known: _Known) -> None:
        try:
            async with self._slots, asyncio.timeout(self._timeout):
                found = await known.origin.applications()
        except (UpstreamRejected, NotFound) as error:
            # It is there and its channels play on, but nothing new can be placed on it.
            known.applications, known.refusal, known.failure = None, str(error), ""
            self._record(known, succeeded=True)
        except (UpstreamError, TimeoutError) as error:
            known.failure = str(error) or f"did not answer a probe within {self._timeout:g} s"
            self._record(known, succeeded=False)
        else:
            known.applications, known.refusal, known.failure = found, "", ""
            self._record(known, succeeded=True)

    def _record(self, known: _Known, *, succeeded: bool) -> None:
        now, before = self._clock.now(), known.health
        after = before.succeeded(now, self._policy) if succeeded else before.failed(now, self._policy)
        known.health = after
        if after.state is before.state:
            return
        say = log.info if succeeded else log.warning
        say(f"origin {after.state}", origin=known.spec.name, before=before.state.value, reason=known.failure)

    def _tell_problems(self) -> None:
        """Each is logged when it appears and when it is gone."""
        found = frozenset(self._find_problems())
        for problem in sorted(found - self._problems):
            log.error(problem)
        for problem in sorted(self._problems - found):
            log.info("settled", problem=problem)
        self._problems = found

    def _find_problems(self) -> Iterable[str]:
        for pool, applications in self._needs.items():
            origins = self._topology.origins_of(pool)
            if not origins:
                yield f"pool {pool!r} has no origins: list some for it, or correct OME_*_INGEST_POOL"
            for spec in origins:
                known = self._known[spec.name]
                if known.refusal:
                    yield f"{spec.name} refuses to list its applications: {known.refusal}"
                for application in applications:
                    if known.lacks(application):
                        yield (
                            f"application {application!r} is missing on {spec.name}: "
                            "declare it in Server.xml with a Schedule provider"
                        )

    # -- answers --------------------------------------------------------------------------------------------------

    @property
    def topology(self) -> Topology:
        """As of the last refresh."""
        return self._topology

    def candidates(self, pool: str, application: str, key: str) -> tuple[Candidate, ...]:
        """The origins of a pool that may get this application's channels now, in the order that `key` prefers.

        Origins in doubt come last. Empty: nobody can take it now.
        """
        now = self._clock.now()
        known = {spec.name: self._known[spec.name] for spec in self._topology.origins_of(pool)}
        able = {
            name: room
            for name, item in known.items()
            if item.applications is not None and application in item.applications and (room := self._room(item, now))
        }
        order = sorted(rendezvous(key, able), key=lambda name: known[name].health.in_doubt)
        return tuple(Candidate(name, able[name]) for name in order)

    def capacity(self, pool: str) -> int:
        """How many channels the origins of a pool may hold now. What two pools share counts in both."""
        now = self._clock.now()
        return sum(self._room(self._known[spec.name], now) for spec in self._topology.origins_of(pool))

    def given_up(self) -> frozenset[str]:
        """Origins whose channels are to be placed again elsewhere, because they are down and others are not."""
        return given_up(self._topology, {name: known.health for name, known in self._known.items()})

    def applications_of(self, origin: str) -> frozenset[str]:
        """Those that its pools need it to have."""
        return frozenset(item for pool in self._topology.pools_of(origin) for item in self._needs.get(pool, ()))

    def drained(self) -> frozenset[str]:
        """Origins of the topology that an operator wants empty."""
        return self._drained & self._known.keys()

    def snapshot(self) -> tuple[OriginView, ...]:
        """Every origin, in name order."""
        now = self._clock.now()
        return tuple(self._view(self._known[name], now) for name in sorted(self._known))

    def _view(self, known: _Known, now: datetime) -> OriginView:
        name = known.spec.name
        pools = self._topology.pools_of(name)
        missing = {item for pool in pools for item in self._needs.get(pool, ()) if known.lacks(item)}
        lacking = f"lacks {', '.join(sorted(missing))} in Server.xml" if missing else ""
        return OriginView(
            name=name,
            pools=pools,
            state=known.health.state,
            since=known.health.since,
            capacity=self._full(known),
            allowed=self._room(known, now),
            drained=name in self._drained,
            overloaded=known.health.load.overloaded_at(now, self._policy.load),
            applications=known.applications,
            reason=known.failure or known.refusal or lacking,
        )

    def _full(self, known: _Known) -> int:
        return self._default_capacity if known.spec.capacity is None else known.spec.capacity

    def _room(self, known: _Known, now: datetime) -> int:
        return allowed(self._full(known), known.health, known.spec.name in self._drained, now, self._policy)
