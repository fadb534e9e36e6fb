"""The door: every request of the application goes through it, to the manifest route or to the router behind it.

Each answer leaves with its correlation id and with headers that are safe unless a route says otherwise; whatever
breaks behind the door is answered with problem details.
"""

from asyncio import CancelledError
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.entrypoints.http import correlation, wire
from streaming_service.entrypoints.http.asgi import AsgiApp, Event, Headers, Receive, Send, header
from streaming_service.entrypoints.http.exchange import ClientGone
from streaming_service.entrypoints.http.hub import Quick
from streaming_service.entrypoints.http.manifest import ManifestRoute, content_in
from streaming_service.entrypoints.http.problems import INTERNAL_ERROR, PROBLEM_JSON, SHUTTING_DOWN, Failure

_DEFAULTS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_HEADER = correlation.HEADER.encode()

_log: FilteringBoundLogger = structlog.get_logger(__name__)


class Door:
    """An ASGI application around another one, with the manifest route in front where there is one.

    `quick` answers plain manifest requests without any of this.
    """

    def __init__(self, rest: AsgiApp, manifest: ManifestRoute | None = None) -> None:
        self._rest = rest
        self._manifest = manifest
        self.quick: Quick | None = None if manifest is None else manifest.quick

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. Raises only what can no longer be answered, and CancelledError."""
        path: str = scope["path"]
        correlation_id = correlation.correlate(header(scope["headers"], _HEADER))
        said = None if self._manifest is None else content_in(path)
        if self._manifest is not None and said is not None:
            await self._manifest.answer(scope, send, said, correlation_id)
            return
        answer = _Answer(send, correlation_id)
        # A HEAD is answered by what answers the GET; the server keeps the body.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._rest(asked, receive, answer.send)
        except CancelledError:
            await answer.fail(SHUTTING_DOWN, path)
            raise
        except ClientGone:
            _log.debug("client gone before the end of its answer", path=path)
        except Exception:  # noqa: BLE001 - the last one who can still answer
            _log.exception("request failed", method=scope["method"], path=path)
            await answer.fail(INTERNAL_ERROR, path)
        else:
            if not answer.begun:
                _log.error("request failed", method=scope["method"], path=path, reason="nothing was answered")
                await answer.fail(INTERNAL_ERROR, path)


class _Answer:
    """An answer on its way out. Its head waits for the body's first piece, so that a fault before it is still told."""

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self._correlation_id = correlation_id.encode()
        self._start: Event | None = None
        self.begun = False

    async def send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self._start = event
            return
        if self._start is not None and not self.begun:
            await self._begin(self._start["status"], list(self._start["headers"]))
        await self._send(event)

    async def fail(self, failure: Failure, path: str) -> None:
        """Does nothing when an answer has begun: the server cuts it off, so that nobody takes it for a whole one."""
        if self.begun:
            return
        await self._begin(failure.status, wire.encoded((("content-type", PROBLEM_JSON), *failure.headers)))
        await self._send({"type": "http.response.body", "body": failure.body(path)})

    async def _begin(self, status: int, headers: Headers) -> None:
        said = {name for name, _ in headers}
        defaults = [item for item in _DEFAULTS if item[0] not in said]
        complete = [*headers, *defaults, (_HEADER, self._correlation_id)]
        await self._send({"type": "http.response.start", "status": status, "headers": complete})
        self.begun = True
