"""`/v1/admin/origins`: how the origins fare, and emptying them."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from litestar import Router, delete, get, post
from litestar.params import PathParameter
from msgspec import Meta, Struct

from streaming_service.application.origins import OriginStatus
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.parameters import Api, admin_cause
from streaming_service.entrypoints.http.views import Moment, moment

OriginName: TypeAlias = Annotated[str, PathParameter(name="name", description="The origin's name.", max_length=63)]


class OriginEntry(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One OME."""

    name: str
    pools: Sequence[str]
    state: Annotated[
        str,
        Meta(description="unknown, up, suspect, down, recovering; gone: it left the fleet and still has channels."),
    ]
    since: Moment | None = None
    channels: Annotated[int, Meta(description="Places taken on it, by what serves, is being built or drains.")]
    capacity: Annotated[int, Meta(description="How many it holds when all is well.")]
    allowed: Annotated[int, Meta(description="How many it may hold now.")]
    drained: Annotated[bool, Meta(description="It is to be emptied.")]
    overloaded: Annotated[bool, Meta(description="Its playlists advance slower than the clock.")]
    reason: Annotated[str, Meta(description="What is wrong with it.")] = ""


class OriginList(Struct):
    """All of them, by name."""

    items: Sequence[OriginEntry]


@get("/", summary="List origins", operation_id="listOrigins", responses=refusals(*GUARDED))
async def list_origins(api: Api) -> OriginList:
    """Every origin of every pool, and those that left and still have channels."""
    return OriginList([origin_entry(item) for item in await api.origins.list()])


@post(
    "/{name:str}/drain",
    status_code=202,
    summary="Empty an origin",
    operation_id="drainOrigin",
    responses=refusals(400, *GUARDED, 404),
)
async def drain(api: Api, name: OriginName) -> OriginEntry:
    """Its channels are replaced on others without a gap for viewers; nothing new is placed on it. Again: the same."""
    return origin_entry(await api.origins.drain(name, admin_cause()))


@delete(
    "/{name:str}/drain",
    status_code=200,
    summary="Use an origin again",
    operation_id="undrainOrigin",
    responses=refusals(400, *GUARDED, 404),
)
async def undrain(api: Api, name: OriginName) -> OriginEntry:
    """It gets channels again. Those that left do not come back by themselves."""
    return origin_entry(await api.origins.undrain(name, admin_cause()))


def origin_entry(status: OriginStatus) -> OriginEntry:
    """An origin on the wire."""
    return OriginEntry(
        name=status.name,
        pools=status.pools,
        state=status.state,
        since=moment(status.since),
        channels=status.channels,
        capacity=status.capacity,
        allowed=status.allowed,
        drained=status.drained,
        overloaded=status.overloaded,
        reason=status.reason,
    )


origins_router = Router("/v1/admin/origins", route_handlers=[list_origins, drain, undrain], tags=["origins"])
