"""Is the process up, and should it get traffic?"""

import asyncio
from typing import Literal

from litestar import Router, get
from msgspec import Struct

from streaming_service.entrypoints.http.described import refusals
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.parameters import Process
from streaming_service.entrypoints.http.problems import Failure, retry_after
from streaming_service.errors import StreamingServiceError

# Shorter than any prober's own patience, so that it hears a reason.
_PATIENCE_SECONDS = 3.0


class Health(Struct):
    """The process is up."""

    status: Literal["ok"]
    version: str


class Readiness(Struct):
    """The process may get traffic."""

    status: Literal["ready"]


@get("/health", summary="Is the process up?", operation_id="getHealth", responses=refusals())
async def health(api: Process) -> Health:
    """Asks nobody."""
    return Health("ok", api.version)


@get("/livez", summary="Is the process up?", operation_id="getLiveness", responses=refusals())
async def live(api: Process) -> Health:
    """Asks nobody: a store that is down is no reason to restart us."""
    return Health("ok", api.version)


@get("/readyz", summary="Should the process get traffic?", operation_id="getReadiness", responses=refusals(503))
async def ready(api: Process) -> Readiness:
    """It can sign, and the store is reachable or its cache warm."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await api.check_ready()
    except (StreamingServiceError, TimeoutError) as error:
        raise Refuse(
            Failure(503, "not_ready", "This process should get no traffic now.", headers=retry_after())
        ) from error
    return Readiness("ready")


health_router = Router("/", route_handlers=[health, live, ready], tags=["health"])
