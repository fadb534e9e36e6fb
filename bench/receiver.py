"""Whoever deliveries go to, as cheap as it can be: answers 204 to every POST and keeps which came, in which order.

Prints its port when it listens; a GET answers with a JSON list of [path, idempotency key] in the order of arrival.
A POST to a path that is named on the command line is never answered. Ends on SIGTERM.
"""

import asyncio
import signal
import sys
from typing import cast

import msgspec
import uvloop

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver(asyncio.Protocol):
    """One connection. Knows as much of HTTP as our own client needs: a content length, keep-alive."""

    def __init__(self, received: list[tuple[str, str]], silent: frozenset[str]) -> None:
        self._received = received
        self._silent = silent
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            size = end + 4 + int(_header(head, b"content-length") or b"0")
            if len(self._unread) < size:
                return
            self._unread = self._unread[size:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        if self._transport is None:
            return
        method, path, _ = head.split(b" ", 2)
        if method == b"GET":
            body = msgspec.json.encode(self._received)
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            return
        if path.decode() in self._silent:
            return
        self._received.append((path.decode(), _header(head, b"idempotency-key").decode()))
        self._transport.write(_ANSWER)


def _header(head: bytes, name: bytes) -> bytes:
    start = head.lower().find(b"\r\n" + name + b":")
    return head[start + len(name) + 3 :].partition(b"\r\n")[0].strip() if start >= 0 else b""


async def main() -> None:
    received: list[tuple[str, str]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(received, frozenset(sys.argv[1:])), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(main())
