"""Figures of origins as they are scraped."""

import shutil
import subprocess
from datetime import timedelta

from msgspec.structs import replace
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streaming_service.domain.statistics import ChannelReading, OriginReading
from streaming_service.telemetry import Metrics
from tests.conftest import require_component
from tests.fakes import NOW, FakeClock

READING = OriginReading(
    origin="ome-1",
    up=True,
    asked_since=NOW - timedelta(hours=1),
    read_at=NOW - timedelta(seconds=4),
    channels=(ChannelReading("c-1", "ss-1", 3, 2500.0, 0), ChannelReading("c-2", "ss-2", 0, 800.5, 0)),
)
NEVER = OriginReading(origin="ome-2", up=False, asked_since=NOW - timedelta(seconds=60))


def figures(metrics: Metrics) -> dict[str, float]:
    """Samples of what origins count."""
    names = ("streaming_channel_", "streaming_ome_up", "streaming_ome_stats")
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name.startswith(names)}


def test_each_channel_with_its_origin() -> None:
    metrics = Metrics(FakeClock().time)
    metrics.statistics([READING, NEVER])

    assert figures(metrics) == {
        'streaming_channel_viewers{content_id="c-1",origin="ome-1"}': 3,
        'streaming_channel_viewers{content_id="c-2",origin="ome-1"}': 0,
        'streaming_channel_bitrate_kbps{content_id="c-1",origin="ome-1"}': 2500,
        'streaming_channel_bitrate_kbps{content_id="c-2",origin="ome-1"}': 800.5,
        'streaming_ome_up{origin="ome-1"}': 1,
        'streaming_ome_up{origin="ome-2"}': 0,
        'streaming_ome_stats_age_seconds{origin="ome-1"}': 4,
        'streaming_ome_stats_age_seconds{origin="ome-2"}': 60,
    }


def test_figures_grow_older_while_there_are_no_others() -> None:
    clock = FakeClock()
    metrics = Metrics(clock.time)
    metrics.statistics([READING])
    clock.advance(10)

    assert figures(metrics)['streaming_ome_stats_age_seconds{origin="ome-1"}'] == 14


def test_series_vanish_with_their_channel_and_origin() -> None:
    metrics = Metrics(FakeClock().time)
    metrics.statistics([READING, NEVER])
    metrics.statistics([replace(READING, channels=READING.channels[:1])])
    found = figures(metrics)

    assert not [name for name in found if "c-2" in name or "ome-2" in name]
    assert len(found) == 4
    metrics.statistics([])
    assert figures(metrics) == {}


def test_who_does_not_poll_shows_none() -> None:
    assert figures(Metrics()) == {}


def test_help_says_what_viewers_are() -> None:
    text = generate_latest(Metrics().registry).decode()

    (line,) = [line for line in text.splitlines() if line.startswith("# HELP streaming_channel_viewers ")]
    assert "connections" in line
    assert "not people" in line


def test_both_formats_are_understood() -> None:
    metrics = Metrics(FakeClock().time)
    metrics.statistics([replace(READING, origin='o"m\\e\n1')])
    metrics.origins({"ome-1": 2}, {"ome-1": 5})
    metrics.waiting({"reel": 0, "series": 3})
    plain, modern = generate_latest(metrics.registry).decode(), generate_openmetrics(metrics.registry).decode()

    for families in (text_string_to_metric_families(plain), parse_openmetrics(modern)):
        found = {family.name: family for family in families}
        assert found["streaming_ome_up"].samples[0].labels == {"origin": 'o"m\\e\n1'}
        assert found["streaming_channels_waiting"].type == "gauge"


def test_prometheus_has_nothing_against_it() -> None:
    promtool = shutil.which("promtool")
    require_component(promtool is not None, "promtool", "Install it, on Debian with: apt-get install prometheus")
    metrics = Metrics(FakeClock().time)
    metrics.statistics([READING, NEVER])
    metrics.origins({"ome-1": 2}, {"ome-1": 5})
    metrics.waiting({"reel": 1})
    command = [promtool or "", "check", "metrics"]
    lint = subprocess.run(command, input=generate_latest(metrics.registry), capture_output=True, check=False)

    # That name is fixed by the dashboards that read it.
    complaint = "streaming_manifest_latency_ms metric names should not contain abbreviated units"
    assert lint.stderr.decode().strip() == complaint
