"""Loops that keep a process going: find work, do it side by side, never lose or double it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from streaming_service.application.ports import Clock, Store
from streaming_service.application.provisioning import Provisioning
from streaming_service.application.seating import Seating
from streaming_service.context import correlation_id, new_correlation_id
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause
from streaming_service.domain.trace import lineage
from streaming_service.errors import StoreError
from streaming_service.tracing import NO_TRACER, Kind, Span, Tracer, active, traceparent

log = structlog.get_logger(__name__)


class Bell:
    """Rings a loop of this process awake; rung while the loop is busy, it is heard afterwards."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()


class ConvergenceLoop:
    """Claims channels that are due, and as many of those that wait for a place as there is room for, and converges
    them, `concurrency` at a time.

    A claim is a lease kept alive by heartbeats; a process that dies leaves it to run out, and another takes over.
    """

    def __init__(
        self,
        *,
        store: Store,
        provisioning: Provisioning,
        seating: Seating,
        clock: Clock,
        bell: Bell,
        owner: str,
        concurrency: int,
        lease: timedelta,
        poll_interval: float,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._store = store
        self._provisioning = provisioning
        self._seating = seating
        self._clock = clock
        self._bell = bell
        self._owner = owner
        self._concurrency = concurrency
        self._lease = lease
        self._poll_interval = poll_interval
        self._tracer = tracer
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled; what is in hand is then given back."""
        try:
            while True:
                claimed = await self._claim()
                if not claimed:
                    await self._bell.wait(self._poll_interval)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _claim(self) -> int:
        """How many were begun."""
        try:
            return await self._claim_due() + await self._claim_waiting()
        except StoreError as error:
            log.warning("store does not answer", reason=str(error))
            return 0

    async def _claim_due(self) -> int:
        room = self._concurrency - len(self._running)
        if room <= 0:
            return 0
        channels = await self._store.claim_due(self._clock.now(), self._owner, self._lease, room)
        return self._begin(channels, may_place=False)

    async def _claim_waiting(self) -> int:
        room = self._concurrency - len(self._running)
        if room <= 0:
            return 0
        now = self._clock.now()
        openings = await self._seating.openings(now)
        room = min(room, openings.room)
        if room <= 0:
            return 0
        channels = await self._store.claim_waiting(openings.classifications, now, self._owner, self._lease, room)
        return self._begin(channels, may_place=True)

    def _begin(self, channels: Sequence[Channel], *, may_place: bool) -> int:
        for channel in channels:
            if may_place:
                self._seating.expect(channel.content_id)
            task = asyncio.create_task(
                self._converge(channel, may_place=may_place), name=f"converge {channel.content_id}"
            )
            self._running.add(task)
            task.add_done_callback(self._done)
        return len(channels)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._bell.ring()
        if not task.cancelled() and (error := task.exception()):
            log.error("converging failed", task=task.get_name(), exc_info=error)

    async def _converge(self, channel: Channel, *, may_place: bool) -> None:
        correlation_id.set(new_correlation_id())
        about = {"streaming.content_id": channel.content_id, "streaming.generation": channel.generation}
        origin = lineage(channel.trace, self._clock.now())
        with active(self._tracer.begin("converge", Kind.INTERNAL, origin, about)) as span:
            await self._converge_within(span, channel, may_place=may_place)

    async def _converge_within(self, span: Span, channel: Channel, *, may_place: bool) -> None:
        heart = asyncio.create_task(self._keep_lease(channel.content_id))
        version = channel.version
        due_at: datetime | None = self._clock.now() + self._lease
        queue_at = due_at
        try:
            cause = Cause("worker", correlation_id.get(), traceparent())
            result = await self._provisioning.converge(channel, cause, may_place=may_place)
            version, due_at, queue_at = result.channel.version, result.due_at, result.queue_at
            span.note({"streaming.status": result.channel.status, "streaming.phase": result.channel.phase})
        except asyncio.CancelledError:
            due_at = queue_at = self._clock.now()
            raise
        except StoreError as error:
            span.failed(type(error).__name__, str(error))
            log.warning("converging interrupted", content_id=channel.content_id, reason=str(error))
        finally:
            heart.cancel()
            self._seating.no_longer_expect(channel.content_id)
            await self._give_back(channel.content_id, version, due_at, queue_at)

    async def _give_back(
        self, content_id: str, version: int, due_at: datetime | None, queue_at: datetime | None
    ) -> None:
        try:
            await self._store.release(content_id, self._owner, version, due_at, queue_at)
        except StoreError as error:
            # The lease runs out by itself and the channel is still due.
            log.warning("lease not given back", content_id=content_id, reason=str(error))

    async def _keep_lease(self, content_id: str) -> None:
        while True:
            await self._clock.sleep(self._lease.total_seconds() / 3)
            try:
                await self._store.extend_lease(content_id, self._owner, self._clock.now() + self._lease)
            except StoreError as error:
                log.warning("heartbeat missed", content_id=content_id, reason=str(error))


async def every(
    seconds: float,
    job: Callable[[], Awaitable[object]],
    *,
    clock: Clock,
    name: str,
    leader: Callable[[], Awaitable[bool]],
) -> None:
    """Run a job now and then until cancelled, in the one process that is elected. An error is logged, not fatal."""
    while True:
        try:
            if await leader():
                await job()
        except StoreError as error:
            log.warning("store does not answer", job=name, reason=str(error))
        except Exception:
            # A mistake of ours in one job must not end the process, and with it all the others; its next turn comes.
            log.exception("job failed", job=name)
        await clock.sleep(seconds)
