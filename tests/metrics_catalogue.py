"""Every series that a process can show, with its labels: what rules and dashboards may ask for."""

from collections.abc import Mapping
from datetime import UTC, datetime

from streaming_service.domain.statistics import ChannelReading, OriginReading
from streaming_service.telemetry import Metrics

NOW = datetime(2026, 1, 2, tzinfo=UTC)
READING = OriginReading(
    origin="ome-1",
    up=True,
    asked_since=NOW,
    read_at=NOW,
    channels=(ChannelReading("c-1", "ss-1", 3, 2500.0, 0),),
)


def everything() -> Metrics:
    """A process that has met everything once."""
    metrics = Metrics(NOW.timestamp)
    metrics.manifest.observe("ok", 1.0)
    metrics.provisioned("ready", 2.0)
    metrics.upload_event("created")
    metrics.introspection("cached")
    metrics.delivery("bigquery", "delivered")
    metrics.ome_hook("admission", "allowed")
    metrics.probed("iad", "primary", "ok")
    metrics.warmed("iad", "warmed", 1)
    metrics.channels({"ready": 1})
    metrics.outbox({"bigquery": 1}, 1.0)
    metrics.dead_letters(1)
    metrics.watch_breaker("auth", lambda: 0)
    metrics.watch_titles(lambda: 1, lambda: True)
    metrics.watch_stream(lambda: 2)
    metrics.watch_failover(lambda: 0.0, lambda: {"promoted": 0, "returning": 0})
    metrics.stream_reopened("silent")
    metrics.answer_lost("ack")
    metrics.waiting({"reel": 1})
    metrics.multi_cluster("a", healthy=True)
    metrics.origins({"ome-1": 1}, {"ome-1": 5})
    metrics.statistics([READING])
    return metrics


def catalogue() -> Mapping[str, frozenset[str]]:
    """Names of series, such as `streaming_probe_total`, and the labels of each."""
    found: dict[str, frozenset[str]] = {}
    for family in everything().registry.collect():
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | sample.labels.keys()
    return found
