"""What state a channel is in: as other services see it, and finer."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from streaming_service.domain.placement import Placement
from streaming_service.domain.spec import ChannelSpec


class Status(StrEnum):
    """What other services see."""

    PROVISIONING = "provisioning"
    READY = "ready"
    FAILED = "failed"
    RETIRED = "retired"


class Phase(StrEnum):
    """Where a channel is inside its status."""

    ACCEPTED = "accepted"
    PLACED = "placed"
    CREATED = "created"
    PLAYABLE = "playable"
    PUBLISHED = "published"
    DRAINING = "draining"


class Failure(Struct, frozen=True):
    """Why the last attempt failed: a stable code and a sentence for a person."""

    code: str
    detail: str
    at: datetime


def resting(serving: Placement | None, spec: ChannelSpec) -> Phase:
    """Where a channel is that builds nothing: viewers get exactly what is wanted, or something is still to be made."""
    if serving is None or serving.media_hash != spec.media_hash:
        return Phase.ACCEPTED
    return Phase.PUBLISHED if serving.copy else Phase.PLAYABLE
