"""The fleet for a command that only looks at it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.http import Transport
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.origins import OriginOperations
from streaming_service.bootstrap.administration import impatient_caller
from streaming_service.bootstrap.clock import open_clock
from streaming_service.bootstrap.fleet import wire_fleet
from streaming_service.bootstrap.plans import notifier_of, spec_policy
from streaming_service.bootstrap.stores import open_store
from streaming_service.settings import Settings


@asynccontextmanager
async def open_origins(settings: Settings) -> AsyncGenerator[OriginOperations]:
    """Probes each origin when it is first asked. Raises ConfigurationError, InvalidInput or StoreUnavailable."""
    async with AiohttpTransport() as carrier, open_store(settings) as store:
        clock = await open_clock(store)

        def make_caller(service: str, transport: Transport | None, tolerated: frozenset[int]) -> ResilientCaller:
            return impatient_caller(service, transport or carrier, clock, tolerated)

        fleet = wire_fleet(settings, spec_policy(settings), store, clock, make_caller)
        yield OriginOperations(store=store, fleet=fleet, notifier=notifier_of(settings), clock=clock)
