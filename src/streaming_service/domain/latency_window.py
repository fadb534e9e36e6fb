"""How long manifest requests took lately, read off the counters of a histogram. Pure: no clock of its own.

The window slides: it is what was counted between then and now, so that the hot path does nothing but count.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint, Notification, Severity

TOPIC = "stream.manifest.latency"
LATENCY_BUCKETS_MS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0)
ACTOR = "latency-watch"
# Of fewer requests a percentage says nothing.
FEWEST = 50
# It is over when the share is down to half of what made it begin: around the threshold it would come and go.
_OVER_AT = 0.5
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:manifest-latency")

# How many requests fell into each bucket since the process began; the last is what is above the highest bound.
Counts = tuple[int, ...]


class Window(Struct, frozen=True):
    """What a window holds: `count` requests, half of them quicker than `p50` ms, all but one in a hundred quicker than
    `p99`, and the share that took longer than the objective, 0 to 1. The last three are 0 when there was no request.
    """

    count: int
    p50: float
    p99: float
    over: float


class LatencyPolicy(Struct, frozen=True):
    """When people are told: more than `share` of the requests in `window` seconds took longer than `slo` ms, which is
    one of LATENCY_BUCKETS_MS."""

    slo: float
    share: float
    window: float


def read(before: Counts, now: Counts, slo: float) -> Window:
    """What was counted in between."""
    added = [later - earlier for earlier, later in zip(before, now, strict=True)]
    count = sum(added)
    if not count:
        return Window(0, 0.0, 0.0, 0.0)
    within = sum(added[: LATENCY_BUCKETS_MS.index(slo) + 1])
    return Window(count, _quantile(0.5, added, count), _quantile(0.99, added, count), (count - within) / count)


def is_slow(window: Window, policy: LatencyPolicy, *, was_slow: bool) -> bool:
    """Whether it is slow now. With too few requests to know it is what it was; when nobody asks any more, it is
    over."""
    if not window.count:
        return False
    if window.count < FEWEST:
        return was_slow
    return window.over > policy.share * (_OVER_AT if was_slow else 1.0)


def alert(
    window: Window,
    policy: LatencyPolicy,
    *,
    slow: bool,
    instance: str,
    reason: str,
    now: datetime,
    endpoints: Collection[Endpoint],
    audit_topic: str | None,
) -> tuple[Notification, ...]:
    """It begins, or it is over. `instance` is the process that saw it, `reason` why it is over if that is not plain."""
    severity = _severity(window) if slow else Severity.INFO
    facts: dict[str, Any] = {
        "instance": instance,
        "windowSeconds": policy.window,
        "count": window.count,
        "p50Ms": round(window.p50, 3),
        "p99Ms": round(window.p99, 3),
        "shareOverSlo": round(window.over, 5),
        "sloMs": policy.slo,
        "thresholdShare": policy.share,
        "resolved": not slow,
        "severity": severity,
        "description": reason or _sentence(window, policy, instance, slow=slow),
        "auditTopic": audit_topic,
        "occurredAt": to_wire(now),
    }
    return tuple(
        Notification(
            id=str(uuid5(_NAMESPACE, f"{instance}/{to_wire(now)}/{slow}/{endpoint}")),
            endpoint=endpoint,
            topic=TOPIC,
            content_id=f"manifest-latency:{instance}",
            occurred_at=now,
            facts={**facts, "actor": ACTOR} if endpoint is Endpoint.AUDIT else facts,
        )
        for endpoint in (Endpoint.OBSERVABILITY, Endpoint.BIGQUERY, Endpoint.AUDIT)
        if endpoint in endpoints
    )


def _quantile(share: float, added: Sequence[int], count: int) -> float:
    """As Prometheus estimates it: evenly spread within a bucket, and no more than the highest bound."""
    rank, below = share * count, 0
    lower = 0.0
    for bound, here in zip(LATENCY_BUCKETS_MS, added, strict=False):
        if here and below + here >= rank:
            return lower + (bound - lower) * (rank - below) / here
        below += here
        lower = bound
    return LATENCY_BUCKETS_MS[-1]


def _severity(window: Window) -> Severity:
    return Severity.CRITICAL if window.over > 0.5 else Severity.WARNING


def _sentence(window: Window, policy: LatencyPolicy, instance: str, *, slow: bool) -> str:
    figures = f"{window.over:.1%} of {window.count} manifest requests in {policy.window:.0f} s over {policy.slo:g} ms"
    return f"{instance}: {figures}, p99 {window.p99:.1f} ms" + ("" if slow else "; it is over")
