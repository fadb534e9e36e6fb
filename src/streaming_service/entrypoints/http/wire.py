"""How an answer is written down: RFC 9112."""

import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus

from streaming_service.entrypoints.http.asgi import Headers
from streaming_service.entrypoints.http.problems import PROBLEM_JSON, Failure

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
# These have no body whatever their headers say.
BODILESS = frozenset({204, 304})

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
# What would end a line, or the head, before its time.
_UNSAFE = re.compile(rb"[\x00\r\n]").search


def encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def safe(headers: Headers) -> Headers:
    """The same. Raises ValueError for a header that would forge another, or an answer."""
    for name, value in headers:
        if _UNSAFE(name) or _UNSAFE(value):
            raise ValueError(f"header {name!r} holds a control character")
    return headers


def head(status: int, headers: Headers) -> bytes:
    """Status line and headers, without the empty line that ends them."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode()]
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_words(failure: Failure, path: str, correlation_id: str, date: bytes, *, empty: bool) -> bytes:
    """A whole answer to a request that never became one; without its body when it is `empty`."""
    body = failure.body(path)
    headers = encoded(
        (
            ("content-type", PROBLEM_JSON),
            *failure.headers,
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-correlation-id", correlation_id),
            ("connection", "close"),
        )
    )
    written = b"%b%bcontent-length: %d\r\n\r\n" % (head(failure.status, headers), date, len(body))
    return written if empty else written + body


class DateLine:
    """The header that says when an answer was made, written once a second. `time` gives Unix seconds."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._second = -1
        self._line = b""

    def now(self) -> bytes:
        """With its line's end."""
        second = int(self._time())
        if second != self._second:
            self._second = second
            self._line = f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._line
