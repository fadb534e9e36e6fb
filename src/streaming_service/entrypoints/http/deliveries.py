"""`/v1/admin/deliveries`: the outbox and its log."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from litestar import Router, get, post
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from streaming_service.application.ports import Attempt, Delivery, DeliveryQuery, DeliveryState
from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Endpoint
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.moments import Moment, moment
from streaming_service.entrypoints.http.parameters import Api, Cursor, ItemId, Limit, admin_cause


class AttemptView(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One try; `status` is left out when there was no answer."""

    at: Moment
    status: int | None = None
    detail: str
    duration_ms: float


class DeliveryView(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A notification on its way. `facts` are what its body is made from when it is sent."""

    id: str
    endpoint: Endpoint
    topic: str
    content_id: str
    occurred_at: Moment
    correlation_id: str | None = None
    state: DeliveryState
    tries: Annotated[int, Meta(description="Since it was owed, or owed again.")]
    next_attempt_at: Moment | None = None
    facts: Mapping[str, Any]
    attempts: Annotated[Sequence[AttemptView], Meta(description="The last 20.")]


class DeliveryList(Struct):
    """A page, the newest first; `next` is null on the last."""

    items: Sequence[DeliveryView]
    next: str | None


@get("/", summary="List deliveries", operation_id="listDeliveries", responses=refusals(400, *GUARDED))
async def list_deliveries(
    api: Api,
    delivery_state: Annotated[
        DeliveryState | None, QueryParameter(name="state", description="Only those in this state.")
    ] = None,
    endpoint: Annotated[Endpoint | None, QueryParameter(description="Only those to this receiver.")] = None,
    content_id: Annotated[
        str | None, QueryParameter(name="contentId", max_length=64, description="Only this content's.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryList:
    """The newest first."""
    page = await api.administration.deliveries(DeliveryQuery(delivery_state, endpoint, content_id, limit, cursor))
    return DeliveryList([_view(delivery) for delivery in page.items], page.next)


@post(
    "/{id:str}/resend",
    status_code=202,
    summary="Send it again",
    operation_id="resendDelivery",
    responses=refusals(400, *GUARDED, 404),
)
async def resend(api: Api, delivery_id: ItemId) -> DeliveryView:
    """Owed again from now on, whatever became of it before."""
    return _view(await api.administration.resend(delivery_id, admin_cause()))


def _view(delivery: Delivery) -> DeliveryView:
    notification = delivery.notification
    return DeliveryView(
        id=notification.id,
        endpoint=notification.endpoint,
        topic=notification.topic,
        content_id=notification.content_id,
        occurred_at=to_wire(notification.occurred_at),
        correlation_id=notification.correlation_id,
        state=delivery.state,
        tries=delivery.tries,
        next_attempt_at=moment(delivery.next_attempt_at),
        facts=notification.facts,
        attempts=[_attempt(attempt) for attempt in delivery.attempts],
    )


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        at=to_wire(attempt.at), status=attempt.status, detail=attempt.detail, duration_ms=attempt.duration_ms
    )


deliveries_router = Router("/v1/admin/deliveries", route_handlers=[list_deliveries, resend], tags=["deliveries"])
