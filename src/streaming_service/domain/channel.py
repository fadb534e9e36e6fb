"""The channel: what we want of one content, what we last saw of it, and every move it can make.

A channel is an immutable value. Each move returns the next value or raises IllegalTransition; nothing here does I/O.

    accepted ─place─▶ placed ─started─▶ created ─play─▶ playable      (phase)
        ▲                └────────── attempt_failed ──────┘
        └──────────────────── lose ◀── serving vanished from OME

`serving` is what viewers are sent to, `building` what is being brought up beside it, `draining` what is to be taken
from OME once nobody can hold a valid URL for it any more. A replacement is therefore never a gap.
"""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.ladder import Ladder, Rung
from streaming_service.domain.spec import ChannelSpec, Said
from streaming_service.errors import IllegalTransition

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:channel")
_SETTLE = timedelta(seconds=2)
_OURS = re.compile(r"([0-9a-f]{32})-[1-9][0-9]*")


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


class Placement(Struct, frozen=True):
    """One start of a channel on one origin. The stream name is fresh in every incarnation, so that a URL that a CDN
    has cached is never used for other bytes."""

    incarnation: int
    origin: str
    application: str
    stream: str
    media_path: str
    media_hash: str
    checksum: str
    rungs: tuple[Rung, ...]
    audio: bool
    placed_at: datetime
    started_at: datetime | None = None

    @property
    def path(self) -> str:
        """Where everything of this start lives below the playback and CDN base URLs."""
        return f"/{self.application}/{self.stream}/"

    @property
    def ladder(self) -> Ladder:
        return Ladder(self.rungs)


class Draining(Struct, frozen=True):
    """A placement to take from OME, not before the last URL for it has expired."""

    placement: Placement
    not_before: datetime


class Failure(Struct, frozen=True):
    """Why the last attempt failed: a stable code and a sentence for a person."""

    code: str
    detail: str
    at: datetime


