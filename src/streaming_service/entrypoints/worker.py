"""The worker: takes upload events in, converges channels, pays the outbox, repairs.

`handle_upload_event` is the way of one message and needs no worker process around it:

    async with open_service(settings) as service:
        ack = await handle_upload_event(message, service)
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

import msgspec
import structlog

from streaming_service.application.dispatch import every
from streaming_service.application.intake import Intake
from streaming_service.application.ports import Ack, Clock, Message
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

    def elected(job: str, seconds: float) -> Callable[[], Awaitable[bool]]:
        # Three missed turns of the elected process and another takes over.
        ttl = timedelta(seconds=max(15.0, 3 * seconds))
        return lambda: service.store.acquire(job, service.owner, clock.now(), ttl)

    async def reconcile() -> None:
        correlation_id.set(accept_correlation_id(None))
        if not service.fleet.names():
            await service.fleet.refresh()
        with active(service.tracer.begin("reconcile")):
            cause = Cause("reconciler", correlation_id.get(), traceparent())
            findings = await service.reconciliation.run(cause)
        if findings.wants_places:
            service.worker_bell.ring()

    async def handle(message: Message) -> Ack:
        return await handle_upload_event(message, service, source=settings.event_source)

    async with asyncio.TaskGroup() as tasks:
        pause = settings.reconcile_interval_seconds
        running = [
            tasks.create_task(service.fleet.keep_fresh(clock.sleep), name="fleet"),
            tasks.create_task(service.convergence.run(), name="convergence"),
            tasks.create_task(service.delivery.run(), name="delivery"),
            tasks.create_task(
                every(pause, reconcile, clock=clock, name="reconciliation", leader=elected("reconciler", pause)),
                name="reconciliation",
            ),
            tasks.create_task(
                every(
                    _RETENTION_SECONDS,
                    service.retention.run,
                    clock=clock,
                    name="retention",
                    leader=elected("retention", _RETENTION_SECONDS),
                ),
                name="retention",
            ),
            *_tidy_failovers(tasks, service, elected("failover", _TIDY_SECONDS)),
            _often(tasks, "monitoring", _REFRESH_SECONDS, service.monitoring.refresh, clock),
            _often(tasks, "progress", _PROGRESS_SECONDS, service.progress.run, clock),
            tasks.create_task(_keep_statistics(service, elected("statistics", settings.stats_interval_seconds))),
        ]
        if service.probes.watch:
            # In the process that keeps the statistics: it knows what is watched.
            leads = elected("statistics", settings.stats_interval_seconds)
            running.append(tasks.create_task(service.probes.watch.run(leads), name="probes"))
        log.info("worker runs", owner=service.owner, event_source=settings.event_source, pid=os.getpid())
        if service.events is None:
            await stop.wait()
        else:
            async with service.events.consume(handle):
                await stop.wait()
        log.info("worker stops")
        for task in running:
            task.cancel()


def _tidy_failovers(
    tasks: asyncio.TaskGroup, service: Service, leader: Callable[[], Awaitable[bool]]
) -> list[asyncio.Task[None]]:
    """What time alone changes, such as the end of a ramp, is written down by one of the workers."""
    failover = service.failover
    if not failover.enabled:
        return []
    job = every(_TIDY_SECONDS, failover.tidy, clock=service.clock, name="failover", leader=leader)
    return [tasks.create_task(job, name="failover")]


async def _always() -> bool:
    return True


async def _keep_statistics(service: Service, elected: Callable[[], Awaitable[bool]]) -> None:
    async def leads() -> bool:
        if await elected():
            return True
        service.statistics.resign()
        return False

    async def read() -> None:
        if not service.fleet.names():
            await service.fleet.refresh()  # this process has just begun
        await service.statistics.run()

    await every(service.settings.stats_interval_seconds, read, clock=service.clock, name="statistics", leader=leads)


def _often(
    tasks: asyncio.TaskGroup,
    name: str,
    seconds: float,
    job: Callable[[], Awaitable[object]],
    clock: Clock,
) -> asyncio.Task[None]:
    """In every worker."""
    return tasks.create_task(every(seconds, job, clock=clock, name=name, leader=_always), name=name)
