"""What an operator's command needs: the store, and no origins."""

import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.content_service import HttpCatalog, NullCatalog
from streaming_service.adapters.http import Transport
from streaming_service.adapters.tracing.transport import TracedTransport
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.administration import Administration
from streaming_service.application.intake import Intake
from streaming_service.application.ports import Catalog, Clock
from streaming_service.application.wishes import Wishes
from streaming_service.bootstrap.clock import open_clock
from streaming_service.bootstrap.plans import notifier_of, spec_policy
from streaming_service.bootstrap.stores import open_store
from streaming_service.domain.audit import audited
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change
from streaming_service.settings import Settings, revealed
from streaming_service.telemetry import Metrics

# Somebody waits in front of a terminal: what is down is not asked for long.
_PATIENCE = 2.0


@asynccontextmanager
async def open_administration(settings: Settings) -> AsyncGenerator[Administration]:
    """For a command: a running worker and the outbox take over from the store.

    Raises ConfigurationError or StoreUnavailable.
    """
    async with AiohttpTransport() as carrier, open_store(settings) as store:
        clock, notifier, specs = await open_clock(store), notifier_of(settings), spec_policy(settings)

        async def commit(made: Change) -> Channel:
            return await store.commit(audited(made, notifier.endpoints), made.channel.due_at(clock.now()))

        intake = Intake(
            store=store,
            wishes=Wishes(store, specs, clock, commit),
            catalog=catalog_of(settings, lambda: impatient_caller("content", carrier, clock), clock),
            catalog_patience=timedelta(),
            clock=clock,
            meter=Metrics(),
            wake_worker=_nobody,
        )
        yield Administration(
            store=store,
            intake=intake,
            notifier=notifier,
            specs=specs,
            clock=clock,
            changed=lambda _: None,
            wake_delivery=_nobody,
        )


def catalog_of(settings: Settings, caller: Callable[[], ResilientCaller], clock: Clock) -> Catalog:
    """The content service's, or one that knows everything when there is none."""
    if settings.content_service_base_url is None:
        return NullCatalog()
    return HttpCatalog(
        caller(),
        settings.content_service_base_url,
        revealed(settings.content_service_internal_token) or None,
        timeout=settings.content_service_timeout_ms / 1000,
        clock=clock,
    )


def impatient_caller(
    service: str, transport: Transport, clock: Clock, tolerated: frozenset[int] = frozenset()
) -> ResilientCaller:
    """For a command, which nobody traces: what it calls is told so."""
    return ResilientCaller(
        service,
        TracedTransport(transport),
        Breaker(service, time.monotonic),
        clock=clock,
        monotonic=time.monotonic,
        jitter=random.random,
        context=dict,
        tolerated=tolerated,
        patience=_PATIENCE,
    )


def _nobody() -> None:
    """Other processes look into the store."""
