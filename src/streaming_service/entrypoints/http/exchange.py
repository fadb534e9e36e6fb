"""One request and its answer, as ASGI sees them."""

import asyncio
from typing import Any, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.entrypoints.http import wire
from streaming_service.entrypoints.http.asgi import AsgiApp, Event, Headers, Scope, header
from streaming_service.entrypoints.http.body import Body

# An unread rest of a body up to this size is let pass, so that the connection can go on; a larger one ends it.
_REST_BYTES = 65_536
# Headers about the connection are the server's business.
_OURS = frozenset({b"content-length", b"transfer-encoding", b"connection", b"date"})

_log: FilteringBoundLogger = structlog.get_logger(__name__)


class Line(Protocol):
    """What an exchange needs of its connection."""

    def write(self, data: bytes) -> None: ...

    async def drained(self) -> None:
        """Returns when the client has taken enough of what was written, or is gone."""
        ...

    def asked_for_body(self) -> None: ...

    def answered(self, *, last: bool) -> None:
        """The answer is written; `last` when the connection ends with it."""
        ...

    @property
    def last_answers(self) -> bool: ...

    @property
    def date(self) -> bytes: ...


class ClientGone(OSError):
    """Nobody takes this answer any more."""


class Exchange:
    """Runs the application for one request. `last`: the client wants the connection to end with it."""

    __slots__ = (
        "_begun",
        "_chunked",
        "_done",
        "_empty",
        "_gone",
        "_headers",
        "_left",
        "_line",
        "_read",
        "_status",
        "_wants_continue",
        "body",
        "last",
        "scope",
    )

    def __init__(self, line: Line, scope: Scope, headers: Headers, *, last: bool) -> None:
        self._line = line
        self.scope = scope
        self.last = last
        self.body = Body(_length(headers))
        self._empty = scope["method"] == "HEAD"
        self._wants_continue = scope["http_version"] == "1.1" and _expects(headers)
        self._read = False
        self._gone: asyncio.Event | None = None
        self._status = 0
        self._headers: Headers = []
        self._begun = False
        self._done = False
        self._chunked = False
        self._left: int | None = None

    async def run(self, app: AsgiApp) -> None:
        """Returns when the application does. An answer that it leaves unfinished is cut off, so that nobody takes it
        for a whole one."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:  # noqa: BLE001 - nobody waits for this task
            _log.exception("request failed", path=self.scope["path"])
        finally:
            if not self._done:
                self._done = True
                self._line.answered(last=True)

    def lost(self) -> None:
        """The client is gone."""
        self.body.break_off()
        self._done = True
        if self._gone is not None:
            self._gone.set()

    async def receive(self) -> dict[str, Any]:
        """The next piece of the body, then the client's going away. Raises Refuse for a body that breaks off."""
        if self._read:
            await self._departure()
            return {"type": "http.disconnect"}
        if self._wants_continue and not self.body.received and not self._begun:
            self._line.write(wire.CONTINUE)
        self._wants_continue = False
        self._line.asked_for_body()
        event = await self.body.read()
        self._line.asked_for_body()
        self._read = not event["more_body"]
        return event

    async def send(self, event: Event) -> None:
        """Raises ValueError for a head that would forge another, before anything is written, and ClientGone when there
        is more to come for nobody."""
        if self._done:
            if event.get("more_body", False):
                raise ClientGone
            return
        if event["type"] == "http.response.start":
            self._status, self._headers = event["status"], wire.safe(list(event["headers"]))
        elif event["type"] == "http.response.body":
            self._piece(event.get("body", b""), more=event.get("more_body", False))
            await self._line.drained()

    def _piece(self, data: bytes, *, more: bool) -> None:
        head = b"" if self._begun else self._head(data, more=more)
        self._begun = True
        if self._empty:
            data = b""
        elif self._chunked:
            data = (wire.chunk(data) if data else b"") + (b"" if more else wire.LAST_CHUNK)
        elif self._left is not None:
            # What is more than announced would be taken for the next answer.
            data = data[: self._left]
            self._left -= len(data)
        if head or data:
            self._line.write(head + data)
        if not more:
            self._done = True
            if self._gone is not None:
                self._gone.set()
            # What is less than announced would take the next answer for its own.
            self._line.answered(last=self.last or bool(self._left))

    def _head(self, data: bytes, *, more: bool) -> bytes:
        """`data` is all of the body, or its first piece when there is `more`."""
        said = header(self._headers, b"connection")
        headers = [item for item in self._headers if item[0] not in _OURS]
        closes = self.last or self._line.last_answers or said == "close" or self._leaves_too_much()
        framing = b""
        if self._status in wire.BODILESS:
            self._empty = True
        else:
            announced = header(self._headers, b"content-length") if more else str(len(data))
            if announced is not None:
                framing = f"content-length: {announced}\r\n".encode()
                self._left = None if self._empty else int(announced)
            elif self.scope["http_version"] == "1.1":
                framing = b"transfer-encoding: chunked\r\n"
                self._chunked = True
            else:
                closes = True
        written = wire.head(self._status, headers)
        self.last = closes
        return b"%b%b%b%b\r\n" % (written, self._line.date, framing, b"connection: close\r\n" if closes else b"")

    def _leaves_too_much(self) -> bool:
        """Whether the request's body, as far as it has not come, is better not waited for. A client that was not told
        to go on may never send it."""
        missing = self.body.missing
        return missing is None or missing > _REST_BYTES or (missing > 0 and self._wants_continue)

    async def _departure(self) -> None:
        if not self._done:
            self._gone = asyncio.Event()
            await self._gone.wait()


def _expects(headers: Headers) -> bool:
    return (header(headers, b"expect") or "").lower() == "100-continue"


def _length(headers: Headers) -> int | None:
    """The announced length in bytes; None when the body comes in chunks."""
    said = header(headers, b"content-length")
    if said is not None:
        return int(said)
    return None if header(headers, b"transfer-encoding") is not None else 0
