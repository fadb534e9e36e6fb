"""The API of one process: an HTTP server around a `Service`."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from streaming_service import __version__
from streaming_service.application.dispatch import every
from streaming_service.application.ports import Ack, Message
from streaming_service.application.title_watch import TitleWatch
from streaming_service.bootstrap import Service
from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.clients import clients_of
from streaming_service.entrypoints.http.context import ApiContext
from streaming_service.entrypoints.http.ingest_views import IngestViews
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.entrypoints.http.views import ChannelViews
from streaming_service.entrypoints.worker import handle_upload_event
from streaming_service.errors import StoreUnavailable, StreamingServiceError
from streaming_service.setting_values import each_of

_REFRESH_SECONDS = 2.0
_SETTLE_SECONDS = 2.0


@asynccontextmanager
async def serve_http(service: Service) -> AsyncGenerator[HttpServer]:
    """Listens while the context is open; leaving it finishes the requests in hand, and tells balancers in time."""
    settings = service.settings
    server = HttpServer(
        build_app(api_context(service, stopping=lambda: server.closing)),
        settings.http_host,
        settings.http_port,
        grace_seconds=settings.shutdown_grace_seconds,
        linger_seconds=settings.http_linger_seconds,
        idle_seconds=settings.http_idle_seconds,
    )
    async with _remembering_streams(service), _hearing_of_changes(service), _watching_latency(service):
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


@asynccontextmanager
async def _remembering_streams(service: Service) -> AsyncGenerator[None]:
    """What OME may ask about is kept in memory, so that it is answered while the store is down."""
    if service.hooks is None:
        yield
        return
    directory = service.hooks.directory
    task = asyncio.create_task(directory.keep_fresh(_REFRESH_SECONDS, service.clock.sleep))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await service.hooks.settled(_SETTLE_SECONDS)


@asynccontextmanager
async def _hearing_of_changes(service: Service) -> AsyncGenerator[None]:
    """What viewers are answered from is kept right."""
    titles = service.playback.titles
    service.metrics.watch_titles(lambda: len(titles), lambda: titles.told)
    watch = TitleWatch(service.store, titles, time.monotonic)
    task = asyncio.create_task(watch.follow(), name="titles")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def _watching_latency(service: Service) -> AsyncGenerator[None]:
    """What it finds is told from here: each process that answers viewers tells its own."""
    watch = service.latency
    job = every(watch.interval, watch.look, clock=service.clock, name="manifest latency", leader=_always)
    task = asyncio.create_task(job, name="manifest latency")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await watch.stop()


async def _always() -> bool:
    return True


def api_context(service: Service, stopping: Callable[[], bool] = lambda: False) -> ApiContext:
    """What the routes need of a service. While it is `stopping` it should get no new traffic."""
    settings = service.settings

    async def publish(message: Message) -> Ack:
        if service.embedded is not None and service.embedded.alive:
            return await service.embedded.publish(message)
        return await handle_upload_event(message, service, source="push")

    async def check_ready() -> None:
        if stopping():
            raise StreamingServiceError("this process is stopping")
        try:
            await service.store.check()
        except StoreUnavailable:
            # What is known keeps playing: a process taken out of rotation would take its viewers with it.
            if not len(service.playback.titles):
                raise

    return ApiContext(
        playback=service.playback,
        administration=service.administration,
        origins=service.origins,
        probing=service.probes.on_demand,
        failover=service.failover_operations,
        intake=service.intake,
        ingest=service.ingest,
        publish=publish,
        metrics=service.metrics,
        views=ChannelViews(
            service.fleet.playback_base,
            service.provisioning.manifest_path,
            service.cache_key,
            ingest=IngestViews(service.ingest.server, service.clock.now),
            cdn_base_url=settings.cdn_base_url or "",
            bucket=settings.gcs_manifest_bucket,
        ),
        service_tokens=each_of(settings.service_auth_token),
        metrics_token=settings.metrics_access_token.get_secret_value() if settings.metrics_access_token else None,
        body_limit=settings.http_body_limit,
        openapi=settings.app_env != "production" if settings.openapi_enabled is None else settings.openapi_enabled,
        check_ready=check_ready,
        version=__version__,
        scraped=service.scraped,
        hooks=service.hooks,
        push_tokens=service.push_tokens,
        clients=clients_of(settings),
        tracer=service.tracer,
        traced_share=settings.tracing_manifest_ratio,
    )
