"""Every exception that a route may raise → a problem."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, cast

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import ParameterKwarg
from structlog.typing import FilteringBoundLogger

from streaming_service.entrypoints.http.problems import (
    INTERNAL_ERROR,
    PROBLEM_JSON,
    Failure,
    FieldError,
    Problem,
    retry_after,
)
from streaming_service.errors import (
    Conflict,
    IllegalTransition,
    InvalidInput,
    NotFound,
    StoreUnavailable,
    StreamingServiceError,
    UpstreamRejected,
    UpstreamUnavailable,
)

_log: FilteringBoundLogger = structlog.get_logger(__name__)

# What Litestar itself raises: its sentences are its own business, so they are not repeated.
_BY_STATUS: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be understood."),
    404: ("no_such_route", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not answer this method."),
    413: ("body_too_large", "The request's body is larger than this service accepts."),
}
# Codes of InvalidInput that mean something else than "the body is wrong".
_STATUS_OF_CODE = {"retired": 410}


class Refuse(StreamingServiceError):
    """A route or guard knows exactly what to answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class BadParameter(StreamingServiceError):
    """A path, query or header parameter is wrong."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.failure = Failure(400, "invalid_parameter", str(self), (FieldError(name, reason),))


def explain(error: Exception, method: str, names: Mapping[str, str] = MappingProxyType({})) -> Failure:
    """What to tell the caller. `method` says whether wrong input was in a body, `names` what our parameters are called
    on the wire."""
    match error:
        case Refuse() | BadParameter():
            return error.failure
        case InvalidInput():
            status = _STATUS_OF_CODE.get(error.code, 422 if method == "POST" else 400)
            return Failure(status, error.code, str(error), (FieldError(error.field, error.reason),))
        case NotFound():
            return Failure(404, "not_found", _sentence(str(error)))
        case Conflict() | IllegalTransition():
            return Failure(409, "conflict", "Somebody else changed it at the same moment: look at it and decide again.")
        case StoreUnavailable():
            return Failure(
                503, "store_unavailable", "The store does not answer; nothing was written.", headers=retry_after()
            )
        case UpstreamUnavailable():
            return Failure(
                503,
                "upstream_unavailable",
                f"The service {error.service!r} does not answer.",
                headers=retry_after(error.retry_after),
            )
        case UpstreamRejected():
            return Failure(502, "upstream_rejected", f"The service {error.service!r} refused.")
        case HTTPException() if error.status_code < 500:
            return _of_framework(error, names)
        case _:
            return INTERNAL_ERROR


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Litestar's exception handler."""
    failure = explain(error, request.method, _wire_names(request) if isinstance(error, ValidationException) else {})
    path: str = request.scope["path"]
    if failure is INTERNAL_ERROR:
        _log.error("request failed", method=request.method, path=path, exc_info=error)
    elif failure.status >= 500:
        _log.warning("request refused", method=request.method, path=path, code=failure.code, reason=str(error))
    return Response(
        failure.problem(path),
        status_code=failure.status,
        media_type=PROBLEM_JSON,
        headers=dict(failure.headers),
    )


def _of_framework(error: HTTPException, names: Mapping[str, str]) -> Failure:
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        found = tuple(_field(cast("dict[str, Any]", item), names) for item in error.extra)
        if found:
            return Failure(400, "invalid_parameter", f"{found[0].field}: {found[0].message}", found)
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    code, detail = _BY_STATUS.get(status, (phrase.lower().replace(" ", "_"), f"{phrase}."))
    allow = (error.headers or {}).get("allow")
    return Failure(status, code, detail, headers=(("allow", allow),) if allow else ())


def _field(item: dict[str, Any], names: Mapping[str, str]) -> FieldError:
    message, key = str(item.get("message", "is not valid")), str(item.get("key", "body"))
    return FieldError(names.get(key, key), message[:1].lower() + message[1:])


def _wire_names(request: Request[Any, Any, Any]) -> dict[str, str]:
    parameters = request.route_handler.parsed_fn_signature.parameters
    return {
        name: item.kwarg_definition.name
        for name, item in parameters.items()
        if isinstance(item.kwarg_definition, ParameterKwarg) and item.kwarg_definition.name
    }


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
