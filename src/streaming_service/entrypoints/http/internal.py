"""`/internal`: for other services, never for viewers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from litestar import Request, Router, get, post
from msgspec import Meta, Struct

from streaming_service.adapters.events.push import message_from_push
from streaming_service.application.playback import Refused, SignedPlayback
from streaming_service.application.ports import Ack, Message
from streaming_service.entrypoints.http.body_schemas import PushOperation
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.failover import FailoverEntry, failover_entry
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.origins import OriginEntry, origin_entry
from streaming_service.entrypoints.http.parameters import Api, ContentId, content_id_of
from streaming_service.entrypoints.http.problems import Failure, retry_after
from streaming_service.entrypoints.http.refusals import failure_of
from streaming_service.entrypoints.http.views import FailureView, failure_view
from streaming_service.errors import InvalidInput

_FAILOVERS_SHOWN = 100
_NACK = Failure(503, "event_not_taken", "The event cannot be taken in now: deliver it again.", headers=retry_after(5))


class OutboxView(Struct, rename="camel", omit_defaults=True):
    """What is owed."""

    pending: Annotated[Mapping[str, int], Meta(description="Deliveries that wait, by receiver.")]
    dead: Annotated[int, Meta(description="Deliveries that were given up.")]
    oldest_seconds: Annotated[float, Meta(description="Age of the oldest that waits.")] | None = None


class FailedView(Struct, rename="camel"):
    """A channel that failed, and why."""

    content_id: str
    failure: FailureView | None


class Qos(Struct, rename="camel"):
    """How the service is doing."""

    channels: Annotated[Mapping[str, int], Meta(description="Channels by status.")]
    outbox: OutboxView
    dead_letters: int
    last_failures: Sequence[FailedView]
    origins: Annotated[Sequence[OriginEntry], Meta(description="Every OME.")]
    failovers: Annotated[
        Sequence[FailoverEntry],
        Meta(description="All viewers, then contents that are not simply on the primary; 100 at most."),
    ]
    waiting: Annotated[Mapping[str, int], Meta(description="Channels that wait for a place, by classification.")]


@get(
    "/playback/{contentId:str}",
    summary="A signed URL without a viewer",
    operation_id="getPlayback",
    responses=refusals(400, *GUARDED, 404, 409, 410),
)
async def playback(api: Api, content_id: ContentId) -> SignedPlayback:
    """For internal callers: no viewer, no entitlement, no country."""
    answer = await api.playback.internal(content_id_of(content_id))
    if isinstance(answer, Refused):
        raise Refuse(failure_of(answer))
    return answer


@post(
    "/events/pubsub",
    status_code=204,
    summary="Pub/Sub push delivery",
    operation_id="pushEvent",
    operation_class=PushOperation,
    responses=refusals(*GUARDED, 413),
)
async def push(request: Request[Any, Any, Any], api: Api) -> None:
    """204 acknowledges; 503 asks for another delivery. What cannot be understood is kept as a dead letter and acked."""
    body = await request.body()
    try:
        message = message_from_push(request.headers, body)
    except InvalidInput:
        # Refused, it would be delivered for ever; handed on raw, it becomes a dead letter with all its bytes.
        message = Message(data=body)
    if await api.publish(message) is Ack.NACK:
        raise Refuse(_NACK)


@get("/qos", summary="How the service is doing", operation_id="getQos", responses=refusals(*GUARDED))
async def qos(api: Api) -> Qos:
    """Channels, outbox, dead letters, the newest failures, how the origins fare, and where viewers are sent."""
    overview = await api.administration.overview()
    return Qos(
        channels=overview.channels,
        outbox=OutboxView(overview.pending, overview.dead, overview.oldest_seconds),
        dead_letters=overview.dead_letters,
        last_failures=[FailedView(item.content_id, failure_view(item.failure)) for item in overview.failures],
        origins=[origin_entry(item) for item in await api.origins.list()],
        failovers=[failover_entry(item) for item in (await api.failover.list())[:_FAILOVERS_SHOWN]],
        waiting={item.value: count for item, count in (await api.origins.waiting()).items()},
    )


internal_router = Router("/internal", route_handlers=[playback, qos], tags=["internal"])
# Apart, because Pub/Sub itself may use it, too.
push_router = Router("/internal", route_handlers=[push], tags=["internal"])
