"""One client's connection: bytes to requests, one after the other, and answers in the order they were asked for.

A plain manifest request whose token and content are known is answered in the very call that brings it, without a
parser or a task. Everything else is parsed by llhttp (https://llhttp.org, by httptools) and answered by the ASGI
application. What arrives while a request is in hand is held back until its answer is written.
"""

import asyncio
from collections import deque
from typing import cast
from urllib.parse import unquote

import httptools
import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.context import new_correlation_id
from streaming_service.entrypoints.http import wire
from streaming_service.entrypoints.http.asgi import Headers
from streaming_service.entrypoints.http.exchange import Exchange
from streaming_service.entrypoints.http.hub import Hub
from streaming_service.entrypoints.http.problems import INTERNAL_ERROR, TOO_MANY_CONNECTIONS, Failure
from streaming_service.entrypoints.http.target import VERSIONS, address_of, scope_of

# llhttp is fed so much at a time: what one read brings must not become ten thousand requests before one is answered.
_SLICE_BYTES = 4096
MAX_HEAD_BYTES = 65_536
_HELD_BYTES = 65_536
# Of the path of a request that is not understood.
_SHOWN_BYTES = 256
# A client that still sends when it has had its last answer would not see it if its connection were closed at once.
_LINGER_SECONDS = 2.0

_BAD_REQUEST = Failure(400, "bad_request", "The request cannot be understood.")
_HEAD_TOO_LARGE = Failure(431, "header_too_large", "The request's head is larger than this service accepts.")
_VERSION = Failure(505, "http_version", "This service speaks HTTP/1.1.")

