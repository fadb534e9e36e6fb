"""How long manifest requests took, told as figures of an interval: nobody wants an envelope for each viewer."""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint, Notification, Severity

TOPIC = "stream.manifest.latency"
# The objective: docs/phase-0/README.md.
SLOW_MS = 25.0
# Of fewer requests the slowest one alone would decide.
FEWEST_JUDGED = 100

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:manifest-latency")


class Counts(Struct, frozen=True):
    """What a process has counted so far. `buckets` are requests by time, one more than `bounds` (milliseconds): the
    last ones took longer than any."""

    bounds: tuple[float, ...]
    buckets: tuple[int, ...]
    total_ms: float
    results: Mapping[str, int]

    @property
    def requests(self) -> int:
        return sum(self.buckets)

    def since(self, before: "Counts") -> "Counts":
        """What came after `before`."""
        results = {name: count - before.results.get(name, 0) for name, count in self.results.items()}
        return Counts(
            bounds=self.bounds,
            buckets=tuple(new - old for new, old in zip(self.buckets, before.buckets, strict=True)),
            total_ms=self.total_ms - before.total_ms,
            results={name: count for name, count in results.items() if count},
        )

    def quantile(self, part: float) -> float:
        """Milliseconds that so many were done in, as exactly as buckets tell: Prometheus' `histogram_quantile`.

        What took longer than the highest bound counts as that bound. 0 without requests.
        """
        wanted, passed, below = part * self.requests, 0, 0.0
        for bound, count in zip(self.bounds, self.buckets, strict=False):
            if count and passed + count >= wanted:
                return round(below + (bound - below) * (wanted - passed) / count, 3)
            passed, below = passed + count, bound
        return self.bounds[-1] if self.requests else 0.0


def is_slow(counted: Counts) -> bool:
    """The slowest hundredth took longer than the objective allows."""
    return counted.requests >= FEWEST_JUDGED and counted.quantile(0.99) > SLOW_MS


def envelopes(
    counted: Counts,
    process: str,
    began: datetime,
    ended: datetime,
    endpoints: Collection[Endpoint],
    *,
    was_slow: bool,
    audit_topic: str | None = None,
) -> tuple[Notification, ...]:
    """Analytics is told of every interval that had requests; who is alerted, when they become slow, and when they are
    no longer."""
    if not counted.requests:
        return ()
    slow = is_slow(counted)
    facts = _facts(counted, process, began, ended, slow=slow) | {"auditTopic": audit_topic}
    told = {Endpoint.BIGQUERY, *((Endpoint.OBSERVABILITY, Endpoint.AUDIT) if slow is not was_slow else ())}
    return tuple(
        Notification(
            id=str(uuid5(_NAMESPACE, f"{process}/{to_wire(began)}/{to_wire(ended)}/{endpoint}")),
            endpoint=endpoint,
            topic=TOPIC,
            content_id=f"process:{process}",
            occurred_at=ended,
            facts={**facts, "actor": "api"} if endpoint is Endpoint.AUDIT else facts,
        )
        for endpoint in sorted(told & set(endpoints))
    )


def _facts(counted: Counts, process: str, began: datetime, ended: datetime, *, slow: bool) -> dict[str, Any]:
    p99 = counted.quantile(0.99)
    return {
        "process": process,
        "from": to_wire(began),
        "occurredAt": to_wire(ended),
        "requests": counted.requests,
        "results": dict(sorted(counted.results.items())),
        "meanMs": round(counted.total_ms / counted.requests, 3),
        "p50Ms": counted.quantile(0.5),
        "p95Ms": counted.quantile(0.95),
        "p99Ms": p99,
        "objectiveMs": SLOW_MS,
        "buckets": _buckets(counted.bounds, counted.buckets),
        "slow": slow,
        "severity": Severity.WARNING if slow else Severity.INFO,
        "description": f"99 of 100 manifest requests took {p99:g} ms at most, and {SLOW_MS:g} ms are allowed",
    }


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[dict[str, Any]]:
    """Those that anything is in; `leMs` None: longer than every bound."""
    edges = (*bounds, math.inf)
    return [
        {"leMs": None if math.isinf(edge) else edge, "requests": count}
        for edge, count in zip(edges, counts, strict=True)
        if count
    ]
