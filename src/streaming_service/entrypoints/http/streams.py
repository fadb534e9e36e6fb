"""`/v1/admin/streams`: the channels."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter
from msgspec import Meta, Struct
from msgspec.structs import asdict

from streaming_service.application.ports import ChannelQuery
from streaming_service.domain.clock import to_wire
from streaming_service.domain.content import Classification
from streaming_service.domain.history import HistoryEntry
from streaming_service.domain.state import Status
from streaming_service.domain.trace import parse_traceparent
from streaming_service.entrypoints.http.bodies import json_body
from streaming_service.entrypoints.http.body_schemas import RegisterOperation
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.ingest_views import IngestCredentials, credentials
from streaming_service.entrypoints.http.moments import Moment
from streaming_service.entrypoints.http.parameters import (
    Api,
    ContentId,
    Cursor,
    IdempotencyKey,
    Limit,
    admin_cause,
    content_id_of,
)
from streaming_service.entrypoints.http.views import ChannelView


class ChannelList(Struct):
    """A page of channels in content id order; `next` is null on the last."""

    items: Sequence[ChannelView]
    next: str | None


class HistoryView(Struct, rename="camel", omit_defaults=True):
    """One change of a channel."""

    content_id: str
    at: Moment
    actor: str
    action: str
    reason: str
    status: str
    phase: str
    generation: int
    incarnation: int
    correlation_id: str
    trace_id: Annotated[str, Meta(description="The trace that it belongs to, when there is one.")] | None = None


class HistoryList(Struct):
    """The newest change first."""

    items: Sequence[HistoryView]


class Requested(Struct):
    """What was set going."""

    status: str


class RotationRequested(Struct):
    """What was set going, and the new key."""

    status: str
    ingest: IngestCredentials


@post(
    "/register",
    status_code=202,
    summary="Accept an upload without Pub/Sub, or a live content",
    operation_id="registerStream",
    operation_class=RegisterOperation,
    response_headers=[
        ResponseHeader("location", value="", documentation_only=True, description="Where the channel can be looked at.")
    ],
    responses=refusals(400, *GUARDED, 410, 413, 415, 422, 502),
)
async def register(
    request: Request[Any, Any, Any], api: Api, idempotency_key: IdempotencyKey = None
) -> Response[ChannelView]:
    """The gateway's shape, the `data` object of `media.ready-for-stream`, or a live content; the channel as it is now.

    A live content gets its first ingest key. It is in this answer and in no other.
    """
    made = await api.ingest.register(await json_body(request), idempotency_key, admin_cause())
    location = {"location": f"/v1/admin/streams/{made.channel.content_id}"}
    return Response(api.views.channel(made.channel, made.first), headers=location)


@get("/", summary="List channels", operation_id="listStreams", responses=refusals(400, *GUARDED))
async def list_streams(
    api: Api,
    status: Annotated[Status | None, QueryParameter(description="Only channels of this status.")] = None,
    classification: Annotated[Classification | None, QueryParameter(description="Only reels, or only series.")] = None,
    tenant_id: Annotated[str | None, QueryParameter(name="tenantId", description="Only this tenant's.")] = None,
    q: Annotated[
        str | None, QueryParameter(max_length=200, description="Start of a content id, or part of a source URI.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ChannelList:
    """A page of channels in content id order."""
    page = await api.administration.list(ChannelQuery(status, classification, tenant_id, q, limit, cursor))
    return ChannelList([api.views.channel(channel) for channel in page.items], page.next)


@get("/{contentId:str}", summary="One channel", operation_id="getStream", responses=refusals(400, *GUARDED, 404))
async def get_stream(api: Api, content_id: ContentId) -> ChannelView:
    """The channel as last written."""
    return api.views.channel(await api.administration.get(content_id_of(content_id)))


@get(
    "/{contentId:str}/events",
    summary="A channel's history",
    operation_id="getStreamEvents",
    responses=refusals(400, *GUARDED, 404),
)
async def get_events(api: Api, content_id: ContentId) -> HistoryList:
    """Every change with its time, actor and reason, the newest first."""
    entries = await api.administration.history(content_id_of(content_id))
    return HistoryList([_history(entry) for entry in entries])


@delete(
    "/{contentId:str}",
    summary="Retire a content",
    operation_id="retireStream",
    responses=refusals(400, *GUARDED, 404),
)
async def retire(api: Api, content_id: ContentId) -> None:
    """Removed from OME and the CDN's caches; the record stays. Retiring again changes nothing."""
    await api.administration.retire(content_id_of(content_id), admin_cause())


@post(
    "/{contentId:str}/purge",
    status_code=202,
    summary="Empty the CDN's caches of a content",
    operation_id="purgeStream",
    responses=refusals(400, *GUARDED, 404),
)
async def purge(api: Api, content_id: ContentId) -> Requested:
    """The purge is owed from here on and sent in the background."""
    await api.administration.purge(content_id_of(content_id), admin_cause())
    return Requested("purge-requested")


@post(
    "/{contentId:str}/rotate-ingest",
    status_code=202,
    summary="Make a new ingest key",
    operation_id="rotateIngest",
    responses=refusals(400, *GUARDED, 404, 410),
)
async def rotate_ingest(api: Api, content_id: ContentId) -> RotationRequested:
    """The new key is good from now on and shown this once.

    The one before is good until `previousKeyValidUntil`; whoever still pushes with it then is cut off. The CDN's caches
    are emptied. On a content that is not live the key is good once it is.
    """
    made = await api.ingest.rotate(content_id_of(content_id), admin_cause())
    return RotationRequested("rotation-requested", credentials(made))


@post(
    "/{contentId:str}/replay",
    status_code=202,
    summary="Converge again from the stored spec",
    operation_id="replayStream",
    responses=refusals(400, *GUARDED, 404, 410),
)
async def replay(api: Api, content_id: ContentId) -> ChannelView:
    """A failed channel is tried again at once; when everything is in place the platform is told again."""
    return api.views.channel(await api.administration.replay(content_id_of(content_id), admin_cause()))


def _history(entry: HistoryEntry) -> HistoryView:
    said: dict[str, Any] = {**asdict(entry), "at": to_wire(entry.at)}
    context = parse_traceparent(said.pop("trace"))
    return HistoryView(**said, trace_id=context.trace_id if context else None)


streams_router = Router(
    "/v1/admin/streams",
    route_handlers=[register, list_streams, get_stream, get_events, retire, purge, rotate_ingest, replay],
    tags=["streams"],
)
