"""`GET /v1/streams/{contentId}/manifest`, the hot route.

Written by hand, because here every microsecond is paid for by every viewer. It answers in two ways that say the same:
a plain request whose token and content are known is answered at once, from bytes to bytes; any other one through ASGI,
as the other routes are.
"""

import re
import time
from asyncio import CancelledError
from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.application.playback import Playback, Refused
from streaming_service.application.title import ManifestAnswer
from streaming_service.context import accept_correlation_id, new_correlation_id
from streaming_service.domain.access import GUESSES
from streaming_service.domain.content import parse_content_id
from streaming_service.entrypoints.http import correlation, wire
from streaming_service.entrypoints.http.asgi import Headers, Send
from streaming_service.entrypoints.http.clients import Clients, asker_of, too_many_guesses
from streaming_service.entrypoints.http.manifest_query import NOTHING_SAID, ManifestQuery, parse_manifest_query
from streaming_service.entrypoints.http.plain import PlainReader
from streaming_service.entrypoints.http.problems import INTERNAL_ERROR, PROBLEM_JSON, SHUTTING_DOWN, Failure, FieldError
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
_CORRELATION = correlation.HEADER.encode()

_log: FilteringBoundLogger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


def content_in(path: str) -> str | None:
    """What stands in the content id's place when `path` is this route's, otherwise None."""
    if path[:_START] != PREFIX or path[_END:] != SUFFIX:
        return None
    said = path[_START:_END]
    return None if not said or "/" in said else said


