"""`/v1/admin/failover`: where viewers are sent, and sending them elsewhere."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

from litestar import Router, delete, get, post
from litestar.params import PathParameter, QueryParameter
from msgspec import Meta, Struct

from streaming_service.application.failover_operations import FailoverStatus, parse_subject
from streaming_service.entrypoints.http.described import GUARDED, refusals
from streaming_service.entrypoints.http.failures import BadParameter
from streaming_service.entrypoints.http.parameters import Api, admin_cause
from streaming_service.entrypoints.http.views import Moment, moment
from streaming_service.errors import InvalidInput

Subject: TypeAlias = Annotated[
    str, PathParameter(name="subject", description="`cdn` for all contents, or a content's UUID.", max_length=64)
]
Reason: TypeAlias = Annotated[str, QueryParameter(max_length=200, description="Why, for the record.")]


class FailoverEntry(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Where the viewers of a content, or all viewers, are sent."""

    subject: Annotated[str, Meta(description="`cdn` for all contents, or a content's id.")]
    state: Annotated[str, Meta(description="primary, promoted, or returning: on the way back, a few more each second.")]
    reason: Annotated[str, Meta(description="Of the last change.")] = ""
    actor: Annotated[str, Meta(description="Who changed it last; `failover` is the machine.")]
    since: Moment | None = None
    share: Annotated[float, Meta(description="The part of its viewers that the failover serves now, 0 to 1.")]
    manual: Annotated[bool, Meta(description="An operator brought it here.")]
    frozen: Annotated[bool, Meta(description="Nothing but an operator changes it.")]
    promotions: Annotated[int, Meta(description="Those that make the hold-down longer; forgotten after a quiet hour.")]
    held_until: Annotated[Moment, Meta(description="The machine does not promote before.")] | None = None


class FailoverList(Struct):
    """The whole CDN first, then every content that is not simply on the primary."""

    items: Sequence[FailoverEntry]


@get("/", summary="Where viewers are sent", operation_id="listFailovers", responses=refusals(*GUARDED))
async def list_failovers(api: Api) -> FailoverList:
    """`cdn` is always there; contents, when they are or were lately on the failover, or are frozen."""
    return FailoverList([failover_entry(item) for item in await api.failover.list()])


@post(
    "/{subject:str}/promote",
    status_code=200,
    summary="Send viewers to the failover",
    operation_id="promoteFailover",
    responses=refusals(400, *GUARDED, 404, 409, 422),
)
async def promote(api: Api, subject: Subject, reason: Reason = "") -> FailoverEntry:
    """All viewers of a content, or of all, whatever probes say, until they are demoted. Again: the same."""
    return failover_entry(await api.failover.promote(_subject(subject), admin_cause(), reason))


@post(
    "/{subject:str}/demote",
    status_code=200,
    summary="Take viewers back to the primary",
    operation_id="demoteFailover",
    responses=refusals(400, *GUARDED, 404, 409, 422),
)
async def demote(api: Api, subject: Subject, reason: Reason = "") -> FailoverEntry:
    """Over the ramp; while they return, or while it is frozen: at once. On the primary: nothing changes."""
    return failover_entry(await api.failover.demote(_subject(subject), admin_cause(), reason))


@post(
    "/{subject:str}/freeze",
    status_code=200,
    summary="Let nothing change by itself",
    operation_id="freezeFailover",
    responses=refusals(400, *GUARDED, 404, 409, 422),
)
async def freeze(api: Api, subject: Subject, reason: Reason = "") -> FailoverEntry:
    """Viewers stay where they are, and a ramp stands still, until it is unfrozen. Orders are still obeyed."""
    return failover_entry(await api.failover.freeze(_subject(subject), admin_cause(), reason))


@delete(
    "/{subject:str}/freeze",
    status_code=200,
    summary="Let probes decide again",
    operation_id="unfreezeFailover",
    responses=refusals(400, *GUARDED, 404, 409),
)
async def unfreeze(api: Api, subject: Subject, reason: Reason = "") -> FailoverEntry:
    """A ramp goes on from where it stood."""
    return failover_entry(await api.failover.unfreeze(_subject(subject), admin_cause(), reason))


def failover_entry(status: FailoverStatus) -> FailoverEntry:
    """A standing on the wire."""
    standing = status.standing
    return FailoverEntry(
        subject=standing.subject,
        state=standing.mode.value,
        reason=standing.reason,
        actor=standing.actor,
        since=moment(standing.since) if standing.version else None,
        share=round(status.share, 3),
        manual=standing.manual,
        frozen=standing.frozen_at is not None,
        promotions=standing.promotions,
        held_until=moment(standing.held_until),
    )


def _subject(text: str) -> str:
    try:
        return parse_subject(text)
    except InvalidInput as error:
        raise BadParameter(error.field, error.reason) from error


failover_router = Router(
    "/v1/admin/failover", route_handlers=[list_failovers, promote, demote, freeze, unfreeze], tags=["failover"]
)
