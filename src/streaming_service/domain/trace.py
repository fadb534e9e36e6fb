"""Whose work this is, as the whole platform counts it: W3C Trace Context (https://www.w3.org/TR/trace-context/).

A trace is one story told by several processes. What is done for an upload belongs to the upload's story; what is done
hours later is a story of its own that names the first one: no tool shows a trace that goes on for days.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

# Version 00, and whatever later versions add behind it.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[ -~]*)?").fullmatch
_LONGEST, _LONGEST_STATE = 256, 512
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 0x01
# As headers, as attributes of a CloudEvent over Pub/Sub and over HTTP, and as Google's Pub/Sub clients write it.
_SPELLINGS = ("traceparent", "ce-traceparent", "ce_traceparent", "googclient_traceparent")

FOLLOWS_FOR = timedelta(hours=1)


class TraceContext(Struct, frozen=True):
    """A place in a trace: ids in lower-case hex, 32 and 16 digits; `state` is the vendors' `tracestate`."""

    trace_id: str
    span_id: str
    sampled: bool = False
    state: str = ""

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


class Lineage(Struct, frozen=True):
    """What a piece of work comes from: what it is a part of, and what it only names."""

    parent: TraceContext | None = None
    links: tuple[TraceContext, ...] = ()


class Begun(Struct, frozen=True):
    """The `traceparent` of what asked for something, and when it did."""

    traceparent: str
    at: datetime


def parse_traceparent(text: str | None, state: str = "") -> TraceContext | None:
    """None for what is no `traceparent`: whoever sends one that cannot be read is treated as if it sent none."""
    found = _TRACEPARENT(text) if text and len(text) <= _LONGEST else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    kept = state if len(state) <= _LONGEST_STATE and state.isascii() and state.isprintable() else ""
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), kept)


def context_in(attributes: Mapping[str, str]) -> TraceContext | None:
    """The context that travels beside a message, in any of its spellings."""
    for name in _SPELLINGS:
        if found := parse_traceparent(attributes.get(name), attributes.get(name.replace("parent", "state"), "")):
            return found
    return None


def lineage(begun: Begun | None, now: datetime) -> Lineage:
    """Work for something that began within the last hour is a part of its trace; later work names it with a link."""
    context = parse_traceparent(begun.traceparent) if begun else None
    if begun is None or context is None:
        return Lineage()
    return Lineage(parent=context) if now - begun.at < FOLLOWS_FOR else Lineage(links=(context,))