class Channel(Struct, frozen=True, kw_only=True):
    """One content on OME. `version` counts writes and is the store's compare-and-set key (0: never written).

    `said_at` is when the newest of the accepted wishes was made by its sender, and `said` when its parts were, so that
    wishes which arrive late or twice cannot undo a newer one. `retry_at` is when the next attempt may begin after a
    failure.
    """

    spec: ChannelSpec
    generation: int
    spec_hash: str
    said_at: datetime
    status: Status
    phase: Phase
    phase_at: datetime
    phase_reason: str
    created_at: datetime
    updated_at: datetime
    last_provisioned_at: datetime
    version: int = 0
    incarnation: int = 0
    retries: int = 0
    retry_at: datetime | None = None
    serving: Placement | None = None
    building: Placement | None = None
    draining: tuple[Draining, ...] = ()
    announce: bool = False
    announcements: int = 0
    failure: Failure | None = None
    ready_at: datetime | None = None
    retired_at: datetime | None = None
    said: Said = Said()

    @property
    def content_id(self) -> str:
        return self.spec.content_id

    @property
    def channel_id(self) -> str:
        """Derived from the content id, so that it is known from the first answer on."""
        return str(uuid5(_NAMESPACE, self.spec.content_id))

    @property
    def up_to_date(self) -> bool:
        """Viewers are sent to exactly the media that is wanted."""
        return self.serving is not None and self.serving.media_hash == self.spec.media_hash

    def due_at(self, now: datetime) -> datetime | None:
        """When a worker should look at this channel next; None when there is nothing to do."""
        moments = [item.not_before for item in self.draining]
        if self.status is not Status.RETIRED and (self.building or self.announce or not self.up_to_date):
            moments.append(self.retry_at or now)
        return min(moments, default=None)

    # -- moves ----------------------------------------------------------------------------------------------------

    def revised(self, spec: ChannelSpec, now: datetime, said_at: datetime, said: Said | None = None) -> "Channel":
        """The wish changed (or came back after a retirement): a new generation, looked at at once."""
        self._require(spec.hash != self.spec_hash or self.status is Status.RETIRED, "is already exactly that")
        return self._moved(
            now,
            self.phase if self.building else _resting(self.serving, spec),
            f"generation {self.generation + 1} accepted",
            status=Status.READY if self.serving else Status.PROVISIONING,
            spec=spec,
            generation=self.generation + 1,
            spec_hash=spec.hash,
            said_at=said_at,
            said=said or self.said,
            retries=0,
            retry_at=None,
            failure=None,
            retired_at=None,
            last_provisioned_at=now,
        )

    def confirmed(self, now: datetime, said_at: datetime, said: Said) -> "Channel":
        """The same was said again: nothing changes but how old a wish must be to come too late."""
        self._require_active()
        return replace(self, said_at=said_at, said=said, updated_at=now)

    def placed(self, origin: str, stream: str, now: datetime, *, audio: bool) -> "Channel":
        """Claim the next incarnation. Written before OME is asked, so that a crash cannot start two of one name."""
        self._require_active()
        self._require(self.building is None, "is already being built")
        placement = Placement(
            incarnation=self.incarnation + 1,
            origin=origin,
            application=self.spec.application,
            stream=stream,
            media_path=self.spec.media_path,
            media_hash=self.spec.media_hash,
            checksum=self.spec.checksum,
            rungs=self.spec.rungs,
            audio=audio,
            placed_at=now,
        )
        return self._moved(
            now,
            Phase.PLACED,
            f"incarnation {placement.incarnation} on {origin}",
            status=Status.READY if self.serving else Status.PROVISIONING,
            incarnation=placement.incarnation,
            building=placement,
            retry_at=None,
        )

    def started(self, now: datetime) -> "Channel":
        """OME holds the scheduled channel; whether it plays is another question."""
        building = self._building(Phase.PLACED)
        reason = f"{building.stream} exists on {building.origin}"
        return self._moved(now, Phase.CREATED, reason, building=replace(building, started_at=now))

    def playable(self, now: datetime, *, drain_after: timedelta) -> "Channel":
        """The manifest really plays: viewers are switched to it, what they had before drains.

        `retries` stays, as what it took; whatever makes another start necessary counts from 0 again.
        """
        building = self._building(Phase.CREATED)
        replaced = (Draining(self.serving, now + drain_after),) if self.serving else ()
        return self._moved(
            now,
            Phase.PLAYABLE,
            f"{building.stream} plays every rung",
            status=Status.READY,
            serving=building,
            building=None,
            draining=self.draining + replaced,
            failure=None,
            ready_at=now,
            last_provisioned_at=now,
            announce=False,
            announcements=self.announcements + 1,
        )

    def announced(self, now: datetime) -> "Channel":
        """An operator asked for a replay and everything is in place: the platform is told again."""
        self._require(self.announce and self.up_to_date, "has nothing to announce")
        return self._moved(now, self.phase, "announced again", announce=False, announcements=self.announcements + 1)

    def attempt_failed(self, failure: Failure, now: datetime, *, retry_at: datetime, final: bool) -> "Channel":
        """Give this start up. After a `final` one the channel rests as `failed`, unless something still serves."""
        self._require_active()
        given_up = (_given_up(self.building, now),) if self.building else ()
        return self._moved(
            now,
            _resting(self.serving, self.spec),
            f"{failure.code}: {failure.detail}",
            status=Status.READY if self.serving else Status.FAILED if final else Status.PROVISIONING,
            building=None,
            draining=self.draining + given_up,
            failure=failure,
            retries=self.retries if final else self.retries + 1,
            retry_at=retry_at,
        )

    def abandoned(self, now: datetime) -> "Channel":
        """The wish changed while this start was under way: it is taken down and another one begins."""
        self._require(self.building is not None, "is not being built")
        building = self._building(self.phase)
        return self._moved(
            now,
            _resting(self.serving, self.spec),
            f"{building.stream} is no longer wanted",
            building=None,
            draining=(*self.draining, _given_up(building, now)),
        )

    def lost(self, reason: str, now: datetime) -> "Channel":
        """What viewers were sent to is gone from OME: start again under a new name."""
        serving = self.serving
        if serving is None:
            raise IllegalTransition(f"channel {self.content_id} serves nothing that could be lost")
        return self._moved(
            now,
            self.phase if self.building else Phase.ACCEPTED,
            reason,
            status=Status.PROVISIONING,
            serving=None,
            draining=(*self.draining, Draining(serving, now)),
            retries=0,
            retry_at=None,
        )

    def drained(self, stream: str, now: datetime) -> "Channel":
        """OME no longer holds that stream."""
        remaining = tuple(item for item in self.draining if item.placement.stream != stream)
        self._require(len(remaining) < len(self.draining), f"is not draining {stream}")
        return self._moved(now, self.phase, f"{stream} removed from OME", draining=remaining)

    def retired(self, now: datetime) -> "Channel":
        """Nobody may watch it any more; OME is cleared at once, the record stays."""
        self._require_active()
        served = (Draining(self.serving, now),) if self.serving else ()
        gone = (*served, _given_up(self.building, now)) if self.building else served
        return self._moved(
            now,
            Phase.DRAINING,
            "retired",
            status=Status.RETIRED,
            serving=None,
            building=None,
            draining=tuple(replace(item, not_before=min(item.not_before, now + _SETTLE)) for item in self.draining)
            + gone,
            announce=False,
            retry_at=None,
            retired_at=now,
        )

    def replayed(self, now: datetime) -> "Channel":
        """Converge again from the stored spec, and tell the platform again when it plays."""
        self._require_active()
        return self._moved(
            now,
            self.phase,
            "replay requested",
            status=Status.READY if self.serving else Status.PROVISIONING,
            retries=0,
            retry_at=None,
            failure=None,
            announce=self.serving is not None,
        )

    # -- inside ---------------------------------------------------------------------------------------------------

    def _building(self, phase: Phase) -> Placement:
        if self.building is None or self.phase is not phase:
            raise IllegalTransition(f"channel {self.content_id} is {self.status}/{self.phase}, not {phase}")
        return self.building

    def _require_active(self) -> None:
        self._require(self.status is not Status.RETIRED, "is retired")

    def _require(self, condition: bool, otherwise: str) -> None:
        if not condition:
            raise IllegalTransition(f"channel {self.content_id} {otherwise}")

    def _moved(self, now: datetime, phase: Phase, reason: str, **changes: object) -> "Channel":
        return replace(self, phase=phase, phase_at=now, phase_reason=reason, updated_at=now, **changes)


