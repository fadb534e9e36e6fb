"""One HTTP request and its answer, as every adapter sees them."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct


class Request(Struct, frozen=True):
    """What is sent. `timeout` in seconds covers the whole exchange, `max_body` limits the answer in bytes. `tls_name`:
    whose certificate is wanted, when that is not the URL's host. `peer`: the service's name in traces."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    timeout: float = 5.0
    max_body: int = 4 * 1024 * 1024
    tls_name: str | None = None
    peer: str = ""


class Response(Struct, frozen=True):
    """What came back, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Raises msgspec.DecodeError when the body is not JSON."""
        return msgspec.json.decode(self.body)


class Transport(Protocol):
    """Carries a request. No answer (refused, reset, timed out, cut off, too large) raises UpstreamUnavailable.

    Redirects are answers, never followed: an answer must not choose our next host.
    """

    async def send(self, request: Request) -> Response: ...


class Caller(Protocol):
    """A Transport for one service, with what makes it dependable: breaker, retries of what is safe, context headers."""

    async def call(self, request: Request, *, retry: bool = False) -> Response:
        """Send with correlation and trace headers added. `retry`: repeat on no answer and on 502, 503, 504.

        Raises UpstreamUnavailable when there is no answer or the breaker is open.
        """
        ...
