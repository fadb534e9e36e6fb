"""`/hooks/ome`: OME asks and tells. Nothing here is answered to anybody but OME.

OME takes any status but 200 for a no, and a no to a transcode question leaves a stream without renditions for ever:
whatever OME really sends is answered 200.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, Router, post

from streaming_service.application.ome_hooks import OmeHooks
from streaming_service.context import correlation_id
from streaming_service.domain.ome_webhook import SIGNATURE_HEADER
from streaming_service.entrypoints.http.described import refusals
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.hooks_described import AdmissionOperation, AlertOperation, TranscodeOperation
from streaming_service.entrypoints.http.parameters import Api
from streaming_service.entrypoints.http.problems import Failure
from streaming_service.errors import InvalidInput, NotFound

HookRequest = Request[Any, Any, Any]
Answer = dict[str, Any]

_REFUSALS = refusals(400, 401, 404, 413)
_BAD_SIGNATURE = Failure(
    401,
    "bad_signature",
    "X-OME-Signature is missing, or was not made of exactly this body with OME_WEBHOOK_SECRET.",
    headers=(("www-authenticate", "X-OME-Signature"),),
)


@post(
    "/admission",
    status_code=200,
    summary="May this client publish or play?",
    operation_id="omeAdmission",
    operation_class=AdmissionOperation,
    responses=_REFUSALS,
)
async def admission(request: HookRequest, api: Api) -> Response[Answer]:
    """May somebody publish or play?"""
    hooks = _configured(api.hooks)
    return await _answer(request, hooks, "admission", hooks.admission)


@post(
    "/transcode",
    status_code=200,
    summary="Which renditions does this stream get?",
    operation_id="omeTranscode",
    operation_class=TranscodeOperation,
    responses=_REFUSALS,
)
async def transcode(request: HookRequest, api: Api) -> Response[Answer]:
    """Which renditions does a stream get?"""
    hooks = _configured(api.hooks)
    return await _answer(request, hooks, "transcode", hooks.transcode)


@post(
    "/alert",
    status_code=200,
    summary="OME noticed something",
    operation_id="omeAlert",
    operation_class=AlertOperation,
    responses=refusals(400, 401, 404, 413, 503),
)
async def alert(request: HookRequest, api: Api) -> Response[Answer]:
    """OME noticed something."""
    hooks = _configured(api.hooks)

    async def taken_in(body: bytes) -> Answer:
        await hooks.alert(body, correlation_id.get())
        return {}

    return await _answer(request, hooks, "alert", taken_in)


def _configured(hooks: OmeHooks | None) -> OmeHooks:
    if hooks is None:
        raise NotFound("OME's webhooks are switched off: OME_WEBHOOK_SECRET is not set")
    return hooks


async def _answer(
    request: HookRequest, hooks: OmeHooks, hook: str, ask: Callable[[bytes], Awaitable[Answer]]
) -> Response[Answer]:
    """The raw body is handed on once it is certain whose it is; before that nothing of it is read."""
    body = await request.body()
    if not hooks.authentic(hook, body, request.headers.get(SIGNATURE_HEADER)):
        raise Refuse(_BAD_SIGNATURE)
    try:
        return Response(await ask(body))
    except InvalidInput as error:
        raise Refuse(Failure(400, "malformed_webhook", f"{error}.")) from error


hooks_router = Router(
    "/hooks/ome",
    route_handlers=[admission, transcode, alert],
    tags=["OME webhooks"],
    security=[{"omeSignature": []}],
)
