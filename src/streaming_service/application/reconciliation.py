"""Compare what is wanted with what every OME really holds, and mend the difference.

One list call per origin and application. What OME lacks is marked lost and becomes due; what it holds under one of our
names without anybody wanting it is removed. Nothing else is touched: names that are not ours belong to somebody else.
"""

from collections.abc import Iterable

import structlog
from msgspec import Struct

from streaming_service.application.ports import Clock, Fleet, Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause
from streaming_service.domain.placement import Placement, owner_of
from streaming_service.errors import Conflict, UpstreamError

log = structlog.get_logger(__name__)


class Findings(Struct, frozen=True):
    """What one pass found. `unreachable` origins were left alone: no answer is not an empty one."""

    lost: int = 0
    orphans: int = 0
    unreachable: int = 0


class Reconciliation:
    """One pass over the fleet."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        applications: Iterable[str],
        stream_prefix: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._applications = tuple(dict.fromkeys(applications))
        self._prefix = stream_prefix
        self._clock = clock

    async def run(self, cause: Cause) -> Findings:
        """Raises StoreUnavailable, nothing else."""
        findings = Findings()
        for name in self._fleet.names():
            for application in self._applications:
                # Read before the listing: a channel created after it would look lost.
                expected = self._serving(await self._store.on_ome(), name, application)
                try:
                    held = await self._fleet.origin(name).streams(application)
                except UpstreamError as error:
                    log.warning("origin not reconciled", origin=name, application=application, reason=str(error))
                    findings = Findings(findings.lost, findings.orphans, findings.unreachable + 1)
                    continue
                lost = [(content, stream) for stream, content in expected.items() if stream not in held]
                marked = sum([await self._mark_lost(content, stream, cause) for content, stream in lost])
                removed = await self._remove_orphans(name, application, held)
                findings = Findings(findings.lost + marked, findings.orphans + removed, findings.unreachable)
        if findings.lost or findings.orphans:
            log.info("reconciled", lost=findings.lost, orphans=findings.orphans)
        return findings

    def _serving(self, channels: Iterable[Channel], origin: str, application: str) -> dict[str, str]:
        """Stream name → content id of what viewers are sent to on this origin."""
        return {
            channel.serving.stream: channel.content_id
            for channel in channels
            if channel.serving and (channel.serving.origin, channel.serving.application) == (origin, application)
        }

    async def _mark_lost(self, content_id: str, stream: str, cause: Cause) -> bool:
        channel = await self._store.get(content_id)
        if channel is None or channel.serving is None or channel.serving.stream != stream:
            return False  # replaced since we looked: the listing says nothing about the new one
        now = self._clock.now()
        reason = f"{channel.serving.stream} is missing from {channel.serving.origin}"
        moved = channel.lost(reason, now)
        try:
            await self._store.commit(change(moved, "lost", cause), moved.due_at(now))
        except Conflict:
            return False  # somebody just changed it; the next pass looks again
        log.warning("channel lost", content_id=content_id, reason=reason)
        return True

    async def _remove_orphans(self, name: str, application: str, held: frozenset[str]) -> int:
        """Names are written before OME is asked for them, so what the store does not know now is nobody's."""
        ours = {stream for stream in held if owner_of(self._prefix, stream)}
        if not ours:
            return 0
        wanted = {item.stream for channel in await self._store.on_ome() for item in _placements(channel)}
        removed = 0
        for stream in sorted(ours - wanted):
            log.warning("orphan removed", stream=stream, origin=name, application=application)
            try:
                await self._fleet.origin(name).stop(application, stream)
            except UpstreamError as error:
                log.warning("orphan stays", stream=stream, origin=name, reason=str(error))
            else:
                removed += 1
        return removed


def _placements(channel: Channel) -> Iterable[Placement]:
    yield from (item for item in (channel.serving, channel.building) if item)
    yield from (item.placement for item in channel.draining)
