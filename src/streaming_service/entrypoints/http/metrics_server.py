"""A port for a process without the API: its health and its metrics, and nothing else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from streaming_service import __version__
from streaming_service.application.ports import Store
from streaming_service.entrypoints.http.app import build_process_app
from streaming_service.entrypoints.http.clients import clients_of
from streaming_service.entrypoints.http.context import ProcessContext
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.settings import Settings, revealed
from streaming_service.telemetry import Metrics


class Worker(Protocol):
    """What is told about: a `Service` has it."""

    @property
    def settings(self) -> Settings: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def store(self) -> Store: ...

    def scraped(self) -> None: ...


@asynccontextmanager
async def serve_worker_http(service: Worker, port: int) -> AsyncGenerator[HttpServer]:
    """`/metrics`, `/livez`, `/readyz` and `/health` on the API's address while the context is open.

    Port 0 takes a free one. Ready is who can reach the store. Raises ConfigurationError when the port cannot be had.
    """
    settings = service.settings
    process = ProcessContext(
        metrics=service.metrics,
        metrics_token=revealed(settings.metrics_access_token) or None,
        check_ready=service.store.check,
        version=__version__,
        scraped=service.scraped,
        clients=clients_of(settings),
    )
    server = HttpServer(
        build_process_app(process),
        settings.http_host,
        port,
        grace_seconds=settings.shutdown_grace_seconds,
        idle_seconds=settings.http_idle_seconds,
        variable="WORKER_HTTP_PORT",
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
