"""The HTTP server: a port inside our own event loop, so that API and workers can share a process."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.entrypoints.http.asgi import Receive, Send
from streaming_service.entrypoints.http.connection import Connection
from streaming_service.entrypoints.http.hub import Hub, Quick
from streaming_service.errors import ConfigurationError

_BACKLOG = 2048
_MAX_CONNECTIONS = 16_384
# After the grace, how long cancelled requests may take to answer 503.
_LAST_WORDS_SECONDS = 1.0
# For a whole head, and for a client to take what it has asked for: no balancer needs longer.
_BUSY_SECONDS = 60.0
# Time-outs are found by looking around, not by a timer for each request: that is how exact they are.
_LOOK_SECONDS = 1.0

_log: FilteringBoundLogger = structlog.get_logger(__name__)


class App(Protocol):
    """An ASGI application, and what answers plain requests at once, if anything does."""

    @property
    def quick(self) -> Quick | None: ...

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None: ...


class HttpServer:
    """Serves `app` between `start` and `stop`. Port 0 takes a free one; `port` is the real one from `start` on.

    `idle_seconds` is how long a connection may be silent between requests; a minute of it at most is how long a
    request's head may take, and how long a client may read nothing of its answer. Behind a load balancer it must be
    longer than that one's own (Google's: 600 s), or requests meet a closing door. For the same reason `stop` goes on
    for `linger_seconds` while each connection ends with its next answer: one that is closed while it is idle may have a
    request on its way.
    `variable` is the setting that the port comes from, `time` gives Unix seconds.
    """

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        *,
        grace_seconds: float,
        linger_seconds: float = 0.0,
        idle_seconds: float = 75.0,
        max_connections: int = _MAX_CONNECTIONS,
        variable: str = "HTTP_PORT",
        time: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._variable = variable
        self._grace = grace_seconds
        self._linger = linger_seconds
        self._idle = idle_seconds
        self._pause = min(_LOOK_SECONDS, idle_seconds / 4)
        self._limit = max_connections
        self._time = time
        self._hub: Hub | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def closing(self) -> bool:
        """Whether it has begun to stop."""
        return self._hub is not None and self._hub.last_answers

    @property
    def in_hand(self) -> int:
        """How many requests wait for something."""
        return len(self._hub.tasks) if self._hub else 0

    async def start(self) -> None:
        """Returns when connections are accepted. Raises ConfigurationError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        listener = _listen(self._host, self._port, self._variable)
        address = listener.getsockname()
        self._port = address[1]
        hub = self._hub = Hub(self._app, self._app.quick, address[:2], limit=self._limit, loop=loop, time=self._time)
        self._server = await loop.create_server(lambda: Connection(hub), sock=listener, backlog=_BACKLOG)
        loop.call_later(self._pause, self._look_around, hub, loop)

    async def stop(self) -> None:
        """Linger, accept nothing more, let requests in hand finish within the grace, cancel the rest."""
        server, self._server, hub = self._server, None, self._hub
        if server is None or hub is None:
            return
        hub.stop_answering()
        try:
            await asyncio.sleep(self._linger)
        finally:
            server.close()
            hub.close()
        if await _emptied(hub, self._grace):
            return
        _log.warning("requests cancelled", reason="grace is over", requests=self.in_hand)
        for task in tuple(hub.tasks):
            task.cancel()
        if not await _emptied(hub, _LAST_WORDS_SECONDS):
            _log.warning("connections cut off", connections=len(hub.members))
            for connection in tuple(hub.members):
                connection.abort()

    def _look_around(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        """Until the last connection of a stopped server is gone."""
        # A connection remembers the look before what it did, so that it is given one look more.
        hub.look_around(self._idle + self._pause, min(self._idle, _BUSY_SECONDS) + self._pause)
        if hub is self._hub and (self._server is not None or hub.members):
            loop.call_later(self._pause, self._look_around, hub, loop)


async def _emptied(hub: Hub, seconds: float) -> bool:
    """Whether everything has ended within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await hub.empty.wait()
    except TimeoutError:
        return False
    return True


def _listen(host: str, port: int, variable: str) -> socket.socket:
    """Without SO_REUSEPORT: a second server must hear that the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError([f"HTTP_HOST: {host!r} is no address of this machine: {error.strerror}"]) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError([_reason(host, port, variable, error)]) from error
    return listener


def _reason(host: str, port: int, variable: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{variable}: port {port} on {host} is taken by another process: stop it, or choose another port"
        case errno.EACCES:
            return f"{variable}: port {port} on {host} needs privileges: choose one above 1023"
        case errno.EADDRNOTAVAIL:
            return f"HTTP_HOST: {host!r} is no address of this machine"
        case _:
            return f"{variable}: port {port} on {host} cannot be opened: {error.strerror}"
