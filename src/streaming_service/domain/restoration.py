"""What a channel becomes when the store was restored from a backup: the world has moved on without it."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from streaming_service.domain.channel import Channel
from streaming_service.domain.placement import replaced
from streaming_service.domain.state import Status, resting


def first_incarnation(now: datetime) -> int:
    """A number that no incarnation from before `now` has reached: they are counted up, and slower than seconds pass."""
    return int(now.timestamp())


def begun_after(channel: Channel, first: int) -> Channel:
    """A new channel in a store whose incarnations begin after `first`; 0: it was never restored.

    The content may have had a channel that the backup does not know: neither its names nor the ids of what was told
    about it may be given again.
    """
    if not first:
        return channel
    return replace(channel, incarnation=first, restored_at=datetime.fromtimestamp(first, UTC))


def restored(channel: Channel, now: datetime, drain_after: timedelta) -> Channel:
    """Its next names are fresh, and what serves is looked at and announced again.

    What was being built may be finished and watched since then: it is neither started again under its name, which
    would overwrite its copy, nor removed before the last URL for it has expired.
    """
    channel = replace(channel, incarnation=max(channel.incarnation, first_incarnation(now)), restored_at=now)
    if channel.status is Status.RETIRED:
        return channel.moved(now, channel.phase, "the store was restored from a backup")
    expired = now + drain_after
    return channel.moved(
        now,
        resting(channel.serving, channel.spec),
        "the store was restored from a backup",
        building=None,
        draining=tuple(replace(item, not_before=max(item.not_before, expired)) for item in channel.draining)
        + replaced(channel.building, expired),
        announce=channel.serving is not None,
        retries=0,
        retry_at=None,
    )
