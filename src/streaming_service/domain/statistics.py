"""What the origins count of their channels, and how analytics is told."""

from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint, Notification, about_origin

TOPIC = "ome.realtime.stats"

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:statistics")
# Streaming inserts take rows of up to a few MB; receivers of ours take bodies of 1 MB.
_CHANNELS_PER_ENVELOPE = 200


class ChannelReading(Struct, frozen=True):
    """What an origin counted of a channel, as `StreamFigures` has it."""

    content_id: str
    stream: str
    viewers: int
    bitrate_kbps: float
    bytes_out: int


class OriginReading(Struct, frozen=True, kw_only=True):
    """The latest figures of an origin, taken at `read_at`; `up`: there are none later.

    One that has not answered yet has none, and has been asked since `asked_since`.
    """

    origin: str
    up: bool
    asked_since: datetime
    read_at: datetime | None = None
    channels: tuple[ChannelReading, ...] = ()

    @property
    def as_of(self) -> datetime:
        """From when on its age counts."""
        return self.read_at or self.asked_since


def envelopes(reading: OriginReading, now: datetime, interval: float) -> tuple[Notification, ...]:
    """What analytics is told of an origin once every `interval` seconds: nothing before its first answer.

    Whoever tells it, the same interval has the same ids, so that it is told once.
    """
    if reading.read_at is None:
        return ()
    slot = slot_of(now, interval)
    size = _CHANNELS_PER_ENVELOPE
    pieces = [reading.channels[first : first + size] for first in range(0, len(reading.channels), size)] or [()]
    common = {
        "origin": reading.origin,
        "totals": _totals(reading.channels),
        "up": reading.up,
        "ageSeconds": round(max(0.0, (now - reading.as_of).total_seconds()), 3),
        "parts": len(pieces),
        "occurredAt": to_wire(now),
    }
    return tuple(
        Notification(
            id=str(uuid5(_NAMESPACE, f"{reading.origin}/{slot}/{part}")),
            endpoint=Endpoint.BIGQUERY,
            topic=TOPIC,
            content_id=about_origin(reading.origin),
            occurred_at=now,
            facts={**common, "part": part, "channels": [_facts(channel) for channel in piece]},
        )
        for part, piece in enumerate(pieces, 1)
    )


def slot_of(now: datetime, interval: float) -> int:
    """Which interval it is, the same in every process."""
    return int(now.timestamp() // interval)


def _facts(channel: ChannelReading) -> dict[str, Any]:
    return {
        "contentId": channel.content_id,
        "stream": channel.stream,
        "viewers": channel.viewers,
        "bitrateKbps": channel.bitrate_kbps,
        "bytesOut": channel.bytes_out,
    }


def _totals(channels: tuple[ChannelReading, ...]) -> dict[str, Any]:
    """Of the whole origin, however many envelopes that takes."""
    return {
        "channels": len(channels),
        "viewers": sum(channel.viewers for channel in channels),
        "bitrateKbps": sum(channel.bitrate_kbps for channel in channels),
        "bytesOut": sum(channel.bytes_out for channel in channels),
    }
