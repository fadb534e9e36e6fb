"""What a process has when everything is wired."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streaming_service.adapters.clock import SharedClock
from streaming_service.adapters.events.embedded import EmbeddedSource
from streaming_service.adapters.ome import OmeFleet
from streaming_service.application.administration import Administration
from streaming_service.application.cluster_watch import ClusterWatch
from streaming_service.application.delivery import DeliveryLoop
from streaming_service.application.dispatch import Bell, ConvergenceLoop
from streaming_service.application.failover import Failover
from streaming_service.application.failover_operations import FailoverOperations
from streaming_service.application.ingest import Ingest
from streaming_service.application.intake import Intake
from streaming_service.application.latency_watch import LatencyWatch
from streaming_service.application.monitoring import Monitoring
from streaming_service.application.ome_hooks import OmeHooks
from streaming_service.application.origins import OriginOperations
from streaming_service.application.playback import Playback
from streaming_service.application.ports import EventSource, ManifestBucket, Store
from streaming_service.application.progress_watch import ProgressWatch
from streaming_service.application.provisioning import Provisioning
from streaming_service.application.reconciliation import Reconciliation
from streaming_service.application.retention import Retention
from streaming_service.application.statistics import Statistics
from streaming_service.bootstrap.probing import Probes
from streaming_service.settings import Settings
from streaming_service.telemetry import Metrics
from streaming_service.tracing import Tracer

if TYPE_CHECKING:
    from streaming_service.adapters.google_keys import GooglePushTokens


@dataclass(frozen=True)
class Service:
    """Everything a process may run. Built by `open_service`, which also takes it down."""

    settings: Settings
    metrics: Metrics
    clock: SharedClock
    owner: str
    store: Store
    fleet: OmeFleet
    bucket: ManifestBucket | None
    provisioning: Provisioning
    intake: Intake
    ingest: Ingest
    administration: Administration
    origins: OriginOperations
    failover: Failover
    failover_operations: FailoverOperations
    playback: Playback
    hooks: OmeHooks | None
    reconciliation: Reconciliation
    convergence: ConvergenceLoop
    delivery: DeliveryLoop
    retention: Retention
    monitoring: Monitoring
    statistics: Statistics
    probes: Probes
    progress: ProgressWatch
    events: EventSource | None
    embedded: EmbeddedSource | None
    push_tokens: "GooglePushTokens | None"
    cache_key: Callable[[str, str], str]
    worker_bell: Bell
    clusters: ClusterWatch | None
    tracer: Tracer
    latency: LatencyWatch

    def scraped(self) -> None:
        """Somebody asks for metrics. Returns at once."""
        if self.clusters:
            self.clusters.scraped()
