"""Log lines and metrics.

Metrics belong to one registry per process that `bootstrap` makes; there is no global one. Names and labels are fixed
by the interface other systems scrape.
"""

import logging
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from structlog.tracebacks import ExceptionDictTransformer

from streaming_service.context import correlation_id
from streaming_service.domain.access import HTTP_STATUS
from streaming_service.domain.latency_window import LATENCY_BUCKETS_MS, Counts
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.statistics import OriginReading
from streaming_service.telemetry_ome import OmeCollector
from streaming_service.tracing import current

INTROSPECTIONS = ("cached", "active", "inactive", "failed", "stale")
# What manifest requests are answered with when it is our fault: counted from the first one on.
_ERRORS = ("internal_error", *(refusal.value for refusal, status in HTTP_STATUS.items() if status >= 500))
_LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}

# The metric names of the interface do not carry `_created` companions.
disable_created_metrics()


def configure_logging(level: str = "info", form: str = "auto", stream: TextIO = sys.stderr) -> None:
    """One JSON object a line, or readable lines when `form` is console (auto: when the stream is a terminal)."""
    console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation_id,
        _add_trace,
        structlog.processors.StackInfoRenderer(),
    ]
    # Without the values of local variables, which structlog shows by default: they hold tokens and secrets.
    renderer: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard module: their lines take the same road, from warnings on.
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(_LEVELS[level], logging.WARNING))


def _add_correlation_id(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if current := correlation_id.get():
        event.setdefault("correlation_id", current)
    return event


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = current()
    if span is not None and span.telling:
        event.setdefault("trace_id", span.context.trace_id)
        event.setdefault("span_id", span.context.span_id)
    return event


class ManifestMeter:
    """Counts the hot route with plain integers: one event loop thread writes, a scrape reads."""

    def __init__(self) -> None:
        self._results = dict.fromkeys(("ok", *_ERRORS), 0)
        self._buckets = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self._sum = 0.0

    def observe(self, result: str, milliseconds: float) -> None:
        """`result` is `ok` or the refusal's code."""
        self._results[result] = self._results.get(result, 0) + 1
        self._buckets[bisect_left(LATENCY_BUCKETS_MS, milliseconds)] += 1
        self._sum += milliseconds

    def counts(self) -> Counts:
        """How many fell into each bucket so far."""
        return tuple(self._buckets)

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily("streaming_manifest_requests", "Manifest requests by result.", labels=["result"])
        for result, count in self._results.items():
            requests.add_metric([result], count)
        yield requests
        latency = HistogramMetricFamily(
            "streaming_manifest_latency_ms", "Time from manifest request to answer, milliseconds."
        )
        total, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*LATENCY_BUCKETS_MS, float("inf")), self._buckets, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
        latency.add_metric([], buckets, self._sum)
        yield latency


class IntrospectionMeter:
    """Counts look-ups of viewer tokens, on the hot path too, in the same way."""

    def __init__(self) -> None:
        self._results: dict[str, int] = dict.fromkeys(INTROSPECTIONS, 0)

    def count(self, result: str) -> None:
        """`result` is one of INTROSPECTIONS."""
        self._results[result] += 1

    def collect(self) -> Iterable[Metric]:
        looked_up = CounterMetricFamily(
            "streaming_introspection", "Viewer token look-ups by result.", labels=["result"]
        )
        for result, count in self._results.items():
            looked_up.add_metric([result], count)
        yield looked_up


