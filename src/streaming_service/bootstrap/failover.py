"""The failover of one process, and what a command needs of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streaming_service.application.failover import Failover
from streaming_service.application.failover_book import FailoverBook
from streaming_service.application.failover_operations import FailoverOperations
from streaming_service.application.ports import Clock, Store
from streaming_service.bootstrap.clock import open_clock, stop_task
from streaming_service.bootstrap.plans import notifier_of
from streaming_service.bootstrap.stores import open_store
from streaming_service.domain.failover_notices import FailoverNotices
from streaming_service.domain.failover_policy import FailoverPolicy
from streaming_service.settings import Settings
from streaming_service.telemetry import Metrics

# Twice a second, so that every process follows within one.
_REFRESH_SECONDS = 0.5


@dataclass(frozen=True)
class WiredFailover:
    """The machine, and what operators may do with it; both have one book."""

    failover: Failover
    operations: FailoverOperations


def failover_policy(settings: Settings) -> FailoverPolicy:
    """How patient the failover is."""
    return FailoverPolicy(
        silence=settings.failover_silence_seconds,
        clear=settings.failover_clear_seconds,
        ramp=settings.failover_ramp_seconds,
        dwell=settings.failover_dwell_seconds,
        hold_down=settings.failover_hold_down_seconds,
    )


def wire_failover(
    settings: Settings,
    store: Store,
    clock: Clock,
    metrics: Metrics | None = None,
    wake_delivery: Callable[[], None] | None = None,
    probe_soon: Callable[[str, float], None] | None = None,
) -> WiredFailover:
    """Over this store; shown in `metrics` when there is a failover at all. `probe_soon` as `Failover` has it."""
    notifier, policy = notifier_of(settings), failover_policy(settings)
    enabled = settings.cdn_failover_base_url is not None
    book = FailoverBook(
        store=store,
        notices=FailoverNotices(notifier.endpoints, notifier.audit_topic, settings.cdn_control_failback),
        clock=clock,
        wake_delivery=wake_delivery or _nobody,
    )
    failover = Failover(book=book, policy=policy, clock=clock, enabled=enabled, probe_soon=probe_soon or _nobody_probes)
    operations = FailoverOperations(
        book=book, store=store, notifier=notifier, policy=policy, clock=clock, enabled=enabled
    )
    if metrics and enabled:
        metrics.watch_failover(failover.share, lambda: {mode.value: n for mode, n in failover.elsewhere().items()})
    return WiredFailover(failover, operations)


@asynccontextmanager
async def following(failover: Failover, clock: Clock) -> AsyncGenerator[None]:
    """Knows where viewers are before anybody asks, and follows while the context is open. Raises StoreError."""
    if not failover.enabled:
        yield
        return
    await failover.refresh()
    task = asyncio.create_task(failover.keep_fresh(_REFRESH_SECONDS, clock.sleep), name="failover")
    try:
        yield
    finally:
        await stop_task(task)


@asynccontextmanager
async def open_failover(settings: Settings) -> AsyncGenerator[FailoverOperations]:
    """For a command: running processes follow by the store. Raises ConfigurationError or StoreUnavailable."""
    async with open_store(settings) as store:
        yield wire_failover(settings, store, await open_clock(store)).operations


def _nobody() -> None:
    """Other processes look into the store."""


def _nobody_probes(_content_id: str, _seconds: float) -> None:
    """What is wanted is asked for by whoever probes (`Failover.reprobes`)."""
