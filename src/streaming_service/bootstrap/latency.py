"""Who is told how long manifest requests take."""

from collections.abc import Callable

from streaming_service.application.latency_watch import LatencyWatch
from streaming_service.application.ports import Clock, Store
from streaming_service.domain.notification import Notifier
from streaming_service.telemetry import Metrics


def wire_latency(
    store: Store, metrics: Metrics, notifier: Notifier, clock: Clock, owner: str, wake_delivery: Callable[[], None]
) -> LatencyWatch:
    """`owner` names this process."""
    return LatencyWatch(
        store=store,
        counting=metrics.manifest,
        process=owner,
        endpoints=notifier.endpoints,
        audit_topic=notifier.audit_topic,
        clock=clock,
        wake_delivery=wake_delivery,
    )
