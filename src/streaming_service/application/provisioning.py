"""Make OME equal to what is wanted: accept wishes, converge channels.

`converge` takes one step after the other until there is nothing to do. The decision is `next_step`, the moves are
`Channel`'s; here they are carried out and written down. Every step may be repeated, and a crash between any two ends
in the same state: the worker, the reconciler, the replay command and the tests all call this one function.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from streaming_service.application.ports import (
    Clock,
    Fleet,
    MediaLibrary,
    Meter,
    Playability,
    Store,
)
from streaming_service.domain.channel import Channel, Failure, Placement, stream_name
from streaming_service.domain.convergence import (
    Abandon,
    Announce,
    AwaitPlayable,
    Place,
    Remove,
    Rest,
    Start,
    Step,
    next_step,
)
from streaming_service.domain.history import Change, change
from streaming_service.domain.notification import Cause, Notification, Notifier
from streaming_service.domain.upload import ProvisionRequest
from streaming_service.domain.wish import Outcome, SpecPolicy, decide
from streaming_service.errors import Conflict, NotFound, UpstreamRejected, UpstreamUnavailable

log = structlog.get_logger(__name__)

NO_AUDIO = "no_audio"
_CLOCK_SKEW = timedelta(minutes=5)


class ConvergencePolicy(Struct, frozen=True):
    """How patient we are. All in seconds, except `max_retries`.

    `window` is how long a channel rests as `failed` before it is taken up again; `drain_after` how long a replaced
    stream stays for viewers who still hold a URL of it.
    """

    stream_prefix: str
    playlist: str
    max_retries: int
    window: float
    drain_after: float
    playable_timeout: float
    poll_interval: float = 0.25
    starvation_check_after: float = 5.0
    retry_base: float = 1.0
    retry_cap: float = 60.0
    unavailable_pause: float = 2.0


class Converged(Struct, frozen=True):
    """How far a convergence came, and when to look again (None: when something changes)."""

    channel: Channel
    due_at: datetime | None


class Provisioning:
    """The use case behind every upload."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        media: MediaLibrary,
        notifier: Notifier,
        specs: SpecPolicy,
        policy: ConvergencePolicy,
        cache_key: Callable[[str, str], str],
        clock: Clock,
        jitter: Callable[[], float],
        meter: Meter,
        wake_delivery: Callable[[], None],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._media = media
        self._notifier = notifier
        self._specs = specs
        self._policy = policy
        self._cache_key = cache_key
        self._clock = clock
        self._jitter = jitter
        self._meter = meter
        self._wake_delivery = wake_delivery

    async def accept(self, request: ProvisionRequest, cause: Cause) -> tuple[Channel, Outcome]:
        """Write down what is wanted. Durable when this returns. Raises InvalidInput or StoreUnavailable."""
        while True:
            current = await self._store.get(request.content_id)
            now = self._clock.now()
            # A sender whose clock runs ahead must not be able to overrule everybody for as long as it does.
            heard = replace(request, said_at=min(request.said_at, now + _CLOCK_SKEW))
            wish = decide(current, heard, self._specs, now)
            if wish.channel is current:
                return wish.channel, wish.outcome
            revised = wish.outcome in {Outcome.CREATED, Outcome.REVISED}
            try:
                written = await self._commit(
                    change(wish.channel, "accepted", cause)
                    if revised
                    else change(wish.channel, "confirmed", cause, reason="said again, nothing to do")
                )
            except Conflict:
                continue
            log.info("upload accepted", content_id=request.content_id, outcome=wish.outcome)
            return written, wish.outcome

    async def converge(self, channel: Channel, cause: Cause) -> Converged:
        """Take steps until there is nothing to do now. Raises StoreUnavailable, nothing else."""
        while True:
            step = next_step(channel, self._clock.now())
            if isinstance(step, Rest):
                return Converged(channel, step.until)
            try:
                channel = await self._attempt(step, channel, cause)
            except Conflict:
                fresh = await self._store.get(channel.content_id)
                if fresh is None:
                    raise
                channel = fresh
            except UpstreamUnavailable as error:
                pause = error.retry_after or self._policy.unavailable_pause * (1 + self._jitter())
                log.warning("provisioning waits", content_id=channel.content_id, reason=str(error), pause_s=pause)
                return Converged(channel, self._clock.now() + timedelta(seconds=pause))

    async def _attempt(self, step: Step, channel: Channel, cause: Cause) -> Channel:
        """A step, or what its failure makes of the channel."""
        try:
            return await self._take(step, channel, cause)
        except UpstreamRejected as error:
            return await self._fail(channel, f"{error.service}_rejected", error.detail, cause, permanent=True)
        except NotFound as error:
            return await self._origin_gone(channel, str(error), cause)

    async def _take(self, step: Step, channel: Channel, cause: Cause) -> Channel:
        match step:
            case Place():
                return await self._place(channel, cause)
            case Start(placement):
                return await self._start(channel, placement, cause)
            case AwaitPlayable(placement):
                return await self._await_playable(channel, placement, cause)
            case Announce(placement):
                return await self._announce(channel, placement, cause)
            case Abandon():
                return await self._commit(change(channel.abandoned(self._clock.now()), "abandoned", cause))
            case Remove(placement):
                return await self._remove(channel, placement, cause)
            case Rest():
                return channel

    async def _place(self, channel: Channel, cause: Cause) -> Channel:
        try:
            facts = await self._media.inspect(channel.spec.source_uri)
        except NotFound:
            return await self._fail(channel, "source_missing", f"{channel.spec.source_uri} is not there", cause)
        if facts and not facts.video:
            detail = f"{channel.spec.source_uri} has no video track"
            return await self._fail(channel, "source_without_video", detail, cause, permanent=True)
        starved = channel.failure is not None and channel.failure.code == NO_AUDIO
        origin = self._fleet.choose(channel)
        stream = stream_name(self._policy.stream_prefix, channel.content_id, channel.incarnation + 1)
        audio = facts.audio if facts else not starved
        return await self._commit(
            change(channel.placed(origin, stream, self._clock.now(), audio=audio), "placed", cause)
        )

    async def _start(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        origin = self._fleet.origin(placement.origin)
        await origin.start(placement, self._clock.now())
        return await self._commit(change(channel.started(self._clock.now()), "created", cause))

    async def _await_playable(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        """Poll the manifest. Returns early when somebody changed the channel meanwhile."""
        origin = self._fleet.origin(placement.origin)
        # Only time in which OME answers counts: an outage ends the watch, and afterwards another one begins.
        began = self._clock.now()
        while (report := await origin.playability(placement)).verdict is not Playability.PLAYABLE:
            waited = (self._clock.now() - began).total_seconds()
            if waited > self._policy.playable_timeout:
                detail = f"{placement.stream} does not play after {waited:.0f} s: {report.verdict} {report.detail}"
                return await self._fail(channel, "not_playable", detail.rstrip(), cause)
            starving = placement.audio and waited > self._policy.starvation_check_after
            if starving and await origin.starved_of_audio(placement):
                return await self._fail(channel, NO_AUDIO, "the source has no audio track", cause)
            await self._clock.sleep(self._policy.poll_interval)
            fresh = await self._store.get(channel.content_id)
            if fresh and fresh.version != channel.version:
                return fresh
        return await self._switch(channel, placement, cause)

    async def _switch(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        now = self._clock.now()
        moved = channel.playable(now, drain_after=timedelta(seconds=self._policy.drain_after))
        owed = self._ready_notifications(moved, placement, cause)
        written = await self._commit(change(moved, "playable", cause, owed))
        first = channel.ready_at is None or channel.ready_at < channel.last_provisioned_at
        # A stream that was lost and made again says nothing about how long an upload takes.
        self._meter.provisioned("ready", (now - channel.last_provisioned_at).total_seconds() if first else None)
        log.info("channel plays", content_id=channel.content_id, stream=placement.stream, origin=placement.origin)
        return written

    async def _announce(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        """A replay of something that is in place: look before telling the platform again."""
        report = await self._fleet.origin(placement.origin).playability(placement)
        if report.verdict is not Playability.PLAYABLE:
            reason = f"{placement.stream} no longer plays: {report.verdict} {report.detail}".rstrip()
            return await self._commit(change(channel.lost(reason, self._clock.now()), "lost", cause))
        moved = channel.announced(self._clock.now())
        return await self._commit(change(moved, "announced", cause, self._ready_notifications(moved, placement, cause)))

    async def _remove(self, channel: Channel, placement: Placement, cause: Cause) -> Channel:
        try:
            gone = await self._fleet.origin(placement.origin).stop(placement.application, placement.stream)
            if not gone:
                raise UpstreamUnavailable("ome", f"{placement.stream} is still going away")
        except NotFound:
            log.warning("origin left the fleet before its stream was removed", origin=placement.origin)
        except UpstreamRejected as error:
            raise UpstreamUnavailable(error.service, error.detail, retry_after=self._policy.retry_cap) from error
        return await self._commit(change(channel.drained(placement.stream, self._clock.now()), "drained", cause))

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
