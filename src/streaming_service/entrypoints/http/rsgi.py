"""The door: RSGI requests to the manifest route, or over a thin bridge to the ASGI application behind it."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeAlias

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.entrypoints.http import correlation
from streaming_service.entrypoints.http.body import BodyReader
from streaming_service.entrypoints.http.manifest import ManifestRoute, content_in
from streaming_service.entrypoints.http.problems import INTERNAL_ERROR, PROBLEM_JSON, SHUTTING_DOWN, Failure
from streaming_service.entrypoints.http.protocol import Headers, HttpProtocol, Scope, StreamTransport

Answering: TypeAlias = Coroutine[Any, Any, None]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]

# What every answer carries unless its route says otherwise.
_DEFAULTS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_log: FilteringBoundLogger = structlog.get_logger(__name__)


class RestApp:
    """An ASGI application as an RSGI one."""

    def __init__(self, rest: AsgiApp) -> None:
        self._rest = rest

    async def __rsgi__(self, scope: Scope, proto: HttpProtocol) -> None:
        """For any RSGI server."""
        coroutine, _ = self.answer(scope, proto)
        await coroutine

    def answer(self, scope: Scope, proto: HttpProtocol) -> tuple[Answering, bool]:
        """What answers this request, and whether its first step may be taken outside of a task."""
        return self._bridge(scope, proto, scope.path), False

    async def _bridge(self, scope: Scope, proto: HttpProtocol, path: str) -> None:
        headers = scope.headers.items()
        method = scope.method
        correlation_id = correlation.correlate(dict(headers).get(correlation.HEADER))
        reader = BodyReader(proto, headers)
        sender = _Sender(proto, correlation_id, empty=method == "HEAD")
        try:
            await self._rest(_asgi_scope(scope, path, method, headers), reader.receive, sender.send)
        except CancelledError:
            sender.fail(SHUTTING_DOWN, path)
            raise
        except Exception:  # noqa: BLE001 - the last one who can still answer
            _log.exception("request failed", method=method, path=path)
            sender.fail(INTERNAL_ERROR, path)


class RsgiApp(RestApp):
    """The whole API as an RSGI application."""

    def __init__(self, manifest: ManifestRoute, rest: AsgiApp) -> None:
        super().__init__(rest)
        self._manifest = manifest

    def answer(self, scope: Scope, proto: HttpProtocol) -> tuple[Answering, bool]:
        path = scope.path
        said = content_in(path)
        if said is not None:
            return self._manifest.answer(scope, proto, path, said), True
        return self._bridge(scope, proto, path), False


class _Sender:
    """ASGI's send over an RSGI protocol: one call for a whole body, a stream for one that comes in pieces."""

    def __init__(self, proto: HttpProtocol, correlation_id: str, *, empty: bool) -> None:
        self._proto = proto
        self._correlation_id = correlation_id
        self._empty = empty
        self._status = 500
        self._headers: Headers = []
        self._stream: StreamTransport | None = None

    async def send(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            self._status = event["status"]
            self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event["headers"]]
        elif event["type"] == "http.response.body":
            await self._body(event.get("body", b""), more=event.get("more_body", False))

    def fail(self, failure: Failure, path: str) -> None:
        """Does nothing when an answer has begun already."""
        self._status = failure.status
        self._headers = [("content-type", PROBLEM_JSON), *failure.headers]
        if self._stream is None:
            self._proto.response_bytes(self._status, self._complete(), failure.body(path))

    async def _body(self, body: bytes, *, more: bool) -> None:
        if self._stream is None and not more:
            self._whole(body)
            return
        if self._stream is None:
            self._stream = self._proto.response_stream(self._status, self._complete())
        if body and not self._empty:
            await self._stream.send_bytes(body)

    def _whole(self, body: bytes) -> None:
        if self._empty or not body:
            self._proto.response_empty(self._status, self._complete())
        else:
            self._proto.response_bytes(self._status, self._complete(), body)

    def _complete(self) -> Headers:
        said = {name for name, _ in self._headers}
        defaults = [(name, value) for name, value in _DEFAULTS.items() if name not in said]
        return [*self._headers, *defaults, (correlation.HEADER, self._correlation_id)]


def _asgi_scope(scope: Scope, path: str, method: str, headers: Headers) -> Any:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": scope.http_version,
        # A HEAD is answered by what answers the GET; its body stays here.
        "method": "GET" if method == "HEAD" else method,
        "scheme": scope.scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": scope.query_string.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": _address(scope.client),
        "server": _address(scope.server),
        "extensions": {},
    }


def _address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None
