"""What happened to a channel, for the people who run it."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause, Notification
from streaming_service.domain.trace import Begun


class HistoryEntry(Struct, frozen=True):
    """One change: when, by whom, what, and why."""

    content_id: str
    at: datetime
    actor: str
    action: str
    reason: str
    status: str
    phase: str
    generation: int
    incarnation: int
    correlation_id: str
    trace: str | None = None


class Change(Struct, frozen=True):
    """A channel's next value with its history and the debts it makes: one transaction in every store.

    `channel.version` is the version that was read; the store writes version + 1 or raises Conflict.
    """

    channel: Channel
    history: HistoryEntry
    notifications: tuple[Notification, ...] = ()


def asked_by(channel: Channel, cause: Cause) -> Channel:
    """The channel as somebody has just wanted it: what is done for it from now on belongs to that trace."""
    return replace(channel, trace=Begun(cause.trace, channel.updated_at) if cause.trace else None)


def change(
    channel: Channel, action: str, cause: Cause, notifications: tuple[Notification, ...] = (), reason: str | None = None
) -> Change:
    """Describe a move that has been made on `channel`."""
    entry = HistoryEntry(
        content_id=channel.content_id,
        at=channel.updated_at,
        actor=cause.actor,
        action=action,
        reason=reason or channel.phase_reason,
        status=channel.status,
        phase=channel.phase,
        generation=channel.generation,
        incarnation=channel.incarnation,
        correlation_id=cause.correlation_id,
        trace=cause.trace,
    )
    return Change(channel, entry, notifications)
