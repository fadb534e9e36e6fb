"""A client of one connection without a socket: what it sends arrives exactly in the pieces that a test chooses."""

import asyncio
import re
import time
from typing import Any

from streaming_service.entrypoints.http.connection import Connection
from streaming_service.entrypoints.http.hub import Hub

_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self.ended = False
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.ended, "written after the end"
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = self.closed = True

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 50_000) if name == "peername" else default


class Answered:
    """One answer, read strictly by its framing. `head` of the request: then there is no body."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"{self.status} {self.headers} {self.body!r}"

    def __eq__(self, other: object) -> bool:
        """But for what is new in every answer."""
        return isinstance(other, Answered) and self.told() == other.told()

    def __hash__(self) -> int:
        return hash(self.status)

    def told(self) -> tuple[int, list[tuple[str, str]], bytes]:
        kept = [item for item in self.headers if item[0] not in {"x-correlation-id", "date"}]
        return (self.status, kept, self.body)


def answers(written: bytes, *, heads: bool = False) -> list[Answered]:
    """Everything that was written, as answers; fails when a byte of it is none. `heads`: to HEAD requests."""
    found, position = list[Answered](), 0
    while position < len(written):
        match = _ANSWER.match(written, position)
        assert match, written[position : position + 200]
        status, position = int(match[1]), match.end()
        headers = [
            (name.decode(), value.decode())
            for name, _, value in (line.partition(b": ") for line in match[2].split(b"\r\n") if line)
        ]
        body = b""
        if not heads and status not in {100, 204, 304}:
            length = int(dict(headers)["content-length"])
            body = written[position : position + length]
            assert len(body) == length
            position += length
        found.append(Answered(status, headers, body))
    return found


class FakeClient:
    """Speaks to `app` over a connection of its own. Without `quick` everything is parsed by llhttp."""

    def __init__(self, app: Any, *, quick: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.hub = Hub(app, app.quick if quick else None, ("127.0.0.1", 4900), limit=10, loop=loop, time=time.time)
        self.transport = FakeTransport()
        self.connection = Connection(self.hub)
        self.connection.connection_made(self.transport)

    async def send(self, *pieces: bytes) -> None:
        """As far as the connection reads; each piece arrives when everything before it is done."""
        for piece in pieces:
            if self.transport.ended:
                return
            self.connection.data_received(piece)
            await self.settled()

    async def settled(self) -> None:
        while self.hub.tasks:
            await asyncio.sleep(0)

    @property
    def written(self) -> bytes:
        return bytes(self.transport.written)