class Metrics:
    """Everything this process counts. Implements the application's Meter and gauges. `time` in Unix seconds."""

    def __init__(self, time: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.manifest = ManifestMeter()
        registry.register(self.manifest)
        self._provisioning = Counter(
            "streaming_provisioning",
            "What came of provisioning: playable (on OME, its copy is being made), ready, retry, failed.",
            ["result"],
            registry=registry,
        )
        self._provisioning_seconds = Histogram(
            "streaming_provisioning_seconds",
            "Time from an accepted upload to a playable manifest, seconds.",
            buckets=(0.5, 1, 2, 3, 5, 8, 13, 21, 30, 34, 60, 120, 300, 900),
            registry=registry,
        )
        self._uploads = Counter("streaming_upload_events", "Upload events by result.", ["result"], registry=registry)
        # A counter that appears with its first event has not increased: alerts would miss that one.
        for result in ("playable", "ready", "retry", "failed"):
            self._provisioning.labels(result)
        introspections = IntrospectionMeter()
        registry.register(introspections)
        # On the hot path: a method around it would cost as much as counting.
        self.introspection = introspections.count
        self._deliveries = Counter(
            "streaming_deliveries",
            "Delivery attempts by endpoint and result.",
            ["endpoint", "result"],
            registry=registry,
        )
        for endpoint in Endpoint:
            self._deliveries.labels(endpoint, "dead")
        self._ome_hooks = Counter(
            "streaming_ome_webhooks",
            "Webhooks from OME by what became of them.",
            ["hook", "result"],
            registry=registry,
        )
        self._channels = Gauge("streaming_channels", "Channels by status.", ["status"], registry=registry)
        self._pending = Gauge(
            "streaming_outbox_pending", "Deliveries that wait, by endpoint.", ["endpoint"], registry=registry
        )
        self._oldest = Gauge(
            "streaming_outbox_oldest_seconds", "Age of the oldest delivery that waits, seconds.", registry=registry
        )
        self._dead_letters = Gauge(
            "streaming_dead_letters", "Messages that could not be understood and wait for a person.", registry=registry
        )
        self._breakers = Gauge(
            "streaming_breaker_state",
            "Circuit breakers: 0 closed, 1 half-open, 2 open.",
            ["service"],
            registry=registry,
        )
        self._waiting = Gauge(
            "streaming_channels_waiting",
            "Channels that wait for a place on an origin, by classification.",
            ["classification"],
            registry=registry,
        )
        self._clusters = Gauge(
            "streaming_cdn_multi_cluster_status",
            "Whether Traffic Director found the cluster in order when it was validated last.",
            ["cluster"],
            registry=registry,
        )
        self._origin_channels = Gauge(
            "streaming_origin_channels",
            "Channels that have a place on the origin: serving, building or draining.",
            ["origin"],
            registry=registry,
        )
        self._origin_capacity = Gauge(
            "streaming_origin_capacity",
            "Channels that the origin holds when all is well.",
            ["origin"],
            registry=registry,
        )
        self._reopened = Counter(
            "streaming_pubsub_streams_reopened",
            "Pulling streams that were opened again, by why: ended, silent, away.",
            ["reason"],
            registry=registry,
        )
        self._answers_lost = Counter(
            "streaming_pubsub_answers_lost",
            "Acks and nacks that Pub/Sub did not confirm: those messages come again.",
            ["answer"],
            registry=registry,
        )
        self._probes = Counter(
            "streaming_probe",
            "Probes by region, target (primary, failover) and verdict; unknown: nobody answered in that region.",
            ["region", "target", "verdict"],
            registry=registry,
        )
        self._warmups = Counter(
            "streaming_cdn_warmup",
            "Addresses that were to be warmed in the CDN's caches, by region and result (warmed, failed).",
            ["region", "result"],
            registry=registry,
        )
        self._spans: Counter | None = None
        self._ome = OmeCollector(time)
        registry.register(self._ome)

    def provisioned(self, result: str, seconds: float | None = None) -> None:
        self._provisioning.labels(result).inc()
        if seconds is not None:
            self._provisioning_seconds.observe(seconds)

    def upload_event(self, result: str) -> None:
        self._uploads.labels(result).inc()

    def delivery(self, endpoint: str, result: str) -> None:
        self._deliveries.labels(endpoint, result).inc()

    def ome_hook(self, hook: str, result: str) -> None:
        self._ome_hooks.labels(hook, result).inc()

    def probed(self, region: str, target: str, verdict: str) -> None:
        self._probes.labels(region, target, verdict).inc()

    def warmed(self, region: str, result: str, count: int) -> None:
        self._warmups.labels(region, result).inc(count)

    def channels(self, counts: dict[str, int]) -> None:
        for status, count in counts.items():
            self._channels.labels(status).set(count)

    def outbox(self, pending: dict[str, int], oldest_seconds: float) -> None:
        for endpoint, count in pending.items():
            self._pending.labels(endpoint).set(count)
        self._oldest.set(oldest_seconds)

    def dead_letters(self, count: int) -> None:
        self._dead_letters.set(count)

    def watch_breaker(self, service: str, state: Callable[[], int]) -> None:
        """`state` is asked at each scrape."""
        self._breakers.labels(service).set_function(state)

    def watch_stream(self, state: Callable[[], int]) -> None:
        """`state` is asked at each scrape. Only a process that pulls has this gauge."""
        Gauge(
            "streaming_pubsub_stream_state",
            "The pulling stream: 0 nobody pulls, 1 wanted and not there, 2 open.",
            registry=self.registry,
        ).set_function(state)

    def watch_failover(self, share: Callable[[], float], elsewhere: Callable[[], Mapping[str, int]]) -> None:
        """Both are asked at each scrape. Only a process with a failover has these gauges."""
        state = Gauge(
            "streaming_failover_state",
            "Part of all viewers that is sent there, whatever they watch: 0 to 1.",
            ["target"],
            registry=self.registry,
        )
        state.labels("primary").set_function(lambda: 1.0 - share())
        state.labels("failover").set_function(share)
        contents = Gauge(
            "streaming_failover_contents",
            "Contents whose own viewers are on the failover, or on their way back.",
            ["state"],
            registry=self.registry,
        )
        for name in elsewhere():
            contents.labels(name).set_function(lambda name=name: elsewhere()[name])

    def watch_titles(self, known: Callable[[], int], told: Callable[[], bool]) -> None:
        """Both are asked at each scrape. Only a process that answers viewers has these gauges."""
        Gauge(
            "streaming_titles", "Contents that this process knows and can sign at once.", registry=self.registry
        ).set_function(known)
        Gauge(
            "streaming_titles_followed",
            "1: it is told of every change of them; 0: it reads those that are watched every second.",
            registry=self.registry,
        ).set_function(lambda: float(told()))

    def stream_reopened(self, reason: str) -> None:
        self._reopened.labels(reason).inc()

    def answer_lost(self, answer: str) -> None:
        self._answers_lost.labels(answer).inc()

    def waiting(self, counts: Mapping[str, int]) -> None:
        for classification, count in counts.items():
            self._waiting.labels(classification).set(count)

    def multi_cluster(self, cluster: str, *, healthy: bool) -> None:
        """1 while Traffic Director finds it in order, else 0."""
        self._clusters.labels(cluster).set(healthy)

    def origins(self, channels: Mapping[str, int], capacity: Mapping[str, int]) -> None:
        """All there are: others are shown no more."""
        for gauge, values in ((self._origin_channels, channels), (self._origin_capacity, capacity)):
            gauge.clear()
            for origin, value in values.items():
                gauge.labels(origin).set(value)

    def trace(self) -> None:
        """Spans are made. Only a process that is traced has this counter."""
        self._spans = Counter(
            "streaming_trace_spans",
            "Spans by what became of them: exported, dropped (the queue was full), failed (the receiver refused).",
            ["result"],
            registry=self.registry,
        )

    def spans(self, result: str, count: int) -> None:
        """Called by every thread that ends a span, and by the one that sends them."""
        if self._spans:
            self._spans.labels(result).inc(count)

    def statistics(self, readings: Sequence[OriginReading]) -> None:
        self._ome.show(readings)
