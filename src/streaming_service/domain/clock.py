"""Time on the wire. The domain never reads a clock: `now` is always a parameter."""

from datetime import UTC, datetime

from streaming_service.errors import InvalidInput


def to_wire(moment: datetime) -> str:
    """UTC with milliseconds and `Z`, the only form clients accept: `2026-01-02T03:04:05.678Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_wire(text: str, field: str) -> datetime:
    """Parse an ISO 8601 moment with a zone. Raises InvalidInput naming `field`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(field, f"is not an ISO 8601 date-time: {text[:40]!r}") from error
    if moment.tzinfo is None:
        raise InvalidInput(field, "needs a time zone, for example a trailing Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(field, "is out of range") from error
