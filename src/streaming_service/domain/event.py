"""An upload message of any of its six spellings → a ProvisionRequest, or a reason why not.

Plain `media.uploaded`, plain `media.ready-for-stream`, and each of them as a CloudEvents 1.0 event, structured
(the event is the body) or binary (its attributes travel beside the body).
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from streaming_service.domain.clock import from_wire
from streaming_service.domain.trace import TraceContext, context_in, parse_traceparent
from streaming_service.domain.upload import (
    READY_FOR_STREAM,
    UPLOADED,
    Ignored,
    ProvisionRequest,
    parse_ready_for_stream,
    parse_uploaded,
)
from streaming_service.errors import InvalidInput


def parse_event(data: bytes, attributes: Mapping[str, str]) -> ProvisionRequest | Ignored:
    """Understand an upload message. Raises InvalidInput naming the field that is wrong."""
    body = _json_object(data)
    cloud_type = attributes.get("ce-type") or attributes.get("ce_type")
    occurred_at = attributes.get("ce-time") or attributes.get("ce_time")
    if "specversion" in body:
        cloud_type, occurred_at, body = _open_envelope(body)
    elif cloud_type and attributes.get("ce-specversion", "1.0") != "1.0":
        raise InvalidInput("specversion", "is not 1.0")
    if cloud_type:
        return _by_type(cloud_type, body, occurred_at)
    if "eventType" in body:
        return _by_type(_string(body, "eventType"), body, None)
    return parse_uploaded(body)


class _Traced(Struct):
    """https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md"""

    traceparent: str = ""
    tracestate: str = ""


_read_traced = msgspec.json.Decoder(_Traced).decode


def trace_of(data: bytes, attributes: Mapping[str, str]) -> TraceContext | None:
    """The trace that an upload message belongs to: named by its attributes, or inside a structured CloudEvent."""
    if found := context_in(attributes):
        return found
    if b'"traceparent"' not in data:
        return None
    try:
        said = _read_traced(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # whether this is an event at all is `parse_event`'s question
    return parse_traceparent(said.traceparent, said.tracestate)


def _by_type(event_type: str, body: dict[str, Any], occurred_at: str | None) -> ProvisionRequest | Ignored:
    if event_type == UPLOADED:
        return parse_uploaded(body)
    if event_type == READY_FOR_STREAM:
        # A CloudEvent may carry our whole envelope or only its data object.
        occurred_at = _string(body, "occurredAt") if "occurredAt" in body else occurred_at
        moment = from_wire(occurred_at, "occurredAt") if occurred_at else None
        inner = body.get("data")
        if isinstance(inner, dict):
            return parse_ready_for_stream(inner, moment, prefix="data.")
        if "data" in body or "eventType" in body:
            raise InvalidInput("data", "is not an object")
        return parse_ready_for_stream(body, moment)
    raise InvalidInput("eventType", f"{event_type[:60]!r} is not one of {UPLOADED}, {READY_FOR_STREAM}")


def _open_envelope(event: dict[str, Any]) -> tuple[str, str | None, dict[str, Any]]:
    if event["specversion"] != "1.0":
        raise InvalidInput("specversion", "is not 1.0")
    moment = _string(event, "time") if "time" in event else None
    if isinstance(encoded := event.get("data_base64"), str):
        return _string(event, "type"), moment, _json_object(_base64(encoded))
    data = event.get("data")
    if not isinstance(data, dict):
        raise InvalidInput("data", "is not an object")
    return _string(event, "type"), moment, cast("dict[str, Any]", data)


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidInput("data_base64", "is not base64") from error


def _string(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidInput(field, "is missing or not a string")
    return value


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("body", f"is not JSON: {str(error)[:80]}") from error
    if not isinstance(body, dict):
        raise InvalidInput("body", "is not a JSON object")
    return cast("dict[str, Any]", body)
