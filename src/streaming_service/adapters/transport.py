"""HTTP over aiohttp: one pool of connections for everything that the process asks others."""

import asyncio
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectorDNSError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    ServerDisconnectedError,
    TCPConnector,
)
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from streaming_service.adapters.http import Request, Response
from streaming_service.errors import UpstreamUnavailable

# Node's servers close an idle connection after 5 s; a POST sent onto a closing one fails, and may not be repeated.
_KEEP_ALIVE_SECONDS = 4.0


class AiohttpTransport:
    """Transport over one aiohttp session, opened by the first `send` and closed by `close` or by leaving the context.

    At most `connections` sockets at a time, `per_host` of them to one host, so that one slow service cannot take all;
    0: as many as callers ask for.
    Errors name the host and nothing else of a URL: its path and query may hold secrets.
    """

    def __init__(self, *, connections: int = 256, per_host: int = 64) -> None:
        self._connections = connections
        self._per_host = per_host
        self._session: ClientSession | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send once. Raises UpstreamUnavailable when there is no whole answer within `request.timeout` seconds; its
        `status` is that of an answer which began."""
        url = _checked(request.url)
        host = url.host_port_subcomponent or ""
        session = self._open(host)
        status: int | None = None
        try:
            async with (
                asyncio.timeout(request.timeout),
                session.request(
                    request.method,
                    url,
                    headers=request.headers,
                    data=request.body or None,
                    allow_redirects=False,
                    server_hostname=request.tls_name,
                ) as answer,
            ):
                status = answer.status
                body = await _read(answer, request.max_body, host)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, headers, body)
        except (ClientError, HttpProcessingError, OSError) as error:  # TimeoutError is an OSError
            raise UpstreamUnavailable(host, _sentence(error, request.timeout), status=status) from error

    async def close(self) -> None:
        """Close every connection; sending is refused from here on."""
        self._closed = True
        if self._session:
            await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _open(self, host: str) -> ClientSession:
        if self._closed:
            raise UpstreamUnavailable(host, "is not asked: this process is stopping")
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(
                    limit=self._connections, limit_per_host=self._per_host, keepalive_timeout=_KEEP_ALIVE_SECONDS
                ),
                timeout=ClientTimeout(total=None),  # each request brings its own
                cookie_jar=DummyCookieJar(),
                headers={"user-agent": "streaming-service"},
                skip_auto_headers=["content-type"],
            )
        return self._session


def _checked(text: str) -> URL:
    """The URL exactly as given: re-quoting would break a signature over it."""
    invalid = UpstreamUnavailable("http", "the address is not a valid http or https URL")
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise invalid
    try:
        url = URL(text, encoded=True)
    except ValueError as error:
        raise invalid from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise invalid
    return url


async def _read(answer: ClientResponse, limit: int, host: str) -> bytes:
    """The body, unpacked piece by piece so that a small compressed answer cannot grow past the limit in memory."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > limit:
            answer.close()
            raise UpstreamUnavailable(host, f"answered with more than {limit} bytes", status=answer.status)
    return bytes(body)


# In this order: several of aiohttp's errors are subclasses of others here.
_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (ClientConnectorDNSError, "the host name does not resolve"),
    (ClientSSLError, "the TLS handshake failed"),
    (ServerDisconnectedError, "closed the connection without an answer"),
    (ConnectionResetError, "closed the connection without an answer"),
    (ClientPayloadError, "the answer was cut off or could not be unpacked"),
    (InvalidURL, "the address is not a valid http or https URL"),
)


def _sentence(error: Exception, timeout: float) -> str:
    """What went wrong, for a person. aiohttp's own messages are left out: some hold the URL."""
    if isinstance(error, TimeoutError):
        return f"no whole answer within {timeout:g} s"
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return sentence
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    return f"no valid HTTP answer: {type(error).__name__}"
