"""Take channels from origins that are down, that left the fleet, or that an operator wants emptied."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from streaming_service.application.mending import Mender
from streaming_service.application.ports import ChannelStore, Clock, Placed
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, change
from streaming_service.domain.notification import Cause
from streaming_service.domain.placement import Placement
from streaming_service.domain.state import Failure, Phase

# A recording that ends this soon releases its origin sooner than another one could be made.
_SOON = timedelta(minutes=5)
ORIGIN_DOWN = "origin_down"


class Moving:
    """`at_once` channels are on their way from one origin at a time, so that the others are not overrun."""

    def __init__(self, store: ChannelStore, mender: Mender, clock: Clock, at_once: int) -> None:
        self._store = store
        self._mender = mender
        self._clock = clock
        self._at_once = at_once

    async def evacuate(self, rows: Iterable[Placed], reason: str, cause: Cause) -> int:
        """Viewers see nothing of it any more: all start again elsewhere, and wait for their turn there.

        What drains on it stays until it answers, or until it is no longer part of the fleet. Raises StoreUnavailable.
        """
        count = 0
        for row in rows:
            stream = row.stream

            def decide(channel: Channel, now: datetime, stream: str = stream) -> Change | None:
                return _evacuated(channel, stream, reason, now, cause)

            count += await self._mender.mend(row.content_id, decide)
        return count

    async def empty(self, rows: Iterable[Placed], name: str, cause: Cause) -> int:
        """Replace some of what serves from it, each without a gap. Raises StoreUnavailable."""
        reason = f"origin {name} is being emptied"
        under_way = moved = 0
        for row in rows:
            if under_way >= self._at_once:
                break
            channel = await self._store.get(row.content_id)
            if channel is None:
                continue
            now, stream = self._clock.now(), row.stream
            if _serves(channel, stream) and not channel.up_to_date:
                under_way += _is_moving(channel, now)
                continue

            def decide(channel: Channel, now: datetime, stream: str = stream) -> Change | None:
                return _emptied(channel, stream, reason, now, cause)

            done = await self._mender.change(channel, decide)
            under_way, moved = under_way + done, moved + done
        return moved


def _evacuated(channel: Channel, stream: str, reason: str, now: datetime, cause: Cause) -> Change | None:
    if _serves(channel, stream):
        return change(channel.lost(reason, now), "lost", cause)
    if channel.building and channel.building.stream == stream:
        failure = Failure(ORIGIN_DOWN, reason, now)
        return change(channel.attempt_failed(failure, now, retry_at=now, final=False), "retry", cause)
    return None


def _emptied(channel: Channel, stream: str, reason: str, now: datetime, cause: Cause) -> Change | None:
    if _serves(channel, stream):
        ends_soon = channel.recording is channel.serving and _ends_soon(channel.serving, now)
        return None if ends_soon else change(channel.renewed(reason, now), "moved", cause)
    building = channel.building
    if building and building.stream == stream and channel.phase is Phase.PLAYABLE and not _ends_soon(building, now):
        # A copy that would take longer to finish here than to make anew elsewhere; nobody watches it yet.
        return change(channel.abandoned(now), "moved", cause, reason=reason)
    return None


def _serves(channel: Channel, stream: str) -> bool:
    serving = channel.serving
    return serving is not None and serving.on_ome and serving.stream == stream


def _ends_soon(placement: Placement | None, now: datetime) -> bool:
    ends_at = placement.ends_at if placement else None
    return ends_at is not None and ends_at - now <= _SOON


def _is_moving(channel: Channel, now: datetime) -> bool:
    """It is being replaced, or about to be; one that failed lately and rests takes no turn from the others."""
    return channel.building is not None or bool(channel.queue_at and channel.queue_at <= now)