_log: FilteringBoundLogger = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """Implements httptools' callbacks and `Line`."""

    __slots__ = (
        "_address",
        "_began",
        "_deaf",
        "_drained",
        "_dropped",
        "_ends_at",
        "_exchanges",
        "_failure",
        "_headers",
        "_held",
        "_hub",
        "_idle",
        "_overhead",
        "_parser",
        "_peer",
        "_piece",
        "_reading",
        "_since",
        "_transport",
        "_url",
    )

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._address: tuple[str, int] | None = None
        self._peer = ""
        self._parser: httptools.HttpRequestParser | None = None
        self._exchanges: deque[Exchange] = deque()
        # Nothing is in hand, in the parser, held back or unsent.
        self._idle = True
        self._began = False
        # What still arrives has no meaning: the last request has been read, or could not be.
        self._deaf = False
        self._failure: Failure | None = None
        self._held = b""
        self._dropped = 0
        self._overhead = self._piece = 0
        self._url = b""
        self._headers: Headers | None = None
        self._reading = True
        self._drained: asyncio.Event | None = None
        self._since = hub.now
        self._ends_at: float | None = None

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._address = address_of(transport.get_extra_info("peername"))
        self._peer = self._address[0] if self._address else ""
        if not self._hub.joined(self):
            self._transport.write(self._last_words(TOO_MANY_CONNECTIONS))
            self._transport.close()
            self._deaf, self._idle = True, False

    def data_received(self, data: bytes) -> None:
        if self._idle:
            quick = self._hub.quick
            if quick is not None:
                answer = quick(data, self._peer)
                if answer is not None:
                    self._since = self._hub.now
                    self._transport.write(answer)
                    return
        self._take(data)

    def eof_received(self) -> None:
        """A client that has closed looks the same as one that only sends no more: both are gone."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        self._hub.left(self)
        self._deaf, self._idle = True, False
        self._parser = None
        self._held = b""
        for exchange in self._exchanges:
            exchange.lost()
        self._exchanges.clear()
        if self._drained is not None:
            self._drained.set()

    def pause_writing(self) -> None:
        self._drained = asyncio.Event()
        self._since = self._hub.now
        self._settle()

    def resume_writing(self) -> None:
        if self._drained is not None:
            self._drained.set()
        self._drained = None
        self._since = self._hub.now
        self._settle()

    # the server's

    def retire(self) -> None:
        """End as soon as nothing is in hand."""
        if self._ends_at is not None or not (self._exchanges or self._began or self._drained):
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def check(self, now: float, idle: float, busy: float) -> None:
        """Called every now and then. Whoever asks for nothing has had `idle` seconds; who has begun to ask, or does not
        take its answer, `busy` seconds."""
        transport = self._transport
        patience = busy if self._began or self._drained is not None or self._deaf else idle
        if self._ends_at is not None and now >= self._ends_at and not transport.get_write_buffer_size():
            transport.abort()
        elif now - self._since <= patience:
            return
        elif self._drained is not None or transport.is_closing() or self._ends_at is not None:
            transport.abort()
        elif not self._exchanges:
            transport.close()

    # an exchange's: see Line

    @property
    def last_answers(self) -> bool:
        return self._hub.last_answers

    @property
    def date(self) -> bytes:
        return self._hub.date.now()

    def write(self, data: bytes) -> None:
        # Between the end of a connection and the word about it uvloop refuses to write.
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        if self._drained is not None:
            await self._drained.wait()

    def asked_for_body(self) -> None:
        self._regulate()

    def answered(self, *, last: bool) -> None:
        self._exchanges.popleft()
        self._since = self._hub.now
        if last or self._hub.closed:
            self._end()
            return
        if self._exchanges:
            self._hub.run(self._exchanges[0])
        elif self._failure is not None:
            self._say_last_words()
            return
        self._settle()
        if self._held and not self._occupied():
            held, self._held = self._held, b""
            self._settle()
            self.data_received(held)

    # reading

    def _take(self, data: bytes) -> None:
        if self._deaf:
            self._dropped += len(data)
        elif self._held or self._occupied():
            self._held += data
        else:
            self._feed(data)
        self._settle()

    def _occupied(self) -> bool:
        """A request is in hand that has arrived whole: what comes behind it can wait."""
        return bool(self._exchanges) and self._exchanges[0].body.complete

    def _feed(self, data: bytes) -> None:
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        for start in range(0, len(data), _SLICE_BYTES):
            if self._deaf:
                self._dropped += len(data) - start
                return
            if self._occupied():
                self._held = data[start:]
                return
            self._parse(self._parser, data[start : start + _SLICE_BYTES])

    def _parse(self, parser: httptools.HttpRequestParser, piece: bytes) -> None:
        self._piece = len(piece)
        self._overhead += self._piece
        try:
            parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # answered as any other request, as the last one
        except httptools.HttpParserCallbackError:
            _log.exception("request failed")
            self._give_up(INTERNAL_ERROR)
        except httptools.HttpParserError:
            self._give_up(_BAD_REQUEST)
        if self._overhead > MAX_HEAD_BYTES:
            # Head, trailers or chunk extensions: what is no body counts, wherever it stands.
            self._give_up(_HEAD_TOO_LARGE)

    def _give_up(self, failure: Failure) -> None:
        """Understand nothing from here on, and say so when everything before is answered."""
        if self._deaf:
            return
        self._deaf = True
        if self._began and self._headers is None:
            # Its head was good: the body is what breaks. Nobody waits for it when it is answered already.
            if self._exchanges:
                self._exchanges[-1].last = True
                self._exchanges[-1].body.break_off()
            else:
                self._end()
            return
        self._failure = failure
        if not self._exchanges:
            self._say_last_words()

    def _say_last_words(self) -> None:
        if self._failure is not None:
            self.write(self._last_words(self._failure))
        self._end()

    def _last_words(self, failure: Failure) -> bytes:
        path = unquote(self._url[:_SHOWN_BYTES].partition(b"?")[0].decode("latin-1")) or "/"
        empty = self._began and self._parser is not None and self._parser.get_method() == b"HEAD"
        return wire.last_words(failure, path, new_correlation_id(), self._hub.date.now(), empty=empty)

    def _end(self) -> None:
        """Close; but let a client that still sends read its answer first (RFC 9112, 9.6)."""
        for exchange in self._exchanges:
            exchange.lost()
        self._exchanges.clear()
        unread = self._began or self._held or self._dropped or self._failure is not None
        self._deaf, self._idle, self._held, self._dropped = True, False, b"", 0
        if self._transport.is_closing():
            return
        if unread:
            self._ends_at = self._hub.now + _LINGER_SECONDS
            try:
                self._transport.write_eof()
            except OSError:  # the client has just gone
                self._transport.abort()
            self._regulate()
        else:
            self._transport.close()

    def _settle(self) -> None:
        self._idle = not (self._exchanges or self._began or self._held or self._deaf or self._drained)
        self._regulate()

    def _regulate(self) -> None:
        """Read on only while what was read has a place to go."""
        waiting = len(self._held) if self._ends_at is None else 0
        if self._exchanges:
            waiting = max(waiting, self._exchanges[-1].body.buffered, self._dropped)
        reading = self._drained is None and waiting <= _HELD_BYTES
        if reading is not self._reading and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self._deaf:
            return
        self._began = True
        self._url, self._headers, self._overhead = b"", [], self._piece
        if not self._exchanges:
            self._since = self._hub.now

    def on_url(self, url: bytes) -> None:
        if not self._deaf:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headers is not None:  # otherwise a trailer
            self._headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        headers, parser = self._headers, self._parser
        if self._deaf or headers is None or parser is None:
            return
        if self._overhead > MAX_HEAD_BYTES:
            self._give_up(_HEAD_TOO_LARGE)
            return
        version = parser.get_http_version()
        method, server = parser.get_method().decode(), self._hub.address
        scope = scope_of(method, self._url, version, headers, client=self._address, server=server)
        if scope is None:
            self._give_up(_BAD_REQUEST if version in VERSIONS else _VERSION)
            return
        self._headers, self._overhead = None, 0
        last = version != "1.1" or not parser.should_keep_alive() or parser.should_upgrade()
        exchange = Exchange(self, scope, headers, last=last)
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            self._hub.run(exchange)

    def on_body(self, body: bytes) -> None:
        if self._deaf:
            return
        self._overhead = 0
        if self._exchanges and self._began:
            self._exchanges[-1].body.feed(body)

    def on_message_complete(self) -> None:
        if self._deaf:
            return
        self._began = False
        if self._exchanges:
            exchange = self._exchanges[-1]
            exchange.body.end()
            self._deaf = exchange.last
        elif self._hub.closed:
            self._end()
