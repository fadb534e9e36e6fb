"""What becomes of spans that have ended: every one is sent, or counted as lost."""

import threading
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class SpanMeter(Protocol):
    """Counts spans: `exported`, `dropped` because the queue was full, `failed` because the receiver did not take
    them."""

    def spans(self, result: str, count: int) -> None: ...


class SpanBook:
    """How many spans wait. Used by every thread that ends one, and by the one that sends."""

    def __init__(self, meter: SpanMeter, *, limit: int) -> None:
        self._meter = meter
        self._limit = limit
        self._waiting = 0
        self._closed = False
        self._lock = threading.Lock()

    def admitted(self) -> bool:
        """Whether there is room for one more; if not, it is counted as dropped."""
        with self._lock:
            if not self._closed and self._waiting < self._limit:
                self._waiting += 1
                return True
        self._meter.spans("dropped", 1)
        return False

    def settled(self, count: int, *, sent: bool) -> None:
        """A batch is through."""
        with self._lock:
            if self._closed:
                return  # counted as given up
            self._waiting -= count
        self._meter.spans("exported" if sent else "failed", count)

    def give_up(self) -> int:
        """Nothing is sent any more: what still waits is dropped. How many those are."""
        with self._lock:
            left, self._waiting, self._closed = self._waiting, 0, True
        if left:
            self._meter.spans("dropped", left)
        return left


class CountedQueue(SpanProcessor):
    """Lets `inner`, which queues, have only what it has room for."""

    def __init__(self, inner: SpanProcessor, book: SpanBook) -> None:
        self._inner = inner
        self._book = book

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._inner.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        if span.context and span.context.trace_flags.sampled and self._book.admitted():
            self._inner.on_end(span)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


class CountedExporter(SpanExporter):
    """Counts what `inner` sends."""

    def __init__(self, inner: SpanExporter, book: SpanBook) -> None:
        self._inner = inner
        self._book = book

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent = False
        try:
            result = self._inner.export(spans)
            sent = result is SpanExportResult.SUCCESS
            return result
        finally:
            self._book.settled(len(spans), sent=sent)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)
