"""The worker: takes upload events in, converges channels, pays the outbox, repairs.

`handle_upload_event` is the way of one message and needs no worker process around it:

    async with open_service(settings) as service:
        ack = await handle_upload_event(message, service)
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Protocol

import msgspec
import structlog

from streaming_service.application.dispatch import every
from streaming_service.application.intake import Intake
from streaming_service.application.ports import Ack, Message
from streaming_service.bootstrap import Service
from streaming_service.context import accept_correlation_id, correlation_id
from streaming_service.domain.event import trace_of
from streaming_service.domain.notification import Cause
from streaming_service.domain.trace import Lineage
from streaming_service.tracing import Attributes, Kind, Tracer, active, traceparent
from streaming_service.tracing import current as current_span

log = structlog.get_logger(__name__)

_REFRESH_SECONDS = 5.0
_RETENTION_SECONDS = 600.0
_TIDY_SECONDS = 30.0
# Every worker looks for itself: it must not place channels on an origin that does not keep up.
_PROGRESS_SECONDS = 10.0


async def _always() -> bool:
    return True


def _nothing() -> None:
    """At the turns of others."""


class UploadContext(Protocol):
    """What an upload event needs: a `Service` has it."""

    @property
    def intake(self) -> Intake: ...

    @property
    def tracer(self) -> Tracer: ...


async def handle_upload_event(
    message: Message | bytes | Mapping[str, Any], context: UploadContext, *, source: str = "upload-event"
) -> Ack:
    """Take one upload event in: `media.uploaded` or `media.ready-for-stream`, plain or as a CloudEvent.

    `message` is a Message, the event's JSON, or the event itself. ACK: its wish is durable (or it is kept as a dead
    letter, or is none of our business). NACK: hand it in again later.
    """
    if isinstance(message, bytes):
        message = Message(message)
    elif not isinstance(message, Message):
        message = Message(msgspec.json.encode(message))
    current = accept_correlation_id(message.attributes.get("x-correlation-id"))
    correlation_id.set(current)
    with active(context.tracer.begin("process upload event", Kind.CONSUMER, _origin(message), _about(message, source))):
        return await context.intake.handle(message, source, Cause(source, current, traceparent()))


def _origin(message: Message) -> Lineage:
    """The event's own trace comes first; a request that brings it is named, too."""
    brought = current_span()
    around = brought.context if brought and brought.telling else None
    if said := trace_of(message.data, message.attributes):
        return Lineage(said, (around,) if around and around.trace_id != said.trace_id else ())
    return Lineage(around)


def _about(message: Message, source: str) -> Attributes:
    """https://opentelemetry.io/docs/specs/semconv/messaging/"""
    return {
        "messaging.system": "gcp_pubsub" if source in {"pubsub", "push"} else source,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.message.id": message.message_id or None,
        "messaging.message.body.size": len(message.data),
        "messaging.gcp_pubsub.message.delivery_attempt": message.delivery_attempt,
        "streaming.correlation_id": correlation_id.get(),
    }


async def run_worker(service: Service, stop: asyncio.Event) -> None:
    """Until `stop` is set. Takes nothing new from then on, finishes or gives back what is in hand, and returns."""
    settings, clock = service.settings, service.clock

    async def reconcile() -> None:
        correlation_id.set(accept_correlation_id(None))
        if not service.fleet.names():
            await service.fleet.refresh()
        with active(service.tracer.begin("reconcile")):
            cause = Cause("reconciler", correlation_id.get(), traceparent())
            findings = await service.reconciliation.run(cause)
        if findings.wants_places:
            service.worker_bell.ring()

    async def read_statistics() -> None:
        if not service.fleet.names():
            await service.fleet.refresh()  # this process has just begun
        await service.statistics.run()

    async def handle(message: Message) -> Ack:
        return await handle_upload_event(message, service, source=settings.event_source)

    async with asyncio.TaskGroup() as tasks:
        lanes = _Lanes(tasks, service)
        lanes.run("fleet", service.fleet.keep_fresh(clock.sleep))
        lanes.run("convergence", service.convergence.run())
        lanes.run("delivery", service.delivery.run())
        lanes.often("monitoring", _REFRESH_SECONDS, service.monitoring.refresh)
        lanes.often("progress", _PROGRESS_SECONDS, service.progress.run)
        lanes.elected(Election(service, "reconciler", settings.reconcile_interval_seconds), reconcile, "reconciliation")
        lanes.elected(Election(service, "retention", _RETENTION_SECONDS), service.retention.run)
        if service.failover.enabled:
            # What time alone changes, such as the end of a ramp.
            lanes.elected(Election(service, "failover", _TIDY_SECONDS), service.failover.tidy)
        statistics = Election(service, "statistics", settings.stats_interval_seconds)
        lanes.elected(statistics, read_statistics, otherwise=service.statistics.resign)
        if service.probes.watch:
            # In the process that keeps the statistics: it knows what is watched.
            lanes.run("probes", service.probes.watch.run(statistics.won))
        log.info("worker runs", owner=service.owner, event_source=settings.event_source, pid=os.getpid())
        if service.events is None:
            await stop.wait()
        else:
            async with service.events.consume(handle):
                await stop.wait()
        log.info("worker stops")
        lanes.stop()


class Election:
    """Which worker does a job that one at a time may do, every `seconds`: three missed turns and another takes over."""

    def __init__(self, service: Service, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self._service = service
        self._ttl = timedelta(seconds=max(15.0, 3 * seconds))

    async def won(self) -> bool:
        """Asks the store. Raises StoreUnavailable."""
        service = self._service
        return await service.store.acquire(self.name, service.owner, service.clock.now(), self._ttl)


class _Lanes:
    """The loops of one worker."""

    def __init__(self, tasks: asyncio.TaskGroup, service: Service) -> None:
        self._tasks = tasks
        self._clock = service.clock
        self._running: list[asyncio.Task[None]] = []

    def run(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """For ever."""
        self._running.append(self._tasks.create_task(loop, name=name))

    def often(self, name: str, seconds: float, job: Callable[[], Awaitable[object]]) -> None:
        """In every worker."""
        self.run(name, every(seconds, job, clock=self._clock, name=name, leader=_always))

    def elected(
        self,
        election: Election,
        job: Callable[[], Awaitable[object]],
        name: str = "",
        *,
        otherwise: Callable[[], None] = _nothing,
    ) -> None:
        """In the worker that wins; `otherwise` is done at the turns of the others."""
        name = name or election.name

        async def leads() -> bool:
            if await election.won():
                return True
            otherwise()
            return False

        self.run(name, every(election.seconds, job, clock=self._clock, name=name, leader=leads))

    def stop(self) -> None:
        """Cancel them all; what is in hand is given back."""
        for task in self._running:
            task.cancel()
