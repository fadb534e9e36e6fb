"""Compare what is wanted with what every OME really holds, and mend the difference.

One list call per origin and application, and one look at when the origin came up. What OME lacks is marked lost and
waits for a new place; what it holds under one of our names without anybody wanting it there is removed. Nothing else
is touched: names that are not ours belong to somebody else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime

import structlog

from streaming_service.application.findings import Findings, total
from streaming_service.application.mending import Mender
from streaming_service.application.moving import Moving
from streaming_service.application.ports import Clock, Fleet, Origin, Store
from streaming_service.application.presets import Presets
from streaming_service.application.restarts import Restarts
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, change
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.domain.placement import owner_of
from streaming_service.domain.wish import SpecPolicy
from streaming_service.errors import NotFound, UpstreamError, UpstreamRejected

log = structlog.get_logger(__name__)

# An OME that has just come up lists its channels one after the other: what is missing is looked for again.
_CONFIRM_AFTER = 2.0
# One worker answers OME's API, and each removal takes up to three seconds.
_REMOVALS_SIDE_BY_SIDE = 4
_REMOVALS_A_PASS = 40


class Reconciliation:
    """Passes over the fleet, one at a time.

    `applications` are those that an origin of that name must have. `at_once` channels move from one origin, or get
    another ladder, in a pass. `concurrency` origins are compared side by side.
    """

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        applications: Callable[[str], Iterable[str]],
        specs: SpecPolicy,
        notifier: Notifier,
        stream_prefix: str,
        clock: Clock,
        at_once: int = 10,
        concurrency: int = 8,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._applications = applications
        self._prefix = stream_prefix
        self._clock = clock
        self._concurrency = concurrency
        self._mender = Mender(store, clock)
        self._moving = Moving(store, self._mender, clock, at_once)
        self._restarts = Restarts(self._mender, notifier)
        self._presets = Presets(store, self._mender, specs, at_once)
        self._refusals: dict[tuple[str, str], str] = {}

    async def run(self, cause: Cause) -> Findings:
        """Every origin is seen to, whatever becomes of the others. Raises StoreUnavailable, nothing else."""
        names = self._fleet.names()
        if not names:
            log.info("nothing reconciled: no origin is known yet")
            return Findings()
        given_up = self._fleet.given_up()
        gone = (await self._store.seats()).keys() - set(names)
        jobs = [self._evacuate(name, f"origin {name} is no longer part of the fleet", cause) for name in sorted(gone)]
        for name in names:
            down = name in given_up
            jobs.append(self._evacuate(name, f"origin {name} is down", cause) if down else self._compare(name, cause))
        findings = total([*await self._side_by_side(jobs), Findings(revised=await self._presets.advance(cause))])
        if findings != Findings():
            log.info("reconciled", **{name: getattr(findings, name) for name in Findings.__struct_fields__})
        return findings

    def review_presets(self) -> None:
        """Channels are held against the presets again, from the next pass on."""
        self._presets.review()

    async def _side_by_side(self, jobs: Iterable[Awaitable[Findings]]) -> list[Findings]:
        """All are run to their end; then the first error is raised."""
        slots = asyncio.Semaphore(self._concurrency)

        async def run(job: Awaitable[Findings]) -> Findings:
            async with slots:
                return await job

        done = await asyncio.gather(*map(run, jobs), return_exceptions=True)
        if errors := [item for item in done if isinstance(item, BaseException)]:
            raise errors[0]
        return [item for item in done if isinstance(item, Findings)]

    async def _evacuate(self, name: str, reason: str, cause: Cause) -> Findings:
        rows = await self._store.placements(name)
        return Findings(evacuated=await self._moving.evacuate(rows, reason, cause))

    async def _compare(self, name: str, cause: Cause) -> Findings:
        try:
            origin = self._fleet.origin(name)
        except NotFound:
            return Findings()  # it left just now
        # Read before the listings: a channel created after them would look lost.
        rows = await self._store.placements(name)
        found: list[Findings] = []
        if name in self._fleet.leaving():
            found.append(Findings(moved=await self._moving.empty(rows, name, cause)))
        try:
            booted = await self._restarts.since_last_look(origin)
            for application in sorted({*self._applications(name), *(row.application for row in rows)}):
                serving = {row.stream: row.content_id for row in rows if row.serving and row.application == application}
                known = {row.stream for row in rows if row.application == application}
                found.append(await self._compare_application(origin, application, serving, known, booted, cause))
        except UpstreamError as error:
            log.warning("origin not reconciled", origin=name, reason=str(error))
            return total([*found, Findings(unreachable=1)])
        if booted:
            self._restarts.note(name, booted)
        return total(found)

    async def _compare_application(
        self,
        origin: Origin,
        application: str,
        serving: dict[str, str],
        known: Collection[str],
        booted: datetime | None,
        cause: Cause,
    ) -> Findings:
        """`serving` is the content id of each stream that viewers are sent to, `known` what has a channel there."""
        try:
            held = await origin.streams(application)
            missing = serving.keys() - held
            if missing:
                await self._clock.sleep(_CONFIRM_AFTER)
                missing -= await origin.streams(application)
        except UpstreamRejected as error:
            self._tell_refusal(origin.name, application, str(error))
            return Findings(misconfigured=1)
        self._tell_refusal(origin.name, application, "")
        lost = sum([await self._lose(serving[stream], stream, origin.name, cause) for stream in sorted(missing)])
        restarted = 0
        if booted:
            kept = [content_id for stream, content_id in serving.items() if stream not in missing]
            restarted = await self._restarts.replace(kept, origin.name, booted, cause)
        orphans = await self._remove_orphans(origin, application, held - set(known))
        return Findings(lost=lost, restarted=restarted, orphans=orphans)

    async def _lose(self, content_id: str, stream: str, origin: str, cause: Cause) -> bool:
        def decide(channel: Channel, now: datetime) -> Change | None:
            # Replaced since we looked, or published, the listing says nothing about it.
            if channel.serving is None or channel.serving.stream != stream or not channel.serving.on_ome:
                return None
            return change(channel.lost(f"{stream} is missing from {origin}", now), "lost", cause)

        return await self._mender.mend(content_id, decide)

    async def _remove_orphans(self, origin: Origin, application: str, unknown: Iterable[str]) -> int:
        ours = sorted(stream for stream in unknown if owner_of(self._prefix, stream))
        slots = asyncio.Semaphore(_REMOVALS_SIDE_BY_SIDE)

        async def remove(stream: str) -> bool:
            async with slots:
                return await self._remove_orphan(origin, application, stream)

        done = await asyncio.gather(*map(remove, ours[:_REMOVALS_A_PASS]), return_exceptions=True)
        if errors := [item for item in done if isinstance(item, BaseException)]:
            raise errors[0]
        return done.count(True)

    async def _remove_orphan(self, origin: Origin, application: str, stream: str) -> bool:
        """Names are written before OME is asked for them, so what the store does not know now is nobody's."""
        channel = await self._store.get(owner_of(self._prefix, stream) or "")
        if channel and any((item.origin, item.stream) == (origin.name, stream) for item in channel.on_ome):
            return False
        try:
            removed = await origin.stop(application, stream)
        except UpstreamError as error:
            log.warning("orphan stays for the next pass", stream=stream, origin=origin.name, reason=str(error))
            return False
        if removed:
            log.warning("orphan removed", stream=stream, origin=origin.name, application=application)
        return removed

    def _tell_refusal(self, origin: str, application: str, reason: str) -> None:
        """Once for each change, not for each pass."""
        before = self._refusals.pop((origin, application), "")
        if reason:
            self._refusals[origin, application] = reason
        if reason and reason != before:
            log.error("origin is misconfigured", origin=origin, application=application, reason=reason)
        if before and not reason:
            log.info("settled: origin lists its channels again", origin=origin, application=application)
