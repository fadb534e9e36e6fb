"""The channel: what we want of one content, what we last saw of it, and every move it can make.

A channel is an immutable value. Each move returns the next value or raises IllegalTransition; nothing here does I/O.

    accepted ─place─▶ placed ─started─▶ created ─play─▶ playable ─copied─▶ published      (phase)
        ▲                └────────── attempt_failed ───────┴───────┘
        └──────────────────── lose ◀── serving vanished from OME

`serving` is what viewers are sent to, `building` what is being brought up beside it, `draining` what is to be taken
away once nobody can hold a valid URL for it any more. A replacement is therefore never a gap. Whatever needs a new
place on an origin waits for it in one queue (`queue_rank`).
"""

from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.ingest_key import IngestKey
from streaming_service.domain.placement import SETTLE, Copy, Draining, Placement, given_up, replaced, same
from streaming_service.domain.publisher import Publisher
from streaming_service.domain.spec import ChannelSpec, Said
from streaming_service.domain.state import Failure, Phase, Status, resting
from streaming_service.domain.trace import Begun
from streaming_service.errors import IllegalTransition

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:streaming-service:channel")
# Reels go before series that arrived up to this much earlier; a series that waits longer goes first: nobody starves.
SERIES_HANDICAP = timedelta(minutes=10)
# A recording is looked at this often: an origin that restarts under it is noticed long before its end.
WATCH_INTERVAL = timedelta(seconds=30)


