"""Spans, whoever records them.

The code says what it does (`part`, and at the beginning of something `Tracer.begin`); the adapter that is configured
writes it down. Without one nothing is recorded, and the context that came in still goes out with every call.

A part belongs to whatever is active. So only beginnings know a tracer, and a part of nothing costs one look at a
variable. Attributes are named by OpenTelemetry's semantic conventions, our own begin with `streaming.`; none ever holds
a token, a key, or a URL: queries and paths may be signed.
"""

from asyncio import CancelledError
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from random import getrandbits
from typing import Protocol, TypeAlias

from streaming_service.domain.trace import Lineage, TraceContext
from streaming_service.errors import StreamingServiceError

Attributes: TypeAlias = Mapping[str, str | int | float | bool | Sequence[str] | None]

NOTHING_KNOWN: Attributes = {}
NO_LINEAGE = Lineage()


class Kind(StrEnum):
    """Which side of a call a span is: https://opentelemetry.io/docs/specs/otel/trace/api/#spankind"""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """Something that is being done. Attributes that are None are left out."""

    @property
    def context(self) -> TraceContext: ...

    @property
    def recording(self) -> bool:
        """Somebody writes it down."""
        ...

    @property
    def telling(self) -> bool:
        """Its ids mean something to somebody: log lines carry them."""
        ...

    def child(self, name: str, kind: Kind, attributes: Attributes) -> "Span": ...

    def note(self, attributes: Attributes) -> None: ...

    def rename(self, name: str) -> None: ...

    def failed(self, kind: str, detail: str = "") -> None:
        """It did not do what it was to do. `kind` is of few values: an error's class, or an HTTP status."""
        ...

    def end(self) -> None: ...


class Tracer(Protocol):
    """Begins what nothing else in this process is the reason of."""

    @property
    def enabled(self) -> bool: ...

    def begin(
        self,
        name: str,
        kind: Kind = Kind.INTERNAL,
        lineage: Lineage = NO_LINEAGE,
        attributes: Attributes = NOTHING_KNOWN,
    ) -> Span:
        """Ended by `end`, or by leaving `active`. Whether it is recorded, the sampler decides."""
        ...


class Passing:
    """A span that nobody writes down: its context goes on as it came."""

    __slots__ = ("_context", "_telling")

    recording = False

    def __init__(self, context: TraceContext, *, telling: bool) -> None:
        self._context = context
        self._telling = telling

    @property
    def context(self) -> TraceContext:
        return self._context

    @property
    def telling(self) -> bool:
        return self._telling

    def child(self, name: str, kind: Kind, attributes: Attributes) -> Span:  # noqa: ARG002 - the protocol's
        return self

    def note(self, attributes: Attributes) -> None: ...

    def rename(self, name: str) -> None: ...

    def failed(self, kind: str, detail: str = "") -> None: ...

    def end(self) -> None: ...


class NoTracer:
    """Tracing is not configured."""

    enabled = False

    def begin(
        self,
        name: str,  # noqa: ARG002 - the protocol's
        kind: Kind = Kind.INTERNAL,  # noqa: ARG002
        lineage: Lineage = NO_LINEAGE,
        attributes: Attributes = NOTHING_KNOWN,  # noqa: ARG002
    ) -> Span:
        return Passing(lineage.parent or fresh_context(), telling=lineage.parent is not None)


NO_TRACER = NoTracer()

_active: ContextVar[Span | None] = ContextVar("span", default=None)
_NOBODY = Passing(TraceContext("0" * 32, "0" * 16), telling=False)


def current() -> Span | None:
    """What is being done here."""
    return _active.get()


@contextmanager
def active(span: Span) -> Generator[Span]:
    """`span` is what is being done until the context is left; then it has ended, by an error if one passes through."""
    token = _active.set(span)
    try:
        yield span
    except CancelledError:
        span.note({"error.type": "cancelled"})
        raise
    except BaseException as error:
        # Messages of other people's errors may quote what they were given; ours never do.
        span.failed(type(error).__name__, str(error) if isinstance(error, StreamingServiceError) else "")
        raise
    finally:
        _active.reset(token)
        span.end()


@contextmanager
def part(name: str, kind: Kind = Kind.INTERNAL, attributes: Attributes = NOTHING_KNOWN) -> Generator[Span]:
    """A step of what is being done. `name` is of few values; what tells one from another goes into `attributes`."""
    whole = _active.get()
    if whole is None or not whole.recording:
        yield _NOBODY
        return
    with active(whole.child(name, kind, attributes)) as span:
        yield span


def note(attributes: Attributes) -> None:
    """More about what is being done here."""
    if span := _active.get():
        span.note(attributes)


def part_failed(kind: str) -> None:
    """What is being done here did not succeed, although no error passes through."""
    if span := _active.get():
        span.failed(kind)


def outgoing() -> TraceContext:
    """What a call out says: where it comes from, or a new context that nobody records."""
    span = _active.get()
    return fresh_context() if span is None else span.context


def traceparent() -> str | None:
    """Where what is being done stands, for those who go on with it later; None when nobody would find it."""
    span = _active.get()
    return span.context.traceparent if span is not None and span.telling else None


def fresh_context() -> TraceContext:
    """Ids that were never used, and that nobody records."""
    return TraceContext(f"{getrandbits(128) or 1:032x}", f"{getrandbits(64) or 1:016x}")
