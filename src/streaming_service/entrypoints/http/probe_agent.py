"""`/probe` and `/warm` of a probe agent: signed questions, signed answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, Router, post

from streaming_service.adapters.probing.agent import ProbeAgent
from streaming_service.adapters.probing.wire import PATH
from streaming_service.adapters.warming.wire import PATH as WARM_PATH
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.parameters import Agent
from streaming_service.entrypoints.http.problems import Failure
from streaming_service.errors import InvalidInput

LARGEST_QUESTION = 64 * 1024

_Answering = Callable[[str, bytes], Awaitable[tuple[bytes, dict[str, str]]]]

_BAD_SIGNATURE = Failure(
    401,
    "bad_signature",
    "The question is not signed by Standard Webhooks with PROBE_AGENT_SECRET, or not just now.",
    headers=(("www-authenticate", "webhook-signature"),),
)


@post(PATH, status_code=200, include_in_schema=False)
async def probe(request: Request[Any, Any, Any], api: Agent) -> Response[bytes]:
    """A journey, and what was found."""
    return await _answered(request, api.agent, api.agent.answer)


@post(WARM_PATH, status_code=200, include_in_schema=False)
async def warm(request: Request[Any, Any, Any], api: Agent) -> Response[bytes]:
    """An errand, and what was warmed."""
    return await _answered(request, api.agent, api.agent.warm)


async def _answered(request: Request[Any, Any, Any], agent: ProbeAgent, answer: _Answering) -> Response[bytes]:
    """Nothing of a question is read before it is certain whose it is."""
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        question_id = agent.authentic(headers, body)
    except InvalidInput as error:
        raise Refuse(_BAD_SIGNATURE) from error
    said, signature = await answer(question_id, body)
    return Response(said, media_type="application/json", headers=signature)


agent_router = Router("/", route_handlers=[probe, warm])
