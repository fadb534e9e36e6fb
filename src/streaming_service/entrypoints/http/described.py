"""What OpenAPI says about refusals: a ResponseSpec for each status a route may answer."""

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from streaming_service.entrypoints.http.problems import PROBLEM_JSON, Failure, FieldError, Problem

_FAILURES: dict[int, Failure] = {
    400: Failure(
        400, "invalid_parameter", "limit: expected `int` <= 200", (FieldError("limit", "expected `int` <= 200"),)
    ),
    401: Failure(401, "missing_service_token", "A service token is needed: Authorization: Bearer <token>."),
    403: Failure(403, "wrong_service_token", "This service token is not one of ours."),
    404: Failure(404, "not_found", "Content 9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11 has no channel."),
    409: Failure(409, "not_ready", "The content is not ready to be played yet."),
    410: Failure(410, "retired", "contentId: is retired: register it again to bring it back"),
    413: Failure(413, "body_too_large", "The request's body is larger than this service accepts."),
    415: Failure(415, "unsupported_media_type", "The body must be application/json."),
    422: Failure(422, "invalid_input", "checksum: is missing", (FieldError("checksum", "is missing"),)),
    429: Failure(429, "too_many_guesses", "Too many wrong tokens came from this address: ask again later."),
    500: Failure(500, "internal_error", "Something went wrong here; the log has it under the correlation id."),
    502: Failure(502, "upstream_rejected", "The service 'content' refused."),
    503: Failure(503, "store_unavailable", "The store does not answer; nothing was written."),
}
_MEANINGS = {
    400: "A parameter or the body's form is wrong; `errors` names it.",
    401: "No token.",
    403: "The token is not accepted.",
    404: "There is no such thing.",
    409: "Not in this state.",
    410: "It was retired.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A field of the body is wrong; `errors` names it.",
    429: "Too many wrong tokens came from this address: `Retry-After` says when to ask again.",
    500: "Something went wrong here.",
    502: "A service we depend on refused.",
    503: "Not now: `Retry-After` says when.",
}
RETRY_STATUSES = frozenset({409, 429, 503})


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """These statuses and the 500 that every route may answer, as problems."""
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=_MEANINGS[status],
            media_type=PROBLEM_JSON,
            examples=[Example(summary=_FAILURES[status].code, value=_FAILURES[status].problem("/v1/…"))],
        )
        for status in (*statuses, 500)
    }


# What every guarded route may answer.
GUARDED = (401, 403, 429, 503)
