"""Who validates the clusters behind the CDN, when somebody scrapes."""

from collections.abc import Callable

from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.cdn_control import HttpClusterControl
from streaming_service.application.cluster_watch import ClusterWatch
from streaming_service.application.ports import Clock, Store
from streaming_service.domain.notification import Notifier
from streaming_service.settings import Settings, revealed
from streaming_service.telemetry import Metrics


def wire_clusters(
    settings: Settings,
    store: Store,
    caller: Callable[[], ResilientCaller],
    *,
    notifier: Notifier,
    metrics: Metrics,
    clock: Clock,
) -> ClusterWatch | None:
    """None without a CDN control service."""
    if settings.cdn_control_base_url is None:
        return None
    return ClusterWatch(
        control=HttpClusterControl(
            caller(),
            settings.cdn_control_base_url,
            revealed(settings.cdn_control_api_key) or None,
            timeout=settings.webhook_timeout_ms / 1000,
            clock=clock,
        ),
        shown=metrics,
        store=store,
        endpoints=notifier.endpoints,
        clock=clock,
    )
