"""Every request is a span, when it is traced at all; and the caller's trace goes on in either case."""

import random
import re
from collections.abc import Callable
from typing import Any

from streaming_service.context import correlation_id
from streaming_service.domain.trace import Lineage, parse_traceparent
from streaming_service.entrypoints.http.asgi import Event, Receive, Send, header
from streaming_service.entrypoints.http.door import Door
from streaming_service.entrypoints.http.hub import Quick
from streaming_service.entrypoints.http.manifest import PREFIX, SUFFIX, content_in
from streaming_service.tracing import Kind, Span, Tracer, active

# Whether a plain request is part of a trace that somebody records: found in its bytes without reading it.
_TRACEPARENT = re.compile(rb"\r\n[Tt]race[Pp]arent:[ ]*[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]([0-9a-f])").search
_SAMPLED = frozenset(b"13579bdf")
# Asked every few seconds by machines: nobody looks for these.
_UNTRACED = frozenset({"/livez", "/readyz", "/health", "/metrics"})
_CONVERTER = re.compile(r":[a-z]+}")
_MANIFEST_ROUTE = f"{PREFIX}{{contentId}}{SUFFIX}"


class TracedDoor:
    """An ASGI application around a door.

    `share` is the part of the plain manifest requests without a trace of their own that may begin one. Those that are
    traced go the long way; without tracing `quick` is the door's own. `chance` gives random numbers in [0, 1).
    """

    def __init__(
        self, door: Door, tracer: Tracer, *, share: float = 0.0, chance: Callable[[], float] = random.random
    ) -> None:
        self._door = door
        self._tracer = tracer
        self._share = share
        self._chance = chance
        self._answer_at_once = door.quick
        self.quick: Quick | None = self._quick if tracer.enabled and door.quick is not None else door.quick

    def _quick(self, data: bytes, peer: str) -> bytes | None:
        said = _TRACEPARENT(data)
        wanted = said[1][0] in _SAMPLED if said else self._chance() < self._share
        return None if wanted or self._answer_at_once is None else self._answer_at_once(data, peer)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. Raises what the door raises."""
        if scope["path"] in _UNTRACED:
            await self._door(scope, receive, send)
            return
        method, headers = scope["method"], scope["headers"]
        state = header(headers, b"tracestate") or ""
        parent = parse_traceparent(header(headers, b"traceparent"), state)
        span = self._tracer.begin(method, Kind.SERVER, Lineage(parent), {"http.request.method": method})
        with active(span):
            if not span.recording:
                await self._door(scope, receive, send)
                return

            async def told(event: Event) -> None:
                if event["type"] == "http.response.start":
                    _note_status(span, event["status"])
                await send(event)

            try:
                await self._door(scope, receive, told)
            finally:
                _describe(span, scope)


def _note_status(span: Span, status: int) -> None:
    span.note({"http.response.status_code": status})
    if status >= 500:
        span.failed(str(status))


def _describe(span: Span, scope: Any) -> None:
    """What is known when the request has found its route. A path without one may be anything, and is not shown."""
    route = _route(scope)
    span.note(
        {
            "url.scheme": scope["scheme"],
            "network.protocol.version": scope["http_version"],
            "http.route": route,
            "url.path": scope["path"] if route else None,
            "streaming.correlation_id": correlation_id.get(),
        }
    )
    if route:
        span.rename(f"{scope['method']} {route}")


def _route(scope: Any) -> str | None:
    if content_in(scope["path"]) is not None:
        return _MANIFEST_ROUTE
    template: str | None = scope.get("path_template")
    return _CONVERTER.sub("}", template) if template else None
