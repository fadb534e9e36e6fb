"""`/metrics`, for Prometheus and OpenMetrics scrapers."""

from collections.abc import Callable
from typing import Any, cast

from litestar import Request, Response, get
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from streaming_service.entrypoints.http.described import refusals
from streaming_service.entrypoints.http.parameters import Process

_render_modern = cast("Callable[[Collector], bytes]", openmetrics.generate_latest)  # pyright: ignore[reportUnknownMemberType]


@get(
    "/metrics",
    summary="Metrics",
    operation_id="getMetrics",
    media_type="text/plain",
    tags=["metrics"],
    responses=refusals(401, 403, 429),
)
async def metrics(request: Request[Any, Any, Any], api: Process) -> Response[bytes]:
    """Prometheus text format, or OpenMetrics when `Accept` asks for it."""
    api.scraped()
    # The library's own negotiation parses the header and raises for what is no version.
    modern = "application/openmetrics-text" in request.headers.get("accept", "")
    media_type = openmetrics.CONTENT_TYPE_LATEST if modern else exposition.CONTENT_TYPE_PLAIN_0_0_4
    render = _render_modern if modern else exposition.generate_latest
    return Response(render(api.metrics.registry), media_type=media_type)
