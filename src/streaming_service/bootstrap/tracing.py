"""Tracing, when it is configured: OpenTelemetry is imported then, and by nobody else."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from streaming_service import __version__
from streaming_service.settings import Settings, revealed
from streaming_service.telemetry import Metrics
from streaming_service.tracing import NO_TRACER, Tracer
from streaming_service.tracing_settings import parse_pairs

# After everything else has ended, and within what a container gets between SIGTERM and SIGKILL (30 s).
_FLUSH_SECONDS = 3.0


@asynccontextmanager
async def open_tracing(settings: Settings, metrics: Metrics) -> AsyncGenerator[Tracer]:
    """Leaving the context sends what is left."""
    endpoint = settings.traces_endpoint
    if endpoint is None:
        yield NO_TRACER
        return
    from streaming_service.adapters.tracing.otlp import OtlpTracer, TracingPlan

    plan = TracingPlan(
        endpoint=endpoint,
        headers=parse_pairs(revealed(settings.otel_exporter_otlp_headers)),
        resource=_resource(settings),
        sampler=settings.otel_traces_sampler,
        ratio=settings.otel_traces_sampler_arg,
        queue=settings.otel_bsp_max_queue_size,
        delay=settings.otel_bsp_schedule_delay / 1000,
    )
    metrics.trace()
    tracer = OtlpTracer(plan, metrics)
    try:
        yield tracer
    finally:
        await asyncio.get_running_loop().run_in_executor(None, partial(tracer.close, _FLUSH_SECONDS))


def _resource(settings: Settings) -> dict[str, str]:
    """https://opentelemetry.io/docs/specs/semconv/resource/; what the operator says wins."""
    own = {
        "service.name": settings.otel_service_name,
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}/{os.getpid()}",
        "deployment.environment.name": settings.app_env,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    said = parse_pairs(settings.otel_resource_attributes)
    said.pop("service.name", None)  # OTEL_SERVICE_NAME is the specification's first word on it
    return own | said
