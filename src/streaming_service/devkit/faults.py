"""A TCP proxy that breaks what passes through it, on demand: what a network and a sick server do to their clients."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Self

from msgspec import Struct

_CHUNK = 64 * 1024
_DRIP_SECONDS = 0.1
_GARBAGE_BYTES = 512
# Closing with a linger of 0 makes the kernel send RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What becomes of connections."""

    PASS = "pass"
    REFUSE = "refuse"
    """Nobody listens; who is connected is cut off."""
    RESET = "reset"
    """Cut off with a RST after `after` bytes of an answer."""
    BLACKHOLE = "blackhole"
    """Taken, and never answered."""
    DRIP = "drip"
    """An answer comes at `rate` bytes a second."""
    TRUNCATE = "truncate"
    """Closed in good order after `after` bytes of an answer."""
    GARBAGE = "garbage"
    """Random bytes for an answer."""
    STATUS = "status"
    """HTTP `status` for an answer, without asking the server."""
    REDIRECT = "redirect"
    """302 to the very same address, without asking the server."""
    LATENCY = "latency"
    """`delay` seconds before an answer begins."""


class Fault(Struct, frozen=True, kw_only=True):
    """A mode and its figures."""

    mode: Mode = Mode.PASS
    after: int = 0
    rate: int = 64
    status: int = 503
    delay: float = 1.0


_OWN_ANSWERS = frozenset({Mode.GARBAGE, Mode.STATUS, Mode.REDIRECT})


class FaultProxy:
    """Passes TCP on from a loopback port to `host`:`port`, until told otherwise; also for open connections.

    `rng` makes the garbage. `connections` counts those that were taken so far, `open` those that are.

        async with FaultProxy("127.0.0.1", 5432) as proxy:
            connect(proxy.host, proxy.port)
            await proxy.become(Fault(mode=Mode.BLACKHOLE))
    """

    def __init__(self, host: str, port: int, *, rng: random.Random | None = None) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.fault = Fault()
        self.connections = 0
        self._upstream = (host, port)
        self._rng = rng or random.Random()
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def open(self) -> int:
        """How many clients are connected."""
        return len(self._serving)

    @property
    def url(self) -> str:
        """For HTTP."""
        return f"http://{self.host}:{self.port}"

    async def become(self, fault: Fault) -> None:
        """From now on. A port that was refused is the same one when it listens again."""
        self.fault = fault
        if fault.mode is Mode.REFUSE:
            await self._close()
        elif self._server is None:
            await self._listen()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, limit=_CHUNK, reuse_address=True, backlog=512
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()
        serving = dict(self._serving)
        for task, writer in serving.items():
            _reset(writer)
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._server is None:
            writer.transport.abort()
            return
        self.connections += 1
        self._serving[task] = writer
        try:
            await _Connection(reader, writer, self._upstream, lambda: self.fault, self._rng).serve()
        except (OSError, asyncio.CancelledError):
            pass  # one side is gone, or the proxy closes: either way this connection is over
        finally:
            del self._serving[task]
            writer.close()


class _Connection:
    """One client; `fault` is asked at every piece that passes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: tuple[str, int],
        fault: Callable[[], Fault],
        rng: random.Random,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._upstream = upstream
        self._fault = fault
        self._rng = rng
        self._server: asyncio.StreamWriter | None = None
        self._answering: asyncio.Task[None] | None = None
        self._sent = 0  # bytes of the answer at hand

    async def serve(self) -> None:
        """Until either side closes."""
        try:
            while data := await self._reader.read(_CHUNK):
                fault = self._fault()
                self._sent = 0
                if fault.mode is Mode.BLACKHOLE:
                    continue
                if fault.mode in _OWN_ANSWERS:
                    self._writer.write(self._own_answer(fault, data))
                    await self._writer.drain()
                    return
                await self._pass_on(data)
        finally:
            if self._answering:
                self._answering.cancel()
            if self._server:
                self._server.close()

    async def _pass_on(self, data: bytes) -> None:
        if self._server is None:
            source, self._server = await asyncio.open_connection(*self._upstream, limit=_CHUNK)
            self._answering = asyncio.create_task(self._answer(source))
        self._server.write(data)
        await self._server.drain()

    async def _answer(self, source: asyncio.StreamReader) -> None:
        try:
            while data := await source.read(_CHUNK):
                await self._send(self._fault(), data)
        except OSError:
            pass  # the client is gone, or the server
        finally:
            self._writer.close()

    async def _send(self, fault: Fault, data: bytes) -> None:
        match fault.mode:
            case Mode.BLACKHOLE | Mode.REFUSE:
                return
            case Mode.RESET | Mode.TRUNCATE:
                await self._break_off(fault, data)
                return
            case Mode.DRIP:
                await self._drip(fault.rate, data)
                return
            case Mode.LATENCY if not self._sent:
                await asyncio.sleep(fault.delay)
            case mode if mode in _OWN_ANSWERS:
                data = self._rng.randbytes(len(data))
            case _:
                pass
        await self._write(data)

    async def _break_off(self, fault: Fault, data: bytes) -> None:
        left = max(0, fault.after - self._sent)
        await self._write(data[:left])
        if len(data) <= left:
            return
        if fault.mode is Mode.RESET:
            _reset(self._writer)
        raise ConnectionAbortedError("broken off on purpose")

    async def _drip(self, rate: int, data: bytes) -> None:
        """Slowly, for as long as that is wanted."""
        step = max(1, int(rate * _DRIP_SECONDS))
        while data and self._fault().mode is Mode.DRIP:
            await self._write(data[:step])
            data = data[step:]
            await asyncio.sleep(_DRIP_SECONDS)
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        self._sent += len(data)
        self._writer.write(data)
        await self._writer.drain()

    def _own_answer(self, fault: Fault, request: bytes) -> bytes:
        if fault.mode is Mode.GARBAGE:
            return self._rng.randbytes(_GARBAGE_BYTES)
        if fault.mode is Mode.STATUS:
            return _http(f"{fault.status} Broken", "")
        return _http("302 Found", f"Location: {_target(request)}\r\n")


def _http(status: str, headers: str) -> bytes:
    body = "broken on purpose"
    return (
        f"HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        f"Connection: close\r\n\r\n{body}"
    ).encode()


def _target(request: bytes) -> str:
    """Of an HTTP request, which may be none."""
    words = request.partition(b"\r\n")[0].split(b" ")
    return words[1].decode("ascii", "replace") if len(words) == 3 else "/"


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):  # it is closed already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
