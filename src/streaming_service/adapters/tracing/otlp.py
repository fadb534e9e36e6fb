"""Spans by OpenTelemetry's SDK to an OTLP receiver, in protobuf over HTTP.

Ended spans are counted into a bounded queue, and a thread sends them in batches: nobody who does something ever waits
for the receiver. What does not fit, and what cannot be sent, is dropped and counted.
"""

import threading
from collections.abc import Mapping
from typing import Any

import structlog
from msgspec import Struct
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from streaming_service.adapters.tracing.counting import CountedExporter, CountedQueue, SpanBook, SpanMeter
from streaming_service.domain.trace import TraceContext
from streaming_service.tracing import NO_LINEAGE, NOTHING_KNOWN, Attributes, Kind, Lineage, Passing, Span

log = structlog.get_logger(__name__)

_KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}
# A sentence, not a body.
_LIMITS = SpanLimits(max_span_attribute_length=512, max_attribute_length=512)


class TracingPlan(Struct, frozen=True):
    """Where spans go, and which.

    endpoint   full URL of the receiver's traces
    headers    sent with each export: they may hold a key
    resource   attributes of this process, by OpenTelemetry's names
    sampler    one of OTEL_TRACES_SAMPLER's values, `ratio` for those that take one
    queue      how many ended spans may wait
    delay      seconds between two exports, as long as no batch is full
    """

    endpoint: str
    headers: Mapping[str, str]
    resource: Mapping[str, str]
    sampler: str
    ratio: float
    queue: int = 4096
    delay: float = 2.0

    def __repr__(self) -> str:
        return f"TracingPlan(endpoint={self.endpoint!r}, sampler={self.sampler!r}, ratio={self.ratio!r})"


class OtlpTracer:
    """Implements `tracing.Tracer`. Open from the start; `close` sends what is left."""

    enabled = True

    def __init__(self, plan: TracingPlan, meter: SpanMeter, exporter: SpanExporter | None = None) -> None:
        self._exporter = exporter or OTLPSpanExporter(plan.endpoint, headers=dict(plan.headers))
        self._book = SpanBook(meter, limit=plan.queue)
        batches = BatchSpanProcessor(
            CountedExporter(self._exporter, self._book),
            max_queue_size=plan.queue,
            schedule_delay_millis=plan.delay * 1000,
            max_export_batch_size=min(512, plan.queue),
        )
        self._provider = TracerProvider(
            sampler=_sampler(plan.sampler, plan.ratio),
            resource=Resource(dict(plan.resource)),
            shutdown_on_exit=False,
            span_limits=_LIMITS,
        )
        self._provider.add_span_processor(CountedQueue(batches, self._book))
        self._tracer: Any = self._provider.get_tracer("streaming_service")

    def begin(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        lineage: Lineage = NO_LINEAGE,
        attributes: Attributes = NOTHING_KNOWN,
    ) -> Span:
        """See tracing.Tracer."""
        return _begun(self._tracer, lineage.parent, name, kind, attributes, lineage.links)

    def close(self, seconds: float) -> None:
        """Send what is left, for at most so long; what is left then is counted as dropped. Blocks."""
        # The SDK's own shutdown waits for half a minute, and cannot be told not to.
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._exporter.shutdown()
        if left := self._book.give_up():
            log.warning("spans not exported", reason="the OTLP receiver did not take them in time", spans=left)


class _Recorded:
    """A span that the SDK writes down."""

    __slots__ = ("_span", "_tracer", "context")

    recording = True
    telling = True

    def __init__(self, tracer: Any, span: OtelSpan, context: TraceContext) -> None:
        self._tracer = tracer
        self._span = span
        self.context = context

    def child(self, name: str, kind: Kind, attributes: Attributes) -> Span:
        return _begun(self._tracer, self.context, name, kind, attributes, (), of=self._span)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(_known(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def failed(self, kind: str, detail: str = "") -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR, detail or None)

    def end(self) -> None:
        self._span.end()


def _begun(
    tracer: SdkTracer,
    parent: TraceContext | None,
    name: str,
    kind: Kind,
    attributes: Attributes,
    links: tuple[TraceContext, ...],
    of: OtelSpan | None = None,
) -> Span:
    """`of` is the parent itself, when it is one of this process."""
    above = of or (NonRecordingSpan(_spelt(parent)) if parent else NonRecordingSpan(_NOWHERE))
    span = tracer.start_span(
        name,
        # Never the SDK's own idea of what is active: ours is the only one.
        context=set_span_in_context(above),
        kind=_KINDS[kind],
        attributes=_known(attributes),
        links=[Link(_spelt(item)) for item in links],
    )
    said = span.get_span_context()
    context = TraceContext(
        f"{said.trace_id:032x}",
        f"{said.span_id:016x}",
        bool(said.trace_flags & TraceFlags.SAMPLED),
        parent.state if parent else "",
    )
    return _Recorded(tracer, span, context) if span.is_recording() else Passing(context, telling=True)


_NOWHERE = SpanContext(0, 0, is_remote=False)


def _spelt(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([context.state]) if context.state else None
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), True, flags, state)


def _known(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _sampler(name: str, ratio: float) -> Sampler:
    match name:
        case "always_on":
            return ALWAYS_ON
        case "always_off":
            return ALWAYS_OFF
        case "traceidratio":
            return TraceIdRatioBased(ratio)
        case "parentbased_always_off":
            return DEFAULT_OFF
        case "parentbased_traceidratio":
            return ParentBasedTraceIdRatio(ratio)
        case _:
            return DEFAULT_ON
