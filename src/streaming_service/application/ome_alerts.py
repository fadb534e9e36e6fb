"""What OME complains about: a line in the channel's history, and debts to the platform."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

import structlog
from msgspec import Struct
from msgspec.structs import replace

from streaming_service.application.ports import ChannelStore, Clock, OutboxStore
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause, Endpoint, Notification, Severity
from streaming_service.domain.ome_webhook import OmeAlert
from streaming_service.domain.placement import concerned, ingest_name
from streaming_service.errors import Conflict

log = structlog.get_logger(__name__)

ALERT = "ome.alert"
INGEST_FAILURE = "stream.ingest.failure"

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:ome-alert")
_BITRATE = frozenset({"OK", "INGRESS_BITRATE_LOW"})
_DESCRIPTION_LIMIT = 500
_KEY_LIMIT = 200
# What every stream does in its life, and our own history has anyway.
_LIFE = frozenset(
    f"{side}_STREAM_{what}" for side in ("INGRESS", "EGRESS") for what in ("CREATED", "PREPARED", "DELETED")
)


class AlertStore(ChannelStore, OutboxStore, Protocol):
    """Channels, and debts that no channel makes."""


class AlertPolicy(Struct, frozen=True):
    """Who is told."""

    stream_prefix: str
    endpoints: frozenset[Endpoint] = frozenset()
    audit_topic: str | None = None


class OmeAlerts:
    """Writes alerts down. `changed` is told the content id of a channel that was written."""

    def __init__(self, store: AlertStore, policy: AlertPolicy, *, clock: Clock, changed: Callable[[str], None]) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._changed = changed

    async def write_down(self, alert: OmeAlert, cause: Cause) -> bool:
        """Durable when this returns, if there is anything to tell. False when it is about no channel of ours.

        Raises StoreError.
        """
        content_id = concerned(self._policy.stream_prefix, alert.stream)
        while content_id and (channel := await self._store.get(content_id)):
            if self._about_slate(channel, alert):
                return True
            touched = replace(channel, updated_at=self._clock.now())
            made = change(touched, "ome-alert", cause, self._owed_by(touched, alert, cause), reason=sentence(alert))
            try:
                await self._store.commit(made, touched.due_at(self._clock.now()))
            except Conflict:
                continue
            self._changed(content_id)
            return True
        await self._store.owe(self._owed_by_origin(alert, cause))
        return False

    def _owed_by(self, channel: Channel, alert: OmeAlert, cause: Cause) -> tuple[Notification, ...]:
        topics = [ALERT, INGEST_FAILURE] if self._about_ingest(channel, alert) else [ALERT]
        facts = self._facts(alert, channel.updated_at)
        return self._owe(channel.content_id, channel.updated_at, facts, topics, f"{channel.version}/{alert.key}", cause)

    def _owed_by_origin(self, alert: OmeAlert, cause: Cause) -> tuple[Notification, ...]:
        """There is no content to put it to: it is put to the origin."""
        now = self._clock.now()
        source = f"origin:{alert.server or alert.source_uri}"[:_KEY_LIMIT]
        return self._owe(source, now, self._facts(alert, now), [ALERT], f"{to_wire(now)}/{alert.key}", cause)

    def _about_ingest(self, channel: Channel, alert: OmeAlert) -> bool:
        """Trouble with what is pushed, not with what we make of it."""
        pushed = alert.stream == ingest_name(self._policy.stream_prefix, channel.content_id)
        return channel.spec.live and pushed and any(code.startswith("INGRESS_") for code in alert.codes)

    def _about_slate(self, channel: Channel, alert: OmeAlert) -> bool:
        """A still picture needs few bits, and OME complains at each change between the slate and what is pushed."""
        pushed = alert.stream == ingest_name(self._policy.stream_prefix, channel.content_id)
        return channel.spec.live and not pushed and _BITRATE.issuperset(alert.codes)

    def _facts(self, alert: OmeAlert, at: datetime) -> dict[str, Any]:
        return {
            "sourceUri": alert.source_uri,
            "type": alert.kind,
            "server": alert.server,
            "codes": list(alert.codes),
            "severity": severity(alert),
            "description": sentence(alert),
            "auditTopic": self._policy.audit_topic,
            "occurredAt": to_wire(at),
        }

    def _owe(
        self, content_id: str, at: datetime, facts: Mapping[str, Any], topics: list[str], key: str, cause: Cause
    ) -> tuple[Notification, ...]:
        return tuple(
            Notification(
                id=str(uuid5(_NAMESPACE, f"{content_id}/{key}/{endpoint}/{topic}")),
                endpoint=endpoint,
                topic=topic,
                content_id=content_id,
                occurred_at=at,
                facts={**facts, "actor": cause.actor} if endpoint is Endpoint.AUDIT else facts,
                correlation_id=cause.correlation_id,
                trace=cause.trace,
            )
            for topic in topics
            for endpoint in (Endpoint.OBSERVABILITY, Endpoint.BIGQUERY, Endpoint.AUDIT)
            if endpoint in self._policy.endpoints
        )


def is_life(alert: OmeAlert) -> bool:
    """Nothing is wrong: a stream came or went."""
    return _LIFE.issuperset(alert.codes)


def severity(alert: OmeAlert) -> Severity:
    """A stream that failed stands still; everything else still plays."""
    if set(alert.codes) <= {"OK"}:
        return Severity.INFO
    failed = any("FAILED" in code or "CONGESTION" in code for code in alert.codes)
    return Severity.CRITICAL if failed else Severity.WARNING


def sentence(alert: OmeAlert) -> str:
    """What OME says, for a person."""
    said = "; ".join(f"{message.code}: {message.description}".rstrip(": ") for message in alert.messages)
    return said[:_DESCRIPTION_LIMIT]
