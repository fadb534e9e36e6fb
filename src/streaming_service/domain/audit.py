"""The audit log: what people and other services did here, whatever became of it afterwards.

An entry is a debt like any other, written in the transaction of what it tells of. Alerts get theirs where they are
made (`Notifier.failed`, OME's alerts).
"""

from collections.abc import Collection
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from streaming_service.domain.clock import to_wire
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Cause, Endpoint, Notification

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:audit")
# What acts by itself. Everybody else is a person, or another service that one of them uses: a new way in is on record
# without being named here.
_OURS = frozenset({"worker", "reconciler", "ome", "pubsub", "push", "embedded", "upload-event"})


def is_ours(actor: str) -> bool:
    """The actor is a part of this service, or the event pipeline."""
    return actor in _OURS


def audited(made: Change, endpoints: Collection[Endpoint]) -> Change:
    """The change with its audit entry, when somebody asked for it and the log is among `endpoints`."""
    entry = made.history
    if Endpoint.AUDIT not in endpoints or is_ours(entry.actor):
        return made
    owed = Notification(
        id=str(uuid5(_NAMESPACE, f"{entry.content_id}/{made.channel.version}/{entry.action}")),
        endpoint=Endpoint.AUDIT,
        topic=f"admin.{entry.action}",
        content_id=entry.content_id,
        occurred_at=entry.at,
        facts={
            "action": entry.action,
            "actor": entry.actor,
            "reason": entry.reason,
            "status": entry.status,
            "phase": entry.phase,
            "generation": entry.generation,
            "incarnation": entry.incarnation,
        },
        correlation_id=entry.correlation_id,
        trace=entry.trace,
    )
    return replace(made, notifications=(*made.notifications, owed))


def action(
    name: str, about: str, cause: Cause, reason: str, at: datetime, endpoints: Collection[Endpoint]
) -> tuple[Notification, ...]:
    """The entry of what changes no channel. `about` is a content id, or `kind:name` of something else."""
    if Endpoint.AUDIT not in endpoints or is_ours(cause.actor):
        return ()
    return (
        Notification(
            id=str(uuid5(_NAMESPACE, f"{about}/{name}/{to_wire(at)}/{cause.correlation_id}")),
            endpoint=Endpoint.AUDIT,
            topic=f"admin.{name}",
            content_id=about,
            occurred_at=at,
            facts={"action": name, "actor": cause.actor, "reason": reason},
            correlation_id=cause.correlation_id,
            trace=cause.trace,
        ),
    )
