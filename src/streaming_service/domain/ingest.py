"""Moves of a channel that concern who may push to it."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from streaming_service.domain.channel import Channel
from streaming_service.domain.ingest_key import IngestKey


def rotated(channel: Channel, digest: str, now: datetime, grace: timedelta) -> Channel:
    """A new key from now on. The one before is good for `grace`, older ones no longer than they were."""
    channel.require_active()
    until = now + grace
    old = tuple(replace(key, valid_until=min(key.valid_until or until, until)) for key in channel.ingest)
    reason = "ingest key rotated" if old else "ingest key made"
    return channel.moved(now, channel.phase, reason, ingest=(*old, IngestKey(digest, now)))


def revoked(channel: Channel, now: datetime) -> Channel:
    """The keys whose grace is over are forgotten."""
    valid = tuple(key for key in channel.ingest if key.valid(now))
    channel.require(len(valid) < len(channel.ingest), "has no ingest key whose grace is over")
    return channel.moved(now, channel.phase, "old ingest key revoked", ingest=valid)


def previous_key_valid_until(channel: Channel) -> datetime | None:
    """When the last of the older keys stops being good; None when there is none."""
    return max((key.valid_until for key in channel.ingest if key.valid_until), default=None)
