"""`/v1/admin/deliveries`: the outbox and its log."""

from collections.abc import Sequence
from typing import Annotated

from litestar import Router, get, post
from litestar.params import QueryParameter
from msgspec import Struct

from streaming_service.application.ports import DeliveryQuery, DeliveryState
from streaming_service.domain.notification import Endpoint
from streaming_service.entrypoints.delivery_view import DeliveryView, view
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.parameters import Api, Cursor, ItemId, Limit, admin_cause


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
    return DeliveryList([view(delivery) for delivery in page.items], page.next)


@post(
    "/{id:str}/resend",
    status_code=202,
    summary="Send it again",
    operation_id="resendDelivery",
    responses=refusals(400, *GUARDED, 404),
)
async def resend(api: Api, delivery_id: ItemId) -> DeliveryView:
    """Owed again from now on, whatever became of it before."""
    return view(await api.administration.resend(delivery_id, admin_cause()))


deliveries_router = Router("/v1/admin/deliveries", route_handlers=[list_deliveries, resend], tags=["deliveries"])
