"""Moments on the wire."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from streaming_service.domain.clock import to_wire

Moment = Annotated[str, Meta(description="UTC with milliseconds.", examples=["2026-01-02T03:04:05.678Z"])]


def moment(value: datetime | None) -> str | None:
    """A moment on the wire, or nothing."""
    return None if value is None else to_wire(value)
