"""Every call out names the trace that it belongs to, and is a span of it."""

from msgspec.structs import replace

from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.tracing import Attributes, Kind, outgoing, part


class TracedTransport:
    """Transport that hands everything on to `inner` with a `traceparent`, whether anybody records or not.

    A span names the host and nothing else of a URL: its path and query may hold secrets.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def send(self, request: Request) -> Response:
        """See Transport."""
        name = f"{request.method} {request.peer}".rstrip()
        with part(name, Kind.CLIENT, _attributes(request)) as span:
            context = outgoing()
            said = {"traceparent": context.traceparent, **({"tracestate": context.state} if context.state else {})}
            response = await self._inner.send(replace(request, headers={**request.headers, **said}))
            span.note({"http.response.status_code": response.status})
            if response.status >= 400 and response.status != 404:  # that something is not there is an answer
                span.failed(str(response.status))
            return response


def _attributes(request: Request) -> Attributes:
    scheme, _, rest = request.url.partition("://")
    authority = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    host, colon, port = authority.rpartition(":")
    numbered = bool(colon) and port.isdecimal()
    standard = {"http": 80, "https": 443}.get(scheme)
    return {
        "http.request.method": request.method,
        "server.address": host if numbered else authority,
        "server.port": int(port) if numbered else standard,
        "service.peer.name": request.peer or None,
    }
