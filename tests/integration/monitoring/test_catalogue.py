"""The metrics that others scrape by name are there, with their labels."""

import pytest
from prometheus_client import generate_latest

from tests.integration.monitoring.conftest import ROOT, Promtool
from tests.metrics_catalogue import catalogue, everything

# As the interface names them.
FIXED = {
    "streaming_provisioning_total": {"result"},
    "streaming_provisioning_seconds_bucket": {"le"},
    "streaming_manifest_requests_total": {"result"},
    "streaming_manifest_latency_ms_bucket": {"le"},
    "streaming_probe_total": {"region", "target", "verdict"},
    "streaming_failover_state": {"target"},
    "streaming_cdn_multi_cluster_status": {"cluster"},
    "streaming_channels": {"status"},
    "streaming_channel_viewers": {"content_id", "origin"},
    "streaming_channel_bitrate_kbps": {"content_id", "origin"},
    "streaming_ome_up": {"origin"},
    "streaming_ome_stats_age_seconds": {"origin"},
    "streaming_outbox_pending": {"endpoint"},
    "streaming_outbox_oldest_seconds": set[str](),
    "streaming_dead_letters": set[str](),
    "streaming_upload_events_total": {"result"},
    "streaming_introspection_total": {"result"},
    "streaming_breaker_state": {"service"},
    "process_resident_memory_bytes": set[str](),
}


@pytest.mark.parametrize("name", FIXED)
def test_what_the_interface_names_is_there(name: str) -> None:
    assert catalogue()[name] == FIXED[name]


def test_prometheus_has_nothing_against_any_of_them(promtool: Promtool) -> None:
    checked = promtool("check", "metrics", said=generate_latest(everything().registry).decode())
    # That name is fixed by the dashboards that read it.
    complaint = "streaming_manifest_latency_ms metric names should not contain abbreviated units"
    assert checked.stderr.strip() == complaint


def test_the_page_about_metrics_names_every_one_of_ours() -> None:
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    ours = {name for name in catalogue() if name.startswith("streaming_") and not name.endswith(("_count", "_sum"))}
    assert {name for name in ours if name.removesuffix("_bucket") not in page} == set()