def _given_up(building: Placement, now: datetime) -> Draining:
    """OME looks for new channels every half second: one that is deleted before it was seen comes up all the same."""
    return Draining(building, now + _SETTLE)


def _resting(serving: Placement | None, spec: ChannelSpec) -> Phase:
    """Playable when viewers get exactly what is wanted; otherwise something is still to be made."""
    return Phase.PLAYABLE if serving and serving.media_hash == spec.media_hash else Phase.ACCEPTED


def accepted(spec: ChannelSpec, now: datetime, said_at: datetime, said: Said | None = None) -> Channel:
    """A content we did not know."""
    return Channel(
        spec=spec,
        generation=1,
        spec_hash=spec.hash,
        said_at=said_at,
        status=Status.PROVISIONING,
        phase=Phase.ACCEPTED,
        phase_at=now,
        phase_reason="accepted",
        created_at=now,
        updated_at=now,
        last_provisioned_at=now,
        said=said or Said(),
    )


def stream_name(prefix: str, content_id: str, incarnation: int) -> str:
    """Deterministic and never used twice: prefix, the content's 32 hex digits, the incarnation."""
    return f"{prefix}{UUID(content_id).hex}-{incarnation}"


def owner_of(prefix: str, stream: str) -> str | None:
    """The content id inside one of our stream names; None for a name that we did not make."""
    found = _OURS.fullmatch(stream.removeprefix(prefix)) if stream.startswith(prefix) else None
    return str(UUID(hex=found[1])) if found else None
