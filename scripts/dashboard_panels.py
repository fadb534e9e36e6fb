"""What Grafana's dashboards show: a table of panels, each with its questions in PromQL; `dashboards.py` writes files.

How several processes are put together is the rule files' way: counters and histograms are summed, what all workers read
from one store is the maximum, of ages the freshest counts.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """A question, and what its answers are called."""

    question: str
    legend: str = ""


class Panel(NamedTuple):
    """`limits` are the values from which it is orange, and red."""

    title: str
    lines: Sequence[Line]
    unit: str
    about: str
    limits: tuple[float, ...] = ()
    kind: str = "timeseries"
    width: int = 12
    height: int = 8


class Dashboard(NamedTuple):
    """One file, named like its `uid`, by which others link to it."""

    uid: str
    title: str
    about: str
    panels: Sequence[Panel]


def figure(title: str, question: str, unit: str, about: str, *limits: float) -> Panel:
    """One number."""
    return Panel(title, [Line(question)], unit, about, limits, "stat", width=6, height=4)


def graph(title: str, unit: str, about: str, *lines: Line, limits: tuple[float, ...] = ()) -> Panel:
    """Lines over time."""
    return Panel(title, lines, unit, about, limits)


def burn(name: str, budget: float, title: str, objective: str) -> Panel:
    """How many times faster than it may an error budget is used up."""
    windows = ("5m", "1h", "6h", "3d")
    lines = [Line(f"streaming:{name}:ratio_rate{window} / {budget}", window) for window in windows]
    about = f"{objective} At 1 the budget lasts exactly as long as its period; at 14.4 somebody is called."
    return graph(title, "short", about, *lines, limits=(1.0, 14.4))


def latency(share: float, metric: str, legend: str) -> Line:
    """A quantile over all processes: their buckets are added first, for quantiles cannot be."""
    return Line(f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket[$__rate_interval])))", legend)


DASHBOARDS = (
    Dashboard(
        "streaming-viewers",
        "Streaming: viewers",
        "Do viewers get their manifests, and how fast? All processes that answer them together.",
        [
            figure(
                "5xx, last hour",
                "streaming:manifest_errors:ratio_rate1h",
                "percentunit",
                "Manifest requests that are answered 5xx. The objective is 0.1 % at most.",
                0.001,
                0.0144,
            ),
            figure(
                "Over 25 ms, last hour",
                "streaming:manifest_slow:ratio_rate1h",
                "percentunit",
                "Manifest requests that take longer. The objective is 1 % at most.",
                0.01,
                0.144,
            ),
            figure(
                "On the failover",
                'max(streaming_failover_state{target="failover"})',
                "percentunit",
                "Part of all viewers that is sent there. Empty: there is no failover.",
                0.001,
            ),
            figure("Contents ready", 'max(streaming_channels{status="ready"})', "short", "What can be watched."),
            graph(
                "Manifest requests",
                "reqps",
                "`ok`, or why there was none.",
                Line("sum by (result) (rate(streaming_manifest_requests_total[$__rate_interval]))", "{{result}}"),
            ),
            graph(
                "Time to answer",
                "ms",
                "From a request to its answer, inside the process.",
                latency(0.5, "streaming_manifest_latency_ms", "p50"),
                latency(0.99, "streaming_manifest_latency_ms", "p99"),
                latency(0.999, "streaming_manifest_latency_ms", "p99.9"),
                limits=(25.0,),
            ),
            graph(
                "Time to answer, by process",
                "ms",
                "p99. One that is far above the others has a problem of its own.",
                Line(
                    "histogram_quantile(0.99, sum by (instance, le) "
                    "(rate(streaming_manifest_latency_ms_bucket[$__rate_interval])))",
                    "{{instance}}",
                ),
                limits=(25.0,),
            ),
            graph(
                "Token look-ups",
                "reqps",
                "`cached` asks nobody; `failed`: there was no answer; `stale`: a cached one stood in for it.",
                Line("sum by (result) (rate(streaming_introspection_total[$__rate_interval]))", "{{result}}"),
            ),
            graph(
                "Contents known, and followed",
                "short",
                "What an API can sign at once. Followed 0: it is not told of changes and reads every second.",
                Line("max(streaming_titles)", "contents"),
                Line("min(streaming_titles_followed)", "followed"),
            ),
            burn("manifest_errors", 0.001, "Budget of 5xx", "99.9 % of manifest requests without a 5xx."),
            burn("manifest_slow", 0.01, "Budget of slow requests", "99 % of manifest requests within 25 ms."),
        ],
    ),
    Dashboard(
        "streaming-uploads",
        "Streaming: uploads and OvenMediaEngine",
        "From an upload event to a content that plays, and what OvenMediaEngine says of itself.",
        [
            figure(
                "Being provisioned",
                'max(streaming_channels{status="provisioning"})',
                "short",
                "Accepted, and not playable yet.",
            ),
            figure(
                "Waiting for a place",
                "sum(max by (classification) (streaming_channels_waiting))",
                "short",
                "The origins are full, down or drained.",
                1,
            ),
            figure("Failed", 'max(streaming_channels{status="failed"})', "short", "Given up, until taken up again.", 1),
            figure(
                "Dead letters",
                "max(streaming_dead_letters)",
                "short",
                "Messages that could not be understood and wait for a person.",
                1,
            ),
            graph(
                "Upload events",
                "cpm",
                "A minute. `dead_letter` was not understood, `retried` was put back.",
                Line("60 * sum by (result) (rate(streaming_upload_events_total[$__rate_interval]))", "{{result}}"),
            ),
            graph(
                "Provisioning attempts",
                "cpm",
                "A minute. `playable`: on OME, while its copy is made. `retry` comes again, `failed` was the last.",
                Line("60 * sum by (result) (rate(streaming_provisioning_total[$__rate_interval]))", "{{result}}"),
            ),
            graph(
                "From upload to playable",
                "s",
                "First time only. The objective is 95 % within 30 s.",
                latency(0.5, "streaming_provisioning_seconds", "p50"),
                latency(0.95, "streaming_provisioning_seconds", "p95"),
                limits=(30.0,),
            ),
            burn("provisioning_late", 0.05, "Budget of late uploads", "95 % of accepted uploads play within 30 s."),
            graph(
                "Places on origins",
                "short",
                "Taken places, and how many there are when all is well.",
                Line("max by (origin) (streaming_origin_channels)", "{{origin}}"),
                Line("max by (origin) (streaming_origin_capacity)", "{{origin}} has"),
            ),
            graph(
                "Connections to OME",
                "short",
                "Of players, by origin. A CDN pools connections: its logs tell the audience.",
                Line("sum by (origin) (max by (content_id, origin) (streaming_channel_viewers))", "{{origin}}"),
            ),
            graph(
                "Into OME",
                "Kbits",
                "What comes into all channels of an origin: their sources, not their renditions.",
                Line("sum by (origin) (max by (content_id, origin) (streaming_channel_bitrate_kbps))", "{{origin}}"),
            ),
            graph(
                "Age of OME's figures",
                "s",
                "Of the freshest that any process has. It grows while the API does not answer.",
                Line("min by (origin) (streaming_ome_stats_age_seconds)", "{{origin}}"),
                limits=(120.0,),
            ),
            graph(
                "OME answers",
                "short",
                "1 while the origin told its figures the last time it was asked.",
                Line("max by (origin) (streaming_ome_up)", "{{origin}}"),
            ),
            graph(
                "Webhooks from OME",
                "reqps",
                "By what became of them.",
                Line(
                    "sum by (hook, result) (rate(streaming_ome_webhooks_total[$__rate_interval]))",
                    "{{hook}} {{result}}",
                ),
            ),
            graph(
                "Pub/Sub",
                "short",
                "The best stream of all workers: 2 open, 1 wanted and not there, 0 nobody pulls.",
                Line("max(streaming_pubsub_stream_state)", "stream"),
                Line(
                    "sum by (reason) (increase(streaming_pubsub_streams_reopened_total[15m]))", "reopened: {{reason}}"
                ),
                Line("sum by (answer) (increase(streaming_pubsub_answers_lost_total[15m]))", "lost: {{answer}}"),
            ),
        ],
    ),
    Dashboard(
        "streaming-cdn",
        "Streaming: CDN",
        "Does it play in every region, from where, and are the caches warm?",
        [
            figure(
                "Probes that fail, last hour",
                "streaming:probe_failures:ratio_rate1h",
                "percentunit",
                "At the primary, of those that were answered at all. The objective is 0.1 % at most.",
                0.001,
                0.0144,
            ),
            figure(
                "On the failover",
                'max(streaming_failover_state{target="failover"})',
                "percentunit",
                "Part of all viewers that is sent there.",
                0.001,
            ),
            figure(
                "Contents on the failover",
                "sum(max by (state) (streaming_failover_contents))",
                "short",
                "By themselves, or on their way back.",
                1,
            ),
            figure(
                "Clusters not in order",
                "count(min by (cluster) (streaming_cdn_multi_cluster_status) == 0) or vector(0)",
                "short",
                "By Traffic Director's word.",
                1,
            ),
            graph(
                "Probes that fail at the primary, by region",
                "percentunit",
                "Half of the regions, and viewers are sent to the failover.",
                Line(
                    '(sum by (region) (rate(streaming_probe_total{target="primary",verdict!~"ok|unknown"}[10m])) '
                    'or 0 * sum by (region) (rate(streaming_probe_total{target="primary"}[10m]))) '
                    '/ sum by (region) (rate(streaming_probe_total{target="primary",verdict!="unknown"}[10m]))',
                    "{{region}}",
                ),
                limits=(0.1, 0.5),
            ),
            graph(
                "Verdicts",
                "cpm",
                "A minute, of all regions. `unknown`: nobody answered there.",
                Line(
                    "60 * sum by (target, verdict) (rate(streaming_probe_total[$__rate_interval]))",
                    "{{target}} {{verdict}}",
                ),
            ),
            burn("probe_failures", 0.001, "Budget of failing probes", "99.9 % of probes at the primary are ok."),
            graph(
                "Where viewers are sent",
                "percentunit",
                "What any process knows. The two make 1.",
                Line('max(streaming_failover_state{target="failover"})', "failover"),
                Line('min(streaming_failover_state{target="primary"})', "primary"),
            ),
            graph(
                "Warm-ups",
                "cpm",
                "Addresses a minute that were fetched ahead of viewers, or could not be.",
                Line(
                    "60 * sum by (region, result) (rate(streaming_cdn_warmup_total[$__rate_interval]))",
                    "{{region}} {{result}}",
                ),
            ),
            graph(
                "Traffic Director",
                "short",
                "1 while a cluster is in order.",
                Line("min by (cluster) (streaming_cdn_multi_cluster_status)", "{{cluster}}"),
            ),
        ],
    ),
    Dashboard(
        "streaming-platform",
        "Streaming: platform",
        "What we owe to others, what others owe to us, and the processes themselves.",
        [
            figure(
                "Oldest delivery",
                "max(streaming_outbox_oldest_seconds)",
                "s",
                "How long it has been waiting. The objective is 10 minutes while its receiver is up.",
                300,
                600,
            ),
            figure(
                "Deliveries that wait",
                "sum(max by (endpoint) (streaming_outbox_pending))",
                "short",
                "To all receivers together.",
            ),
            figure(
                "Given up, last day",
                'sum(increase(streaming_deliveries_total{result="dead"}[1d]))',
                "short",
                "Deliveries that nobody gets unless somebody sends them again.",
                1,
            ),
            figure(
                "Services that do not answer",
                "count(max by (service) (streaming_breaker_state) == 2) or vector(0)",
                "short",
                "Their circuit breaker is open in at least one process.",
                1,
            ),
            graph(
                "Deliveries that wait, by receiver",
                "short",
                "One that grows and grows: the receiver takes less than it is owed.",
                Line("max by (endpoint) (streaming_outbox_pending)", "{{endpoint}}"),
            ),
            graph(
                "Delivery attempts",
                "cpm",
                "A minute. `pending` is tried again, `dead` is not.",
                Line(
                    "60 * sum by (endpoint, result) (rate(streaming_deliveries_total[$__rate_interval]))",
                    "{{endpoint}} {{result}}",
                ),
            ),
            graph(
                "Circuit breakers",
                "short",
                "The worst of all processes: 0 closed, 1 half-open, 2 open.",
                Line("max by (service) (streaming_breaker_state)", "{{service}}"),
            ),
            graph(
                "Memory",
                "bytes",
                "Of each process.",
                Line("process_resident_memory_bytes", "{{instance}}"),
            ),
            graph(
                "CPU",
                "short",
                "Cores that each process uses.",
                Line("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
            ),
            graph(
                "Open files and sockets",
                "short",
                "Of each process.",
                Line("process_open_fds", "{{instance}}"),
            ),
        ],
    ),
)
