"""Make OME equal to what is wanted: accept wishes, converge channels.

`converge` takes one step after the other until there is nothing to do. The decision is `next_step`, the moves are
`Channel`'s; here they are carried out and written down. Every step may be repeated, and a crash between any two ends
in the same state: the worker, the reconciler, the replay command and the tests all call this one function.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from streaming_service.application.clearing import Clearing
from streaming_service.application.patience import ConvergencePolicy
from streaming_service.application.placing import NO_AUDIO, next_placement
from streaming_service.application.ports import (
    Clock,
    CopyVerdict,
    Fleet,
    ManifestBucket,
    MediaLibrary,
    Meter,
    Origin,
    Playability,
    PlayabilityReport,
    Store,
)
from streaming_service.application.recording import Going, Recorder, Spoiled
from streaming_service.application.seating import Seating
from streaming_service.application.wishes import Wishes
from streaming_service.domain.audit import audited
from streaming_service.domain.channel import Channel
from streaming_service.domain.convergence import (
    Abandon,
    Announce,
    AwaitPlayable,
    Place,
    Queue,
    Record,
    Remove,
    Rest,
    Revoke,
    Start,
    Step,
    next_step,
    step_name,
)
from streaming_service.domain.history import Change, change
from streaming_service.domain.ingest import revoked
from streaming_service.domain.notification import Cause, Notification, Notifier
from streaming_service.domain.placement import Copy, Draining, Placement, stream_name
from streaming_service.domain.state import Failure
from streaming_service.domain.upload import ProvisionRequest
from streaming_service.domain.wish import Outcome, SpecPolicy
from streaming_service.errors import Conflict, NotFound, SeatTaken, UpstreamRejected, UpstreamUnavailable
from streaming_service.tracing import part, part_failed

log = structlog.get_logger(__name__)

_SEAT_TRIES = 8
_NO_ROOM_PAUSE = timedelta(seconds=1)


class Converged(Struct, frozen=True):
    """How far a convergence came, and when to look again (None: when something changes).

    `queue_at` is set when there was no room for it: it need not be given its turn before.
    """

    channel: Channel
    due_at: datetime | None
    queue_at: datetime | None = None


class _NoRoom(Struct, frozen=True):
    """Every seat is taken."""


class Provisioning:
    """The use case behind every upload. With a `bucket` VOD copies are made and published."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        seating: Seating,
        media: MediaLibrary,
        notifier: Notifier,
        specs: SpecPolicy,
        policy: ConvergencePolicy,
        cache_key: Callable[[str, str], str],
        clock: Clock,
        jitter: Callable[[], float],
        meter: Meter,
        wake_delivery: Callable[[], None],
        bucket: ManifestBucket | None = None,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._seating = seating
        self._media = media
        self._notifier = notifier
        self._wishes = Wishes(store, specs, clock, self._commit)
        self._policy = policy
        self._cache_key = cache_key
        self._clock = clock
        self._jitter = jitter
        self._meter = meter
        self._wake_delivery = wake_delivery
        self._clearing = Clearing(fleet, bucket, clock=clock, retry_after=policy.retry_cap)
        self._recorder = Recorder(bucket, playlist=policy.playlist, clock=clock) if bucket else None

    async def accept(self, request: ProvisionRequest, cause: Cause) -> tuple[Channel, Outcome]:
        """Write down what is wanted. Durable when this returns. Raises InvalidInput or StoreUnavailable."""
        return await self._wishes.accept(request, cause)

    async def converge(self, channel: Channel, cause: Cause, *, may_place: bool = False) -> Converged:
        """Take steps until there is nothing to do now. Raises StoreUnavailable, nothing else.

        `may_place`: it is this channel's turn in the queue for places.
        """
        going: Going | None = None
        queue_at: datetime | None = None
        stuck: dict[Draining, datetime] = {}
        while True:
            step = next_step(channel, self._clock.now(), may_place=may_place, watch=going is None, stuck=stuck)
            if isinstance(step, Rest):
                return Converged(channel, _later(step.until, going, stuck.values()), queue_at)
            try:
                outcome = await self._attempt(step, channel, cause)
            except Conflict:
                fresh = await self._store.get(channel.content_id)
                if fresh is None:
                    raise
                channel = fresh
            except UpstreamUnavailable as error:
                pause = error.retry_after or self._policy.unavailable_pause * (1 + self._jitter())
                log.warning("provisioning waits", content_id=channel.content_id, reason=str(error), pause_s=pause)
                again = self._clock.now() + timedelta(seconds=pause)
                if not isinstance(step, Remove):
                    return Converged(channel, again, again if isinstance(step, Place) else queue_at)
                # Nobody waits for it: neither the next place nor what lies elsewhere. An origin that comes back is not
                # asked by all at once.
                stuck[step.item] = again + timedelta(seconds=pause * self._jitter())
            else:
                match outcome:
                    case Going():
                        going = outcome
                    case _NoRoom():
                        may_place, queue_at = False, self._clock.now() + _NO_ROOM_PAUSE
                    case _:
                        channel = outcome

    async def _attempt(self, step: Step, channel: Channel, cause: Cause) -> Channel | Going | _NoRoom:
        """A step, or what its failure makes of the channel."""
        with part(step_name(step), attributes={"streaming.content_id": channel.content_id}):
            try:
                return await self._take(step, channel, cause)
            except UpstreamRejected as error:
                return await self._fail(channel, f"{error.service}_rejected", error.detail, cause, permanent=True)
            except NotFound as error:
                return await self._origin_gone(channel, str(error), cause)

    async def _take(self, step: Step, channel: Channel, cause: Cause) -> Channel | Going | _NoRoom:
        match step:
            case Place():
                return await self._place(channel, cause)
            case Start(placement):
                return await self._start(channel, placement, cause)
            case AwaitPlayable(placement):
                return await self._await_playable(channel, placement, cause)
            case Record(placement):
                return await self._record(channel, placement, cause)
            case Announce(placement):
                return await self._announce(channel, placement, cause)
            case Queue() | Abandon():
                return await self._note(step, channel, cause)
            case Remove(item):
                return await self._remove(channel, item, cause)
            case Revoke():
                return await self._revoke(channel, cause)
            case Rest():
                return channel

    async def _note(self, step: Queue | Abandon, channel: Channel, cause: Cause) -> Channel:
        now = self._clock.now()
        if isinstance(step, Abandon):
            return await self._commit(change(channel.abandoned(now), "abandoned", cause))
        return await self._commit(change(channel.moved(now, channel.phase, "waits for a place"), "queued", cause))

    async def _place(self, channel: Channel, cause: Cause) -> Channel | _NoRoom:
        seat = await self._seating.seat(channel, self._clock.now())
        if seat is None:
            return _NoRoom()
        try:
            facts = await self._media.inspect(channel.spec.source_uri)
        except NotFound:
            return await self._fail(channel, "source_missing", f"{channel.spec.source_uri} is not there", cause)
        if facts and not facts.video:
            detail = f"{channel.spec.source_uri} has no video track"
            return await self._fail(channel, "source_without_video", detail, cause, permanent=True)
        for _ in range(_SEAT_TRIES):
            self._seating.take(seat)
            now = self._clock.now()
            moved = channel.placed(
                next_placement(
                    channel, seat, facts, now, prefix=self._policy.stream_prefix, publish=self._recorder is not None
                ),
                now,
            )
            try:
                return await self._commit(change(moved, "placed", cause))
            except SeatTaken:
                seat = await self._seating.seat(channel, now)
                if seat is None:
                    break
        return _NoRoom()

    async def _start(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        origin = self._fleet.origin(placement.origin)
        started = await origin.start(placement, self._clock.now())
        if placement.recording and not started.recorded:
            detail = f"{placement.stream} was already playing when its recording began"
            return await self._fail(channel, "recording_late", detail, cause)
        return await self._commit(change(channel.started(self._clock.now(), started.at), "created", cause))

    async def _await_playable(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        """Poll the manifest. Returns early when somebody changed the channel meanwhile."""
        origin = self._fleet.origin(placement.origin)
        look = origin.appearance if placement.recording and placement.short else origin.playability
        # Only time in which OME answers counts: an outage ends the watch, and afterwards another one begins.
        began = self._clock.now()
        while (report := await look(placement)).verdict is not Playability.PLAYABLE:
            waited = (self._clock.now() - began).total_seconds()
            if failed := await self._given_up_on(channel, placement, origin, report, waited, cause):
                return failed
            await self._clock.sleep(self._policy.poll_interval)
            fresh = await self._store.get(channel.content_id)
            if fresh and fresh.version != channel.version:
                return fresh
        seen = replace(placement, fitted=report.fitted, appeared=report.appeared)
        return await self._switch(channel, seen, cause)

    async def _given_up_on(
        self,
        channel: Channel,
        placement: Placement,
        origin: Origin,
        report: PlayabilityReport,
        waited: float,
        cause: Cause,
    ) -> Channel | None:
        """What becomes of the channel when it will not play; None as long as it still may."""
        policy = self._policy
        if waited > policy.playable_timeout:
            detail = f"{placement.stream} does not play after {waited:.0f} s: {report.verdict} {report.detail}"
            return await self._fail(channel, "not_playable", detail.rstrip(), cause)
        if placement.audio and waited > policy.starvation_check_after and await origin.starved_of_audio(placement):
            return await self._fail(channel, NO_AUDIO, "the source has no audio track", cause)
        if report.verdict is not Playability.NOT_YET or waited <= policy.absence_check_after:
            return None
        if await origin.holds(placement):
            return None
        reason = f"{placement.stream} vanished from {placement.origin} before it played"
        if placement.recording:
            return await self._fail(channel, "vanished", reason, cause)
        return await self._commit(change(channel.restarting(reason, self._clock.now()), "vanished", cause))

    async def _switch(self, channel: Channel, seen: Placement, cause: Cause) -> Channel:
        now = self._clock.now()
        moved = channel.playable(now, drain_after=timedelta(seconds=self._policy.drain_after), seen=seen)
        if moved.serving != seen:
            written = await self._commit(change(moved, "playable", cause))
            if not seen.short:
                self._measure("playable", channel, now)
            return written
        written = await self._commit(change(moved, "playable", cause, self._ready_notifications(moved, seen, cause)))
        self._measure("ready", channel, now)
        log.info("channel plays", content_id=channel.content_id, stream=seen.stream, origin=seen.origin)
        return written

    async def _record(self, channel: Channel, placement: Placement, cause: Cause) -> Channel | Going:
        if self._recorder is None:
            detail = "publishing was switched off while its copy was being made"
            return await self._fail(channel, "recording_interrupted", detail, cause)
        match await self._recorder.look(placement, self._fleet.origin(placement.origin)):
            case Going() as going:
                return going
            case Spoiled(code, detail):
                return await self._fail(channel, code, detail, cause)
            case Copy() as copy:
                return await self._publish(channel, copy, cause)

    async def _publish(self, channel: Channel, copy: Copy, cause: Cause) -> Channel:
        now, policy = self._clock.now(), self._policy
        moved = channel.published(
            copy,
            now,
            drain_after=timedelta(seconds=policy.drain_after),
            release_after=timedelta(seconds=policy.release_after),
        )
        serving = moved.serving
        owed = self._ready_notifications(moved, serving, cause) if serving else ()
        written = await self._commit(change(moved, "published", cause, owed))
        if channel.building:
            # How long an upload takes to play was noted when it did; afterwards it takes as long as it lasts.
            self._measure("ready", channel, now, timed=channel.building.short)
        log.info("copy published", content_id=channel.content_id, reason=moved.phase_reason)
        return written

    def _measure(self, result: str, channel: Channel, now: datetime, *, timed: bool = True) -> None:
        # A stream that was lost and made again says nothing about how long an upload takes.
        first = channel.ready_at is None or channel.ready_at < channel.last_provisioned_at
        seconds = (now - channel.last_provisioned_at).total_seconds()
        self._meter.provisioned(result, seconds if first and timed else None)

    async def _announce(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        """A replay of something that is in place: look before telling the platform again."""
        if reason := await self._broken(placement):
            return await self._commit(change(channel.lost(reason, self._clock.now()), "lost", cause))
        moved = channel.announced(self._clock.now())
        return await self._commit(change(moved, "announced", cause, self._ready_notifications(moved, placement, cause)))

    async def _broken(self, placement: Placement) -> str | None:
        """Why viewers cannot be sent there any more, if that is so."""
        if placement.copy is None:
            report = await self._fleet.origin(placement.origin).playability(placement)
            playable = report.verdict is Playability.PLAYABLE
            return (
                None if playable else f"{placement.stream} no longer plays: {report.verdict} {report.detail}".rstrip()
            )
        if self._recorder is None:
            return None
        copy = await self._recorder.prove(placement)
        whole = copy.verdict is CopyVerdict.COMPLETE
        return None if whole else f"{placement.copy_prefix} is {copy.verdict}: {copy.detail}".rstrip(": ")

    async def _remove(self, channel: Channel, item: Draining, cause: Cause) -> Channel:
        await self._clearing.remove(channel, item)
        return await self._commit(change(channel.drained(item, self._clock.now()), "drained", cause))

    async def _revoke(self, channel: Channel, cause: Cause) -> Channel:
        await self._clearing.cut(channel)
        return await self._commit(change(revoked(channel, self._clock.now()), "ingest-revoked", cause))

    async def _fail(
        self, channel: Channel, code: str, detail: str, cause: Cause, *, permanent: bool = False
    ) -> Channel:
        now = self._clock.now()
        final = permanent or channel.retries >= self._policy.max_retries
        pause = self._policy.window if final else self._backoff(channel.retries)
        failed = channel.attempt_failed(
            Failure(code, detail, now), now, retry_at=now + timedelta(seconds=pause), final=final
        )
        path = self.manifest_path(failed)
        owed = self._notifier.failed(failed, path, cause) if final else ()
        written = await self._commit(change(failed, "failed" if final else "retry", cause, owed))
        part_failed(code)
        self._meter.provisioned("failed" if final else "retry")
        log.warning("provisioning failed", content_id=channel.content_id, code=code, detail=detail, final=final)
        return written

    async def _origin_gone(self, channel: Channel, detail: str, cause: Cause) -> Channel:
        if channel.building:
            return await self._fail(channel, "origin_gone", detail, cause)
        return await self._commit(change(channel.lost(detail, self._clock.now()), "lost", cause))

    def _backoff(self, retries: int) -> float:
        return min(self._policy.retry_cap, self._policy.retry_base * 2**retries) * (0.75 + self._jitter() / 2)

    def _ready_notifications(self, channel: Channel, placement: Placement, cause: Cause) -> tuple[Notification, ...]:
        key = self._cache_key(channel.content_id, channel.spec.checksum)
        return self._notifier.ready(channel, f"{placement.path}{self._policy.playlist}.m3u8", key, cause)

    async def _commit(self, made: Change) -> Channel:
        made = audited(made, self._notifier.endpoints)
        written = await self._store.commit(made, made.channel.due_at(self._clock.now()))
        if made.notifications:
            self._wake_delivery()
        return written

    def manifest_path(self, channel: Channel) -> str:
        """Path of the manifest that is served now, or of the one that comes next: known from the first answer on."""
        placement = channel.serving or channel.building
        if placement:
            return f"{placement.path}{self._policy.playlist}.m3u8"
        stream = stream_name(self._policy.stream_prefix, channel.content_id, channel.incarnation + 1)
        return f"/{channel.spec.application}/{stream}/{self._policy.playlist}.m3u8"


def _later(until: datetime | None, going: Going | None, stuck: Iterable[datetime]) -> datetime | None:
    """A recording that was just looked at is looked at again when the recorder says so, and what could not be removed
    is tried again after a pause."""
    moments = [*stuck, *([going.until] if going else [])]
    return max(until, min(moments)) if until and moments else until
