"""What is owed when viewers are sent elsewhere: to the CDN, to the analytics, as an alert."""

from collections.abc import Collection
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from streaming_service.domain.clock import to_wire
from streaming_service.domain.failover import WHOLE, Mode, Standing
from streaming_service.domain.notification import Cause, Endpoint, Notification, Severity
from streaming_service.domain.probe import Target
from streaming_service.domain.warming import TOPIC as WARMUP

TOPIC = "cdn.failover"
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:failover")
EVERYTHING = "/*"


class FailoverNotices(Struct, frozen=True):
    """For the endpoints that are configured. `tell_return`: the CDN control service understands
    `{"target": "primary"}`, and is told when viewers go back; one that does not would take it for a promotion."""

    endpoints: Collection[Endpoint]
    audit_topic: str | None = None
    tell_return: bool = False

    def of(
        self, before: Standing, after: Standing, path: str, region: str | None, cause: Cause
    ) -> tuple[Notification, ...]:
        """The debts of a change; none when it sends nobody elsewhere. `path` with a trailing `*` is a prefix,
        and empty when nothing is served."""
        promoted = after.mode is Mode.PROMOTED
        if promoted == (before.mode is Mode.PROMOTED):
            return ()
        target = Target.FAILOVER if promoted else Target.PRIMARY
        facts: dict[str, Any] = {
            "trigger": "operator" if after.manual else "probes",
            "promoted": promoted,
            "target": target.value,
            "scope": "cdn" if after.subject == WHOLE else "content",
            "path": path,
            "paths": [path],
            "ingestRegion": region,
            "reason": after.reason,
            "promotions": after.promotions,
        }
        alert = {
            **facts,
            "severity": _severity(after),
            "description": f"{_who(after)} to the {target}: {after.reason}",
            "auditTopic": self.audit_topic,
        }
        owed = [(Endpoint.BIGQUERY, TOPIC, facts), (Endpoint.OBSERVABILITY, TOPIC, alert)]
        if path and (promoted or self.tell_return):
            owed.append((Endpoint.CDN_CONTROL, TOPIC, facts))
        if path and promoted and after.subject != WHOLE:  # of all contents nobody knows which to begin with
            owed.append((Endpoint.CDN_WARMUP, WARMUP, {"target": target.value}))
        if not after.manual:  # what an operator did is on record as such
            owed.append((Endpoint.AUDIT, TOPIC, {**alert, "actor": after.actor}))
        return tuple(
            Notification(
                # A backup that was restored counts versions again: the moment tells them apart.
                id=str(uuid5(_NAMESPACE, f"{after.subject}/{before.version}/{to_wire(after.changed_at)}/{endpoint}")),
                endpoint=endpoint,
                topic=topic,
                content_id=about(after.subject),
                occurred_at=after.changed_at,
                facts={**its, "occurredAt": to_wire(after.changed_at)},
                correlation_id=cause.correlation_id,
                trace=cause.trace,
            )
            for endpoint, topic, its in owed
            if endpoint in self.endpoints
        )


def about(subject: str) -> str:
    """What stands for a content id in what is owed about a subject."""
    return f"failover:{subject}" if subject == WHOLE else subject


def _severity(after: Standing) -> Severity:
    if after.mode is not Mode.PROMOTED:
        return Severity.INFO
    return Severity.CRITICAL if after.subject == WHOLE else Severity.WARNING


def _who(after: Standing) -> str:
    return "All viewers go" if after.subject == WHOLE else f"Viewers of {after.subject} go"
