"""How analytics and alerting are told of probes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Cause, Endpoint, Notification, Severity
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.domain.probe_ledger import Turn

RESULTS = "stream.probe.results"
FAILURE = "stream.probe.failure"
SCHEDULE = "probes:schedule"

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:probes")
# Streaming inserts take rows of up to a few MB; receivers of ours take bodies of 1 MB.
_RESULTS_PER_ENVELOPE = 200


def results(
    observations: Sequence[Observation], about: str, at: datetime, cause: Cause, endpoints: Collection[Endpoint]
) -> tuple[Notification, ...]:
    """What was observed, in as few envelopes as hold it. `about` is a content, or SCHEDULE.

    The same observations have the same ids, so that they are there once, however often they are sent.
    """
    if Endpoint.BIGQUERY not in endpoints or not observations:
        return ()
    size = _RESULTS_PER_ENVELOPE
    pieces = [observations[first : first + size] for first in range(0, len(observations), size)]
    owed: list[Notification] = []
    for part, piece in enumerate(pieces, 1):
        rows = [_row(item) for item in piece]
        digest = sha256(msgspec.json.encode([about, part, rows])).hexdigest()
        owed.append(
            Notification(
                id=str(uuid5(_NAMESPACE, digest)),
                endpoint=Endpoint.BIGQUERY,
                topic=RESULTS,
                content_id=about,
                occurred_at=at,
                facts={
                    "trigger": "schedule" if about == SCHEDULE else "on-demand",
                    "part": part,
                    "parts": len(pieces),
                    "results": rows,
                    "occurredAt": to_wire(at),
                },
                correlation_id=cause.correlation_id,
                trace=cause.trace,
            )
        )
    return tuple(owed)


def failure(
    turn: Turn,
    observations: Sequence[Observation],
    at: datetime,
    cause: Cause,
    endpoints: Collection[Endpoint],
    audit_topic: str | None,
) -> tuple[Notification, ...]:
    """An alert: what fails of a content changed. `observations` are those that showed it."""
    shown = {item.region: item for item in observations if item.target is turn.target}
    facts: dict[str, Any] = {
        "target": turn.target,
        "failing": [_failing(region, verdict, shown.get(region)) for region, verdict in turn.failing.items()],
        "before": [{"region": region, "verdict": verdict} for region, verdict in turn.before.items()],
        "knownRegions": turn.known,
        "resolved": not turn.failing,
        "severity": severity(turn),
        "description": sentence(turn),
        "auditTopic": audit_topic,
        "occurredAt": to_wire(at),
    }
    return tuple(
        Notification(
            id=str(uuid5(_NAMESPACE, f"{turn.content_id}/{turn.target}/{to_wire(at)}/{endpoint}")),
            endpoint=endpoint,
            topic=FAILURE,
            content_id=turn.content_id,
            occurred_at=at,
            facts={**facts, "actor": cause.actor} if endpoint is Endpoint.AUDIT else facts,
            correlation_id=cause.correlation_id,
            trace=cause.trace,
        )
        for endpoint in (Endpoint.OBSERVABILITY, Endpoint.BIGQUERY, Endpoint.AUDIT)
        if endpoint in endpoints
    )


def severity(turn: Turn) -> Severity:
    """Half of the known regions without the primary is an outage; the failover's viewers are none so far."""
    if not turn.failing:
        return Severity.INFO
    widespread = 2 * len(turn.failing) >= turn.known
    return Severity.CRITICAL if widespread and turn.target is Target.PRIMARY else Severity.WARNING


def sentence(turn: Turn) -> str:
    """For a person."""
    if not turn.failing:
        return f"{turn.content_id} plays again from the {turn.target} in every known region"
    named = ", ".join(f"{region} ({verdict})" for region, verdict in turn.failing.items())
    share = f"{len(turn.failing)} of {turn.known} regions"
    return f"{turn.content_id} does not play from the {turn.target} in {share}: {named}"


def _failing(region: str, verdict: ProbeVerdict, seen: Observation | None) -> Mapping[str, Any]:
    status, detail = (seen.status, seen.detail) if seen else (None, "")
    return {"region": region, "verdict": verdict, "statusCode": status, "detail": detail}


def _row(item: Observation) -> Mapping[str, Any]:
    return {
        "contentId": item.content_id,
        "region": item.region,
        "target": item.target,
        "verdict": item.verdict,
        "success": item.verdict is ProbeVerdict.OK,
        "statusCode": item.status,
        "latencyMs": item.latency_ms,
        "detail": item.detail,
        "at": to_wire(item.at),
    }
