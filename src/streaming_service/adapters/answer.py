"""Reading JSON answers of other services: lenient where it is harmless, strict where a guess could open a door."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from streaming_service.adapters.http import Response
from streaming_service.adapters.retry_after import retry_after_seconds
from streaming_service.domain.clock import from_wire
from streaming_service.errors import InvalidInput, UpstreamError, UpstreamRejected, UpstreamUnavailable

# Unix seconds of the year 5138; in milliseconds that is 1973, which is no expiry of ours.
_SECONDS_END = 100_000_000_000


class Garbage(ValueError):
    """An answer that does not have the agreed shape; says which field, never what it held."""


def json_object(response: Response) -> dict[str, Any]:
    """The body as a JSON object. Raises Garbage."""
    try:
        body = response.json()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Garbage("the body is not JSON") from error
    if not isinstance(body, dict):
        raise Garbage("the body is not a JSON object")
    return cast("dict[str, Any]", body)


def text_field(body: Mapping[str, Any], field: str) -> str | None:
    """A string or a whole number as a string; None when missing, null or empty. Raises Garbage."""
    value = body.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Garbage(f"{field} is not a string")
    return str(value)


def moment_field(body: Mapping[str, Any], field: str) -> datetime | None:
    """An ISO 8601 moment with a zone, or Unix seconds or milliseconds, in UTC; None when missing. Raises Garbage."""
    value = body.get(field)
    if value is None:
        return None
    try:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, str):
            return from_wire(value, field)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value if value < _SECONDS_END else value / 1000, UTC)
    except (InvalidInput, ValueError, OverflowError, OSError) as error:
        raise Garbage(f"{field} is not a date-time") from error
    raise Garbage(f"{field} is not a date-time")


def refused(service: str, response: Response, now: datetime) -> UpstreamError:
    """The error for an answer that is not the one hoped for: 429 and 5xx pass, everything else stays."""
    status = response.status
    if status == 429 or status >= 500:
        wait = retry_after_seconds(response.headers, now)
        return UpstreamUnavailable(service, f"answered {status}", status=status, retry_after=wait)
    return UpstreamRejected(service, f"answered {status}", status=status)
