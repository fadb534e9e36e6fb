"""A process of the service: what `serve` and `worker` run until they are told to stop."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from streaming_service.bootstrap import open_service
from streaming_service.configuration import Role, load
from streaming_service.entrypoints.worker import run_worker
from streaming_service.telemetry import configure_logging

log = structlog.get_logger(__name__)


async def run_process(env_file: Path, *, api: bool, worker: bool) -> None:
    """Until SIGTERM or SIGINT, then finish what is in hand. Raises ConfigurationError before anything starts."""
    roles: list[Role] = []
    if api:
        roles.append("api")
    if worker:
        roles.append("worker")
    settings = load(env_file=env_file, roles=roles)
    configure_logging(settings.log_level, settings.log_format)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(open_service(settings))
        if api:
            from streaming_service.entrypoints.serving import serve_http

            server = await stack.enter_async_context(serve_http(service))
            log.info("API listens", host=settings.http_host, port=server.port)
        elif settings.worker_http_port is not None:
            from streaming_service.entrypoints.http.metrics_server import serve_worker_http

            server = await stack.enter_async_context(serve_worker_http(service, settings.worker_http_port))
            log.info("metrics listen", host=settings.http_host, port=server.port)
        if worker:
            await run_worker(service, stop)
        else:
            await stop.wait()
        log.info("stopping")
