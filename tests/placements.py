"""Placements for tests that make a channel's moves by hand."""

from datetime import datetime
from typing import Any

from streaming_service.domain.channel import Channel
from streaming_service.domain.placement import Placement


def placement_of(channel: Channel, now: datetime, **changes: Any) -> Placement:
    """The channel's next start as it would be placed on `origin-1`, but for the changes."""
    spec = channel.spec
    facts: dict[str, Any] = {
        "incarnation": channel.incarnation + 1,
        "origin": "origin-1",
        "application": spec.application,
        "stream": f"ss-{channel.incarnation + 1}",
        "media_path": spec.media_path,
        "media_hash": spec.media_hash,
        "checksum": spec.checksum,
        "rungs": spec.rungs,
        "audio": True,
        "placed_at": now,
        "seat": channel.incarnation,
    }
    return Placement(**{**facts, **changes})


def placed(channel: Channel, now: datetime, **changes: Any) -> Channel:
    """The channel with its next start claimed."""
    return channel.placed(placement_of(channel, now, **changes), now)
