"""`GET /v1/streams/{contentId}/manifest`, the hot route.

Written by hand over RSGI, because here every microsecond is paid for by every viewer. It does exactly what the other
routes do (correlation id, problems, metrics) with everything prepared that does not depend on the request.
"""

import re
from asyncio import CancelledError
from time import perf_counter

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.application.playback import ManifestAnswer, Playback, Refused
from streaming_service.domain.content import parse_content_id
from streaming_service.entrypoints.http import correlation
from streaming_service.entrypoints.http.manifest_query import NOTHING_SAID, ManifestQuery, parse_manifest_query
from streaming_service.entrypoints.http.problems import INTERNAL_ERROR, PROBLEM_JSON, SHUTTING_DOWN, Failure, FieldError
from streaming_service.entrypoints.http.protocol import Headers, HttpProtocol, Scope
from streaming_service.entrypoints.http.refusals import failure_of
from streaming_service.errors import InvalidInput
from streaming_service.telemetry import ManifestMeter

PREFIX, SUFFIX = "/v1/streams/", "/manifest"
_START, _END = len(PREFIX), -len(SUFFIX)
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_LONGEST_TOKEN = 16_384
_LONGEST_KEPT, _QUERIES_KEPT = 128, 1024

_METHOD_NOT_ALLOWED = Failure(
    405, "method_not_allowed", "This path answers GET and HEAD.", headers=(("allow", "GET, HEAD"),)
)
_REFUSED: Headers = [
    ("content-type", PROBLEM_JSON),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
]

_log: FilteringBoundLogger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


def content_in(path: str) -> str | None:
    """What stands in the content id's place when `path` is this route's, otherwise None."""
    if path[:_START] != PREFIX or path[_END:] != SUFFIX:  # half the cost of startswith and endswith
        return None
    said = path[_START:_END]
    return None if not said or "/" in said else said


class ManifestRoute:
    """Answers manifest requests; waits for nothing while token and content are known."""

    def __init__(self, playback: Playback, meter: ManifestMeter) -> None:
        self._manifest = playback.manifest
        self._observe = meter.observe
        self._cache_control = ""
        self._granted: Headers = []
        self._queries = {"": NOTHING_SAID}

    async def answer(self, scope: Scope, proto: HttpProtocol, path: str, said: str) -> None:
        """Handle one request for `path`, in which `said` stands in the content id's place."""
        started = perf_counter()
        headers = scope.headers  # each access copies them all
        correlation_id = correlation.correlate(headers.get(correlation.HEADER))
        method = scope.method
        outcome: ManifestAnswer | Refused | Failure
        try:
            if method == "GET" or method == "HEAD":  # noqa: PLR1714 - half the cost of a set's hash
                query = scope.query_string
                asked = self._queries.get(query) or self._parsed(query)
                content_id = said if _CANONICAL(said) else parse_content_id(said)
                token = _bearer(headers.get("authorization"))
                outcome = await self._manifest(
                    content_id, token, asked.quality, asked.geo, correlation_id, asked.session
                )
            else:
                outcome = _METHOD_NOT_ALLOWED
        except InvalidInput as error:
            outcome = _invalid(error)
        except CancelledError:
            self._refuse(proto, SHUTTING_DOWN, path, correlation_id, method)
            raise
        except Exception:  # noqa: BLE001 - the last one who can still answer
            _log.exception("manifest request failed", path=path)
            outcome = INTERNAL_ERROR
        if isinstance(outcome, ManifestAnswer):
            result = "ok"
            self._grant(proto, outcome, correlation_id, method)
        else:
            failure = failure_of(outcome) if isinstance(outcome, Refused) else outcome
            result = failure.code
            self._refuse(proto, failure, path, correlation_id, method)
        self._observe(result, (perf_counter() - started) * 1000.0)

    def _parsed(self, query: str) -> ManifestQuery:
        """Players of one kind all say the same, so that the answer is remembered; a session is somebody's own."""
        asked = parse_manifest_query(query)
        if asked.session is None and len(query) <= _LONGEST_KEPT:
            if len(self._queries) >= _QUERIES_KEPT:
                self._queries = {"": NOTHING_SAID}
            self._queries[query] = asked
        return asked

    @staticmethod
    def _refuse(proto: HttpProtocol, failure: Failure, path: str, correlation_id: str, method: str) -> None:
        headers = [*_REFUSED, *failure.headers, (correlation.HEADER, correlation_id)]
        _send(proto, failure.status, headers, failure.body(path), method)

    def _grant(self, proto: HttpProtocol, answer: ManifestAnswer, correlation_id: str, method: str) -> None:
        if answer.policy.cache_control != self._cache_control:
            self._cache_control = answer.policy.cache_control
            self._granted = [
                ("content-type", "application/json"),
                ("cache-control", self._cache_control),
                ("cdn-cache-control", "private, max-age=30"),
                ("edge-control", "cache-maxage=30"),
                ("x-content-type-options", "nosniff"),
            ]
        _send(proto, 200, [*self._granted, (correlation.HEADER, correlation_id)], _encode(answer), method)


def _send(proto: HttpProtocol, status: int, headers: Headers, body: bytes, method: str) -> None:
    if method == "HEAD":
        headers.append(("content-length", str(len(body))))
        proto.response_empty(status, headers)
    else:
        proto.response_bytes(status, headers, body)


def _bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    if authorization is None or len(authorization) > _LONGEST_TOKEN:
        return None
    if authorization[:7] == "Bearer ":
        return authorization[7:]
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _invalid(error: InvalidInput) -> Failure:
    return Failure(400, "invalid_parameter", str(error), (FieldError(error.field, error.reason),))
