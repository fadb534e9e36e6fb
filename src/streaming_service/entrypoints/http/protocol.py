"""The part of RSGI 1.6 that we use, typed: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md"""

from collections.abc import AsyncIterator
from typing import Protocol

Headers = list[tuple[str, str]]


class ScopeHeaders(Protocol):
    """A request's headers; names are lower case. Values that are not visible ASCII are left out."""

    def get(self, key: str, default: str | None = None) -> str | None: ...

    def items(self) -> list[tuple[str, str]]: ...


class Scope(Protocol):
    """A request without its body. Every attribute is made anew at each access: read it once."""

    @property
    def http_version(self) -> str: ...

    @property
    def server(self) -> str: ...

    @property
    def client(self) -> str: ...

    @property
    def scheme(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """Percent-decoded."""
        ...

    @property
    def query_string(self) -> str: ...

    @property
    def headers(self) -> ScopeHeaders: ...


class StreamTransport(Protocol):
    """A response whose body comes piece by piece."""

    async def send_bytes(self, data: bytes) -> None: ...


class HttpProtocol(Protocol):
    """A request's body and the way to answer. The first answer counts, later ones are ignored."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def client_disconnect(self) -> None: ...

    def response_empty(self, status: int, headers: Headers) -> None: ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...

    def response_stream(self, status: int, headers: Headers) -> StreamTransport: ...
