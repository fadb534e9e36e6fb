"""Reading request bodies."""

from typing import Any

import msgspec
from litestar import Request

from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.problems import Failure

_NOT_JSON_TYPE = Failure(415, "unsupported_media_type", "The body must be application/json.")


async def json_body(request: Request[Any, Any, Any]) -> Any:
    """The decoded body. 415 for another type, 400 for what is not JSON; one that is too large never gets here."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Refuse(_NOT_JSON_TYPE)
    body = await request.body()
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refuse(Failure(400, "malformed_json", f"The body is not JSON: {str(error)[:120]}.")) from error
