"""`/internal/probes`: can viewers play it?"""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Router, post
from msgspec import Meta, Struct

from streaming_service.application.playback import Refused
from streaming_service.application.probing import ProbeReport
from streaming_service.context import correlation_id
from streaming_service.domain.content import parse_content_id
from streaming_service.domain.notification import Cause
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from streaming_service.entrypoints.http.bodies import json_body
from streaming_service.entrypoints.http.body_schemas import ProbeOperation
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.parameters import Api
from streaming_service.entrypoints.http.refusals import failure_of
from streaming_service.errors import InvalidInput
from streaming_service.tracing import traceparent


class ProbeResult(Struct, rename="camel"):
    """What somebody in a region found."""

    region: str
    target: Target
    success: bool
    verdict: ProbeVerdict
    status_code: Annotated[int | None, Meta(description="Of the last answer; null when there was none.")]
    latency_ms: Annotated[float, Meta(description="Until the first segment was there, or it was clear what is wrong.")]
    detail: Annotated[str, Meta(description="What is wrong, for a person; empty when nothing is.")]


class SilentRegion(Struct):
    """Nobody answered there: nothing is known."""

    region: str
    target: Target


class FailoverView(Struct):
    """Where viewers are sent, and why."""

    state: Annotated[str, Meta(description="primary, promoted or returning.")]
    reason: str


class ProbeResults(Struct):
    """Every region that answered, and those that did not."""

    results: Sequence[ProbeResult]
    unknown: Sequence[SilentRegion]
    failover: FailoverView


@post(
    "/manifest",
    status_code=200,
    summary="Probe a content now",
    operation_id="probeManifest",
    operation_class=ProbeOperation,
    responses=refusals(400, *GUARDED, 404, 409, 410, 413, 415, 422),
)
async def probe_manifest(request: Request[Any, Any, Any], api: Api) -> ProbeResults:
    """Follows the signed manifest to a variant and a first segment, from every region and at every target.

    A live playlist is looked at until it is certain whether it advances, which takes some seconds.
    """
    content_id = _content_id(await json_body(request))
    report = await api.probing.probe_now(content_id, Cause("internal-api", correlation_id.get(), traceparent()))
    if isinstance(report, Refused):
        raise Refuse(failure_of(report))
    return _view(report)


def _content_id(body: Any) -> str:
    if not isinstance(body, dict):
        raise InvalidInput("body", "is not a JSON object")
    offered: Any = body.get("contentId")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if offered is not None and not isinstance(offered, str):
        raise InvalidInput("contentId", "is not a string")
    return parse_content_id(offered)


def _view(report: ProbeReport) -> ProbeResults:
    state, reason = report.failover
    return ProbeResults(
        results=[_result(item) for item in report.probed.observations],
        unknown=[SilentRegion(region, target) for region, target in report.probed.silent],
        failover=FailoverView(state, reason),
    )


def _result(item: Observation) -> ProbeResult:
    return ProbeResult(
        region=item.region,
        target=item.target,
        success=item.verdict is ProbeVerdict.OK,
        verdict=item.verdict,
        status_code=item.status,
        latency_ms=item.latency_ms,
        detail=item.detail,
    )


probes_router = Router("/internal/probes", route_handlers=[probe_manifest], tags=["internal"])