class ManifestRoute:
    """Answers manifest requests. `time` gives Unix seconds.

    Who has guessed too much is refused before anybody is asked. A token and a content that are known here are served
    all the same, because an address may be that of many viewers.
    """

    def __init__(
        self, playback: Playback, meter: ManifestMeter, clients: Clients, time: Callable[[], float] = time.time
    ) -> None:
        self._manifest = playback.manifest
        self._known = playback.known
        self._recognises = playback.recognises
        self._clients = clients
        self._observe = meter.observe
        self._read = PlainReader().read
        self._queries = {"": NOTHING_SAID}
        self._granted = _granted(playback.cache_control)
        self._granted_head = wire.head(200, self._granted) + _CORRELATION + b": "
        self._date = wire.DateLine(time)

    def quick(self, data: bytes, peer: str) -> bytes | None:
        """The whole answer when `data`, which came from the address `peer`, is one plain request, and nobody has to be
        asked for it. None otherwise."""
        request = self._read(data)
        if request is None:
            return None
        started = perf_counter()
        method, path, content_id, query, authorization, offered, forwarded = request
        try:
            asked = self._queries.get(query) or self._parsed(query)
            outcome = self._known(content_id, _bearer(authorization), asked.quality, asked.geo, asked.session)
        except InvalidInput:
            return None
        except Exception:  # noqa: BLE001 - the other way has its own chance, and can still answer
            _log.exception("manifest request failed", path=path)
            return None
        if outcome is None:
            return None
        correlation_id = (accept_correlation_id(offered) if offered else new_correlation_id()).encode()
        if isinstance(outcome, bytes):
            result, head, body = "ok", self._granted_head, outcome
        else:
            failure = self._guessed(peer, forwarded) if outcome.refusal in GUESSES else None
            failure = failure or failure_of(outcome)
            result, body = failure.code, failure.body(path)
            head = wire.head(failure.status, _refused(failure)) + _CORRELATION + b": "
        length = len(body)
        if method == "HEAD":
            body = b""
        answer = b"%b%b\r\n%bcontent-length: %d\r\n\r\n%b" % (head, correlation_id, self._date.now(), length, body)
        self._observe(result, (perf_counter() - started) * 1000.0)
        return answer

    async def answer(self, scope: Any, send: Send, said: str, correlation_id: str) -> None:
        """Any request for this route, in which `said` stands in the content id's place."""
        started = perf_counter()
        outcome: ManifestAnswer | Refused | Failure
        try:
            outcome = await self._decide(scope, said, correlation_id)
        except InvalidInput as error:
            outcome = Failure(400, "invalid_parameter", str(error), (FieldError(error.field, error.reason),))
        except CancelledError:
            await self._refuse(send, SHUTTING_DOWN, scope["path"], correlation_id)
            raise
        except Exception:  # noqa: BLE001 - the last one who can still answer
            _log.exception("manifest request failed", path=scope["path"])
            outcome = INTERNAL_ERROR
        if isinstance(outcome, ManifestAnswer):
            result = "ok"
            await _send(send, 200, self._granted, _encode(outcome), correlation_id)
        else:
            failure = failure_of(outcome) if isinstance(outcome, Refused) else outcome
            result = failure.code
            await self._refuse(send, failure, scope["path"], correlation_id)
        self._observe(result, (perf_counter() - started) * 1000.0)

    async def _decide(self, scope: Any, said: str, correlation_id: str) -> ManifestAnswer | Refused | Failure:
        if scope["method"] not in {"GET", "HEAD"}:
            return _METHOD_NOT_ALLOWED
        query = scope["query_string"].decode("latin-1")
        asked = self._queries.get(query) or self._parsed(query)
        content_id = said if _CANONICAL(said) else parse_content_id(said)
        token = _bearer(_only(scope["headers"], b"authorization"))
        unknown = token and self._clients and not self._recognises(content_id, token)
        if unknown and (wait := self._clients.wait(*asker_of(scope))):
            return too_many_guesses(wait)
        outcome = await self._manifest(content_id, token, asked.quality, asked.geo, correlation_id, asked.session)
        if isinstance(outcome, Refused) and outcome.refusal in GUESSES:
            self._clients.strike(*asker_of(scope))
        return outcome

    def _guessed(self, peer: str, forwarded: str | None) -> Failure | None:
        """Whether this wrong guess was one too many."""
        if self._clients and (wait := self._clients.wait(peer, forwarded)):
            return too_many_guesses(wait)
        self._clients.strike(peer, forwarded)
        return None

    def _parsed(self, query: str) -> ManifestQuery:
        """Players of one kind all say the same, so that the answer is remembered; a session is somebody's own."""
        asked = parse_manifest_query(query)
        if asked.session is None and len(query) <= _LONGEST_KEPT:
            if len(self._queries) >= _QUERIES_KEPT:
                self._queries = {"": NOTHING_SAID}
            self._queries[query] = asked
        return asked

    @staticmethod
    async def _refuse(send: Send, failure: Failure, path: str, correlation_id: str) -> None:
        await _send(send, failure.status, _refused(failure), failure.body(path), correlation_id)


async def _send(send: Send, status: int, headers: Headers, body: bytes, correlation_id: str) -> None:
    complete = [*headers, (_CORRELATION, correlation_id.encode())]
    await send({"type": "http.response.start", "status": status, "headers": complete})
    await send({"type": "http.response.body", "body": body})


def _granted(cache_control: str) -> Headers:
    return wire.encoded(
        (
            ("content-type", "application/json"),
            ("cache-control", cache_control),
            ("cdn-cache-control", "private, max-age=30"),
            ("edge-control", "cache-maxage=30"),
            ("x-content-type-options", "nosniff"),
        )
    )


def _refused(failure: Failure) -> Headers:
    return wire.encoded(
        (
            ("content-type", PROBLEM_JSON),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            *failure.headers,
        )
    )


def _only(headers: Headers, name: bytes) -> str | None:
    """The value under this name; none when there are several: somebody before us may have checked another one."""
    found = [value for key, value in headers if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _bearer(authorization: str | None) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    if authorization is None or len(authorization) > _LONGEST_TOKEN:
        return None
    if authorization[:7] == "Bearer ":
        return authorization[7:]
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
