"""What is owed to whom, and when to try again.

A notification stores facts, not a finished body: URLs in it are signed when it is sent, so that a delivery which
succeeds hours later does not hand out an expired one. Its id is derived, so that the same debt is never two.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire

_ORIGIN = "origin:"
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:notification")

# Standard Webhooks' recommended schedule: the pause before each attempt.
RETRY_SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)


class Endpoint(StrEnum):
    """Receivers. Deliveries to one never wait for another.

    CDN_WARMUP is nobody to be told: what is owed to it is the work of filling the CDN's caches.
    """

    CONTENT_CALLBACK = "content-callback"
    GATEWAY_WARMUP = "gateway-warmup"
    CDN_CONTROL = "cdn-control"
    CDN_WARMUP = "cdn-warmup"
    OBSERVABILITY = "observability"
    BIGQUERY = "bigquery"
    AUDIT = "audit"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Notification(Struct, frozen=True):
    """One debt to one endpoint. `topic` says what happened, `facts` what the body is made from.

    Debts with the same `content_id` are paid in order. What is about an origin has `about_origin` there, and the name
    among its facts. `trace` is the `traceparent` of what made it.
    """

    id: str
    endpoint: Endpoint
    topic: str
    content_id: str
    occurred_at: datetime
    facts: Mapping[str, Any]
    correlation_id: str | None = None
    trace: str | None = None


def about_origin(name: str) -> str:
    """Stands for a content id in what is about an origin; no content id looks like it."""
    return f"{_ORIGIN}{name}"


def is_about_content(notification: Notification) -> bool:
    """Not about an origin, or about whatever else is named as `kind:name`."""
    return ":" not in notification.content_id


class Cause(Struct, frozen=True):
    """Who or what brought a change about; goes into history, notifications and log lines. `trace` is its
    `traceparent`, when it has one."""

    actor: str
    correlation_id: str
    trace: str | None = None


class Notifier(Struct, frozen=True):
    """Makes the debts of each change, for the endpoints that are configured."""

    endpoints: frozenset[Endpoint]
    audit_topic: str | None = None

    def ready(self, channel: Channel, manifest_path: str, cache_key: str, cause: Cause) -> tuple[Notification, ...]:
        """The channel plays: tell the platform, warm the caches."""
        facts = {
            "manifestPath": manifest_path,
            "baseUrl": channel.spec.base_url,
            "channelId": channel.channel_id,
            "cacheKey": cache_key,
            "checksum": channel.spec.checksum,
            "retries": channel.retries,
            "generation": channel.generation,
            "incarnation": channel.incarnation,
        }
        return self._owe(
            channel,
            cause,
            f"ready/{channel.announcements}",
            [
                (Endpoint.CONTENT_CALLBACK, "stream.provisioned", facts),
                (Endpoint.GATEWAY_WARMUP, "stream.provisioned", facts),
                (Endpoint.CDN_WARMUP, "cdn.warmup", facts),
                (Endpoint.OBSERVABILITY, "stream.provisioned", facts),
                (Endpoint.BIGQUERY, "stream.provisioned", facts),
            ],
        )

    def failed(self, channel: Channel, manifest_path: str, cause: Cause) -> tuple[Notification, ...]:
        """Attempts are used up: alert."""
        failure = channel.failure
        facts = {
            "manifestPath": manifest_path,
            "retries": channel.retries,
            "code": failure.code if failure else "unknown",
            "detail": failure.detail if failure else "",
        }
        alert = {
            **facts,
            "severity": Severity.CRITICAL,
            "description": f"Provisioning of {channel.content_id} failed: {facts['detail']}",
            "auditTopic": self.audit_topic,
        }
        return self._owe(
            channel,
            cause,
            f"failed/{channel.version}",
            [
                (Endpoint.OBSERVABILITY, "stream.provisioning.failed", alert),
                (Endpoint.AUDIT, "stream.provisioning.failed", {**alert, "actor": cause.actor}),
                (Endpoint.BIGQUERY, "stream.provisioning.failed", facts),
            ],
        )

    def retired(self, channel: Channel, paths: tuple[str, ...], cause: Cause) -> tuple[Notification, ...]:
        """Nobody may watch it: the caches are emptied."""
        facts = {"paths": list(paths), "retries": channel.retries}
        owed = [(Endpoint.BIGQUERY, "stream.retired", facts), (Endpoint.OBSERVABILITY, "stream.retired", facts)]
        return self._owe(channel, cause, f"retired/{channel.generation}", owed) + self.purge(
            channel, paths, cause, f"retired/{channel.generation}"
        )

    def ingest_rotated(
        self, channel: Channel, paths: tuple[str, ...], cause: Cause, valid_until: datetime | None
    ) -> tuple[Notification, ...]:
        """Another key lets push to it; the one before is good until `valid_until`. The caches are emptied.

        Runbooks look for rotations among the failovers, where the analytics have one that promoted nothing.
        """
        key = f"ingest-rotated/{channel.ingest[-1].digest}"
        region = channel.spec.ingest_region
        facts = {
            "channelId": channel.channel_id,
            "application": channel.spec.application,
            "paths": list(paths),
            "retries": channel.retries,
            "live": channel.spec.live,
            "previousKeyValidUntil": valid_until and to_wire(valid_until),
        }
        failover = {"trigger": "ingest-rotation", "promoted": False, "paths": list(paths), "ingestRegion": region}
        owed = [
            (Endpoint.BIGQUERY, "stream.ingest.rotated", facts),
            (Endpoint.OBSERVABILITY, "stream.ingest.rotated", facts),
            (Endpoint.BIGQUERY, "cdn.failover", failover),
        ]
        return self._owe(channel, cause, key, owed) + self.purge(channel, paths, cause, key)

    def purge(self, channel: Channel, paths: tuple[str, ...], cause: Cause, token: str) -> tuple[Notification, ...]:
        """Empty the CDN's caches for these paths; `token` tells one request from the next."""
        owed: list[tuple[Endpoint, str, dict[str, Any]]] = []
        for path in paths:
            owed.append((Endpoint.CDN_CONTROL, "cdn.purge", {"path": path}))
            owed.append((Endpoint.BIGQUERY, "cdn.purge", {"path": path}))
        return self._owe(channel, cause, f"purge/{token}", owed)

    def _owe(
        self, channel: Channel, cause: Cause, key: str, owed: list[tuple[Endpoint, str, dict[str, Any]]]
    ) -> tuple[Notification, ...]:
        # What a backup has forgotten was told under ids that receivers know: they must not be given to anything else.
        since = f"{to_wire(channel.restored_at)}/" if channel.restored_at else ""
        return tuple(
            Notification(
                id=str(uuid5(_NAMESPACE, f"{channel.content_id}/{since}{key}/{position}/{endpoint}/{topic}")),
                endpoint=endpoint,
                topic=topic,
                content_id=channel.content_id,
                occurred_at=channel.updated_at,
                facts={**facts, "occurredAt": to_wire(channel.updated_at)},
                correlation_id=cause.correlation_id,
                trace=cause.trace,
            )
            for position, (endpoint, topic, facts) in enumerate(owed)
            if endpoint in self.endpoints
        )


def next_attempt(attempts: int, now: datetime, jitter: float, retry_after: float | None) -> datetime | None:
    """When to try again after `attempts` failed ones; None when the schedule is used up.

    `jitter` in [0, 1) spreads the pause by up to a fifth; `retry_after` (seconds) is the receiver's own wish and is
    never undercut.
    """
    if attempts >= len(RETRY_SCHEDULE):
        return None
    pause = RETRY_SCHEDULE[attempts].total_seconds() * (0.9 + 0.2 * jitter)
    return now + timedelta(seconds=max(pause, retry_after or 0.0))
