"""What to do next for a channel: one pure decision, asked again after every step.

Level-triggered: the answer depends on what is written and on the clock alone, so a crash at any point, a duplicate
worker or a replay ends in the same state.
"""

from datetime import datetime

from msgspec import Struct

from streaming_service.domain.channel import Channel, Phase, Placement, Status


class Remove(Struct, frozen=True):
    """Take this stream from OME: its last viewer URL has expired."""

    placement: Placement


class Place(Struct, frozen=True):
    """Nothing that is wanted is being brought up: choose an origin and claim an incarnation."""


class Start(Struct, frozen=True):
    """An incarnation is claimed: make OME hold it."""

    placement: Placement


class AwaitPlayable(Struct, frozen=True):
    """OME holds it: watch the manifest until it really plays."""

    placement: Placement


class Abandon(Struct, frozen=True):
    """What is being brought up is no longer what is wanted."""


class Announce(Struct, frozen=True):
    """Everything is in place, and the platform is to be told again."""

    placement: Placement


class Rest(Struct, frozen=True):
    """Nothing to do before `until` (None: until something changes)."""

    until: datetime | None


Step = Remove | Place | Start | AwaitPlayable | Abandon | Announce | Rest


def next_step(channel: Channel, now: datetime) -> Step:
    """Building comes before removing: a viewer waits for the new, nobody waits for the old to go."""
    building = None if channel.status is Status.RETIRED else _next_build(channel, now)
    if building:
        return building
    for item in channel.draining:
        if item.not_before <= now:
            return Remove(item.placement)
    return Rest(channel.due_at(now))


def _next_build(channel: Channel, now: datetime) -> Step | None:
    if channel.retry_at and channel.retry_at > now:
        return None
    if channel.building:
        if channel.building.media_hash != channel.spec.media_hash:
            return Abandon()
        return Start(channel.building) if channel.phase is Phase.PLACED else AwaitPlayable(channel.building)
    if not channel.up_to_date:
        return Place()
    if channel.announce and channel.serving:
        return Announce(channel.serving)
    return None
