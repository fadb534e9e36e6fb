"""`/probe` of a probe agent: signed questions, signed answers."""

from typing import Any

from litestar import Request, Response, Router, post

from streaming_service.adapters.probing.wire import PATH
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.parameters import Agent
from streaming_service.entrypoints.http.problems import Failure
from streaming_service.errors import InvalidInput

LARGEST_QUESTION = 64 * 1024

_BAD_SIGNATURE = Failure(
    401,
    "bad_signature",
    "The question is not signed by Standard Webhooks with PROBE_AGENT_SECRET, or not just now.",
    headers=(("www-authenticate", "webhook-signature"),),
)


@post(PATH, status_code=200, include_in_schema=False)
async def probe(request: Request[Any, Any, Any], api: Agent) -> Response[bytes]:
    """Nothing of a question is read before it is certain whose it is."""
    body = await request.body()
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        question_id = api.agent.authentic(headers, body)
    except InvalidInput as error:
        raise Refuse(_BAD_SIGNATURE) from error
    answer, signature = await api.agent.answer(question_id, body)
    return Response(answer, media_type="application/json", headers=signature)


agent_router = Router("/", route_handlers=[probe])