class Channel(Struct, frozen=True, kw_only=True):
    """One content on OME. `version` counts writes and is the store's compare-and-set key (0: never written).

    `said_at` is when the newest of the accepted wishes was made by its sender, and `said` when its parts were, so that
    wishes which arrive late or twice cannot undo a newer one. `retry_at` is when the next attempt may begin after a
    failure. `renew_below`: what serves from OME under an earlier incarnation is to be replaced. `ingest` holds the
    keys that may push to it, the newest last, and `publishers` those who do. `restored_at`: when the store was last
    restored from a backup. `trace` is where the newest wish was asked for.
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
    waiting_since: datetime | None = None
    renew_below: int = 0
    serving: Placement | None = None
    building: Placement | None = None
    draining: tuple[Draining, ...] = ()
    announce: bool = False
    announcements: int = 0
    failure: Failure | None = None
    ready_at: datetime | None = None
    retired_at: datetime | None = None
    restored_at: datetime | None = None
    said: Said = Said()
    ingest: tuple[IngestKey, ...] = ()
    publishers: tuple[Publisher, ...] = ()
    trace: Begun | None = None

    @property
    def content_id(self) -> str:
        return self.spec.content_id

    @property
    def channel_id(self) -> str:
        """Derived from the content id, so that it is known from the first answer on."""
        return str(uuid5(_NAMESPACE, self.spec.content_id))

    @property
    def up_to_date(self) -> bool:
        """Viewers are sent to exactly the media that is wanted, and to where they are wanted."""
        serving = self.serving
        if serving is None or serving.media_hash != self.spec.media_hash:
            return False
        return not serving.on_ome or serving.incarnation >= self.renew_below

    @property
    def wants_place(self) -> bool:
        """It needs a new place on an origin."""
        return self.status is not Status.RETIRED and self.building is None and not self.up_to_date

    @property
    def queue_rank(self) -> datetime | None:
        """The order among those that wait for a place: the oldest first, series a little behind; None: not waiting."""
        if self.waiting_since is None:
            return None
        series = self.spec.classification is Classification.SERIES
        return self.waiting_since + (SERIES_HANDICAP if series else timedelta(0))

    @property
    def queue_at(self) -> datetime | None:
        """Not to be placed before; None: not waiting."""
        return self.waiting_since and max(self.waiting_since, self.retry_at or self.waiting_since)

    @property
    def recording(self) -> Placement | None:
        """What OME makes a VOD copy of just now, while it plays."""
        if self.status is Status.RETIRED:
            return None
        building = self.building
        if building and building.recording and self.phase is Phase.PLAYABLE:
            return building if building.media_hash == self.spec.media_hash else None
        return self.serving if self.serving and self.serving.recording and self.up_to_date else None

    @property
    def on_ome(self) -> tuple[Placement, ...]:
        """Everything of it that an origin holds, or is about to."""
        now = tuple(item for item in (self.serving, self.building) if item and item.on_ome)
        return now + tuple(item.placement for item in self.draining if not item.copy)

    def due_at(self, now: datetime) -> datetime | None:
        """When a worker should look at this channel next, apart from giving it a place; None: nothing to do."""
        moments = [item.not_before for item in self.draining]
        moments += [key.valid_until for key in self.ingest if key.valid_until]
        if self.status is not Status.RETIRED:
            if recording := self.recording:
                moments.append(min(max(recording.ends_at or now, now), now + WATCH_INTERVAL))
            elif self.building:
                moments.append(now)
            if self.announce and self.up_to_date:
                moments.append(now)
        return min(moments, default=None)

    # -- moves ----------------------------------------------------------------------------------------------------

    def revised(self, spec: ChannelSpec, now: datetime, said_at: datetime, said: Said | None = None) -> "Channel":
        """The wish changed (or came back after a retirement): a new generation, looked at at once."""
        self.require(spec.hash != self.spec_hash or self.status is Status.RETIRED, "is already exactly that")
        return self.moved(
            now,
            self.phase if self.building else resting(self.serving, spec),
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
        self.require_active()
        return replace(self, said_at=said_at, said=said, updated_at=now)

    def placed(self, placement: Placement, now: datetime) -> "Channel":
        """Claim the next incarnation. Written before OME is asked, so that a crash cannot start two of one name."""
        self.require_active()
        self.require(self.building is None, "is already being built")
        self.require(placement.incarnation == self.incarnation + 1, f"cannot start as {placement.incarnation} now")
        return self.moved(
            now,
            Phase.PLACED,
            f"incarnation {placement.incarnation} on {placement.origin}",
            status=Status.READY if self.serving else Status.PROVISIONING,
            incarnation=placement.incarnation,
            building=placement,
            retry_at=None,
        )

    def started(self, now: datetime, at: datetime | None = None) -> "Channel":
        """OME holds the scheduled channel, which began `at`; whether it plays is another question."""
        building = self.built(Phase.PLACED)
        reason = f"{building.stream} exists on {building.origin}"
        return self.moved(now, Phase.CREATED, reason, building=replace(building, started_at=at or now))

    def restarting(self, reason: str, now: datetime) -> "Channel":
        """OME lost it before anybody was sent to it: it may be asked for again under the same name."""
        building = self.built(Phase.CREATED)
        return self.moved(now, Phase.PLACED, reason, building=replace(building, started_at=None))

    def playable(self, now: datetime, *, drain_after: timedelta, seen: Placement | None = None) -> "Channel":
        """The manifest really plays, as `seen`: viewers are switched to it, what they had before drains.

        A content that is ready only when its VOD copy is published goes on being built instead, and so does one that
        is over before anybody could watch.
        `retries` stays, as what it took; whatever makes another start necessary counts from 0 again.
        """
        building = seen or self.built(Phase.CREATED)
        self.require(building.stream == self.built(Phase.CREATED).stream, f"is not building {building.stream}")
        reason = f"{building.stream} plays every rung"
        if building.recording and (building.short or self.spec.protocol is Protocol.HLS):
            reason = f"{building.stream} is being recorded" if building.short else f"{reason} and is being recorded"
            return self.moved(now, Phase.PLAYABLE, reason, building=building)
        return self.moved(
            now,
            Phase.PLAYABLE,
            reason,
            status=Status.READY,
            serving=building,
            building=None,
            draining=self.draining + replaced(self.serving, now + drain_after),
            failure=None,
            ready_at=now,
            last_provisioned_at=now,
            announce=False,
            announcements=self.announcements + 1,
        )

    def published(self, copy: Copy, now: datetime, *, drain_after: timedelta, release_after: timedelta) -> "Channel":
        """The VOD copy is complete: viewers are switched to it in one step, and OME is released."""
        recording = self.recording
        if recording is None:
            raise IllegalTransition(f"channel {self.content_id} records nothing")
        before = self.serving if recording is self.building else None
        return self.moved(
            now,
            Phase.PUBLISHED,
            f"{recording.stream} published: {copy.duration:.1f} s in {copy.files} files",
            status=Status.READY,
            serving=replace(recording, copy=copy),
            building=None if recording is self.building else self.building,
            draining=(*self.draining, *replaced(before, now + drain_after), Draining(recording, now + release_after)),
            failure=None,
            ready_at=now if recording is self.building else self.ready_at,
            last_provisioned_at=now,
            announce=False,
            announcements=self.announcements + 1,
        )

    def announced(self, now: datetime) -> "Channel":
        """An operator asked for a replay and everything is in place: the platform is told again."""
        self.require(self.announce and self.up_to_date, "has nothing to announce")
        return self.moved(now, self.phase, "announced again", announce=False, announcements=self.announcements + 1)

    def attempt_failed(self, failure: Failure, now: datetime, *, retry_at: datetime, final: bool) -> "Channel":
        """Give this start up. After a `final` one the channel rests as `failed`, unless something still serves.

        What serves and was to be copied has come to its end: it is replaced, or goes when that was the last try.
        """
        self.require_active()
        ended = self.recording if self.building is None else None
        serving = None if ended and final else self.serving
        gone = (*given_up(self.building, now), *(replaced(ended, now) if serving is None else ()))
        return self.moved(
            now,
            resting(serving, self.spec),
            f"{failure.code}: {failure.detail}",
            status=Status.READY if serving else Status.FAILED if final else Status.PROVISIONING,
            serving=serving,
            building=None,
            draining=self.draining + gone,
            failure=failure,
            retries=self.retries if final else self.retries + 1,
            retry_at=retry_at,
            renew_below=ended.incarnation + 1 if ended else self.renew_below,
        )

    def abandoned(self, now: datetime) -> "Channel":
        """The wish changed while this start was under way: it is taken down and another one begins."""
        building = self.building
        if building is None:
            raise IllegalTransition(f"channel {self.content_id} is not being built")
        return self.moved(
            now,
            resting(self.serving, self.spec),
            f"{building.stream} is no longer wanted",
            building=None,
            draining=(*self.draining, *given_up(building, now)),
        )

    def lost(self, reason: str, now: datetime) -> "Channel":
        """What viewers were sent to is gone from OME: start again under a new name."""
        serving = self.serving
        if serving is None:
            raise IllegalTransition(f"channel {self.content_id} serves nothing that could be lost")
        return self.moved(
            now,
            self.phase if self.building else Phase.ACCEPTED,
            reason,
            status=Status.PROVISIONING,
            serving=None,
            draining=(*self.draining, *replaced(serving, now)),
            retries=0,
            retry_at=None,
        )

    def renewed(self, reason: str, now: datetime) -> "Channel":
        """What serves from OME is to be replaced by another start of the same, without a gap."""
        self.require_active()
        serving = self.serving
        if serving is None or not serving.on_ome:
            raise IllegalTransition(f"channel {self.content_id} serves nothing from OME")
        return self.moved(
            now, self.phase, reason, renew_below=serving.incarnation + 1, retries=0, retry_at=None, failure=None
        )

    def drained(self, item: Draining, now: datetime) -> "Channel":
        """It is gone: OME no longer holds that stream, or the bucket no longer holds that copy."""
        remaining = tuple(other for other in self.draining if not same(other, item))
        self.require(len(remaining) < len(self.draining), f"is not draining {item.placement.stream}")
        what = "copy removed from the bucket" if item.copy else "removed from OME"
        return self.moved(now, self.phase, f"{item.placement.stream}: {what}", draining=remaining)

    def retired(self, now: datetime) -> "Channel":
        """Nobody may watch it any more; OME and the bucket are cleared at once, the record stays."""
        self.require_active()
        sooner = tuple(replace(item, not_before=min(item.not_before, now + SETTLE)) for item in self.draining)
        return self.moved(
            now,
            Phase.DRAINING,
            "retired",
            status=Status.RETIRED,
            serving=None,
            building=None,
            draining=sooner + replaced(self.serving, now) + given_up(self.building, now),
            announce=False,
            retry_at=None,
            retired_at=now,
            ingest=(),
            publishers=(),
        )

    def replayed(self, now: datetime) -> "Channel":
        """Converge again from the stored spec, and tell the platform again when it plays."""
        self.require_active()
        return self.moved(
            now,
            self.phase,
            "replay requested",
            status=Status.READY if self.serving else Status.PROVISIONING,
            retries=0,
            retry_at=None,
            failure=None,
            announce=self.serving is not None,
        )

    # -- for moves ------------------------------------------------------------------------------------------------

    def built(self, phase: Phase) -> Placement:
        """What is being built in exactly this phase. Raises IllegalTransition."""
        if self.building is None or self.phase is not phase:
            raise IllegalTransition(f"channel {self.content_id} is {self.status}/{self.phase}, not {phase}")
        return self.building

    def require_active(self) -> None:
        """Raises IllegalTransition for a retired channel."""
        self.require(self.status is not Status.RETIRED, "is retired")

    def require(self, condition: bool, otherwise: str) -> None:
        """Raises IllegalTransition saying what the channel is, when the condition does not hold."""
        if not condition:
            raise IllegalTransition(f"channel {self.content_id} {otherwise}")

    def moved(self, now: datetime, phase: Phase, reason: str, **changes: object) -> "Channel":
        """The next value. Whoever comes to need a place joins the queue now, and keeps its turn until it has one."""
        after = replace(self, phase=phase, phase_at=now, phase_reason=reason, updated_at=now, **changes)
        if not after.wants_place:
            return replace(after, waiting_since=None) if after.waiting_since else after
        return after if after.waiting_since else replace(after, waiting_since=now)


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
        waiting_since=now,
        said=said or Said(),
    )
