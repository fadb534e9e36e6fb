"""Moves of a channel that concern who may push to it."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from streaming_service.domain.channel import Channel
from streaming_service.domain.ingest_key import IngestKey
from streaming_service.domain.publisher import Publisher
from streaming_service.domain.state import Status

# One that OME refused, because another one is there, counts until it says goodbye.
_MOST_PUBLISHERS = 8


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


def came_with_older_keys(channel: Channel, now: datetime) -> datetime | None:
    """Whoever has pushed since before then came with a key that is no longer good; None: no key is good."""
    return min((key.made_at for key in channel.ingest if key.valid(now)), default=None)


def publisher_of(channel: Channel, now: datetime) -> Publisher | None:
    """Who pushes: of several the oldest, because OME lets nobody in while another one is there."""
    return next((item for item in channel.publishers if item.there(now)), None)


def connected(channel: Channel, publisher: Publisher, now: datetime) -> Channel:
    """Somebody was let in. The same channel when that is known, or when nobody may push to it any more."""
    known = any(_same(item, publisher.address, publisher.port) for item in channel.publishers)
    if known or channel.status is Status.RETIRED or not channel.spec.live:
        return channel
    there = tuple(item for item in channel.publishers if item.there(now))
    return replace(channel, publishers=(*there, publisher)[-_MOST_PUBLISHERS:], updated_at=now)


def disconnected(channel: Channel, address: str, port: int, now: datetime) -> Channel:
    """Somebody went. The same channel when nobody knew of them."""
    remaining = tuple(item for item in channel.publishers if not _same(item, address, port))
    if len(remaining) == len(channel.publishers):
        return channel
    return replace(channel, publishers=remaining, updated_at=now)


def _same(publisher: Publisher, address: str, port: int) -> bool:
    return (publisher.address, publisher.port) == (address, port)
