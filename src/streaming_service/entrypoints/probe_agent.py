"""The probe agent: a process in a region that looks at manifests for the service, and needs nothing else."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from streaming_service import __version__
from streaming_service.bootstrap import AgentProcess, open_probe_agent
from streaming_service.configuration import load
from streaming_service.entrypoints.http.app import build_agent_app
from streaming_service.entrypoints.http.clients import clients_of
from streaming_service.entrypoints.http.context import AgentContext
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.settings import revealed
from streaming_service.telemetry import configure_logging

log = structlog.get_logger(__name__)


async def run_probe_agent(env_file: Path) -> None:
    """Until SIGTERM or SIGINT, then finish what is in hand. Raises ConfigurationError before anything starts."""
    settings = load(env_file=env_file, roles=["probe-agent"])
    configure_logging(settings.log_level, settings.log_format)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_probe_agent(settings) as process, serve_probe_agent(process) as server:
        log.info("probe agent listens", region=settings.probe_agent_region, host=settings.http_host, port=server.port)
        await stop.wait()
        log.info("stopping")


@asynccontextmanager
async def serve_probe_agent(process: AgentProcess) -> AsyncGenerator[HttpServer]:
    """Listens while the context is open. An agent that is up is ready: it depends on nobody."""
    settings = process.settings
    context = AgentContext(
        metrics=process.metrics,
        metrics_token=revealed(settings.metrics_access_token) or None,
        check_ready=_is_ready,
        version=__version__,
        agent=process.agent,
        clients=clients_of(settings),
        tracer=process.tracer,
    )
    server = HttpServer(
        build_agent_app(context),
        settings.http_host,
        settings.http_port,
        grace_seconds=settings.shutdown_grace_seconds,
        idle_seconds=settings.http_idle_seconds,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def _is_ready() -> None:
    """Nothing to wait for."""
