"""What to do next for a channel: one pure decision, asked again after every step.

Level-triggered: the answer depends on what is written and on the clock alone, so a crash at any point, a duplicate
worker or a replay ends in the same state.
"""

import re
from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.placement import Draining, Placement
from streaming_service.domain.state import Phase, Status


class Remove(Struct, frozen=True):
    """Take this stream from OME, or this copy from the bucket: its last viewer URL has expired."""

    item: Draining


class Queue(Struct, frozen=True):
    """It needs a place and does not wait for one: a release that knew no queue wrote it."""


class Place(Struct, frozen=True):
    """Nothing that is wanted is being brought up, and it is this channel's turn: take a place, claim an incarnation."""


class Start(Struct, frozen=True):
    """An incarnation is claimed: make OME hold it."""

    placement: Placement


class AwaitPlayable(Struct, frozen=True):
    """OME holds it: watch the manifest until it really plays."""

    placement: Placement


class Record(Struct, frozen=True):
    """It plays and a VOD copy is being made: see how that goes, and finish it when it has come to its end."""

    placement: Placement


class Abandon(Struct, frozen=True):
    """What is being brought up is no longer what is wanted."""


class Announce(Struct, frozen=True):
    """Everything is in place, and the platform is to be told again."""

    placement: Placement


class Revoke(Struct, frozen=True):
    """The grace of an ingest key is over: whoever still pushes with it is cut."""


class Rest(Struct, frozen=True):
    """Nothing to do before `until` (None: until something changes)."""

    until: datetime | None


_CAPITAL = re.compile("(?<!^)(?=[A-Z])")

Step = Remove | Queue | Place | Start | AwaitPlayable | Record | Abandon | Announce | Revoke | Rest


def step_name(step: Step) -> str:
    """`await playable`: of few values, for people."""
    return _CAPITAL.sub(" ", type(step).__name__).lower()


def next_step(
    channel: Channel,
    now: datetime,
    *,
    may_place: bool = True,
    watch: bool = True,
    stuck: Collection[Draining] = (),
) -> Step:
    """Building comes before removing: a viewer waits for the new, nobody waits for the old to go.

    `may_place`: it is this channel's turn in the queue for places. `watch`: its recording was not looked at just now.
    What is `stuck` could not be removed just now, which must not keep the rest.
    """
    building = None if channel.status is Status.RETIRED else _next_build(channel, now, may_place=may_place, watch=watch)
    if building:
        return building
    for item in channel.draining:
        if item.not_before <= now and item not in stuck:
            return Remove(item)
    if any(not key.valid(now) for key in channel.ingest):
        return Revoke()
    return Rest(channel.due_at(now))


def _next_build(channel: Channel, now: datetime, *, may_place: bool, watch: bool) -> Step | None:
    building = channel.building
    if building:
        if building.media_hash != channel.spec.media_hash:
            return Abandon()
        if channel.phase is Phase.PLACED:
            return Start(building)
        if channel.phase is Phase.CREATED:
            return AwaitPlayable(building)
    if channel.wants_place:
        queued = channel.queue_at
        if queued is None:
            return Queue()
        return Place() if may_place and queued <= now else None
    if watch and channel.recording:
        return Record(channel.recording)
    if channel.announce and channel.serving and channel.up_to_date:
        return Announce(channel.serving)
    return None
