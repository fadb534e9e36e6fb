"""An HTTP request that carries an event → a Message. Pure.

Four forms arrive at the push route: Pub/Sub's wrapped push, its unwrapped push (the data is the body, attributes are
headers), and CloudEvents over HTTP, binary (`ce-*` headers) or structured (the event is the body).
https://cloud.google.com/pubsub/docs/push and …/payload-unwrapping; CloudEvents HTTP binding 1.0, section 3.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

import msgspec

from streaming_service.application.ports import Message
from streaming_service.domain.clock import from_wire
from streaming_service.errors import InvalidInput

_ID = "x-goog-pubsub-message-id"
_PUBLISHED = "x-goog-pubsub-publish-time"


def message_from_push(headers: Mapping[str, str], body: bytes) -> Message:
    """Unpack the request; header names in any case.

    A body that is no envelope at all is handed on as it is: whether it is an upload event is the handler's question,
    and what it cannot read it keeps as a dead letter. Raises InvalidInput when the envelope itself is broken.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if lower.get("content-type", "").lower().startswith("application/cloudevents-batch"):
        raise InvalidInput("content-type", "batches of CloudEvents are not taken: send them one by one")
    attributes = {name: unquote(value) for name, value in lower.items() if name.startswith("ce-")}
    envelope = None if attributes or _ID in lower else _envelope(body)
    if envelope is not None:
        return _unwrap(envelope)
    return Message(
        data=body,
        attributes=attributes,
        message_id=lower.get(_ID) or attributes.get("ce-id", ""),
        published_at=_moment(lower.get(_PUBLISHED) or attributes.get("ce-time", "")),
    )


def _envelope(body: bytes) -> dict[str, Any] | None:
    """Pub/Sub's JSON object, or None for a body that is something else."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(decoded, dict) or not {"message", "subscription"} & decoded.keys():
        return None
    return cast("dict[str, Any]", decoded)


def _unwrap(envelope: dict[str, Any]) -> Message:
    inner = envelope.get("message")
    if not isinstance(inner, dict):
        raise InvalidInput("message", "is missing or not an object")
    message = cast("dict[str, Any]", inner)
    published = _text(message, "publishTime") or _text(message, "publish_time")
    return Message(
        data=_data(_text(message, "data")),
        attributes=_attributes(message.get("attributes")),
        message_id=_text(message, "messageId") or _text(message, "message_id"),
        published_at=_moment(published),
        delivery_attempt=attempt if isinstance(attempt := envelope.get("deliveryAttempt"), int) else None,
    )


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"message.{name}", "is not a string")
    return value


def _data(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidInput("message.data", "is not base64") from error


def _attributes(value: Any) -> dict[str, str]:
    try:
        return msgspec.convert(value, dict[str, str]) if value is not None else {}
    except msgspec.ValidationError as error:
        raise InvalidInput("message.attributes", "is not an object of strings") from error


def _moment(text: str) -> datetime | None:
    """A time that we cannot read is no reason to refuse an upload."""
    try:
        return from_wire(text, "publishTime")
    except InvalidInput:
        return None
