"""What happened to a channel, for the people who run it."""

from datetime import datetime

from msgspec import Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause, Notification


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


class Change(Struct, frozen=True):
    """A channel's next value with its history and the debts it makes: one transaction in every store.

    `channel.version` is the version that was read; the store writes version + 1 or raises Conflict.
    """

    channel: Channel
    history: HistoryEntry
    notifications: tuple[Notification, ...] = ()


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
    )
    return Change(channel, entry, notifications)
