"""A Granian worker inside our own event loop, so that API and workers can share a process.

Granian's Rust threads accept, parse and write; Python runs in the loop that called `start`.
"""

import asyncio
import errno
import socket
from typing import Any

import structlog
from granian._granian import CallbackScheduler, RSGIWorker, SocketHolder, WorkerSignal
from granian.http import HTTP1Settings, HTTP2Settings
from structlog.typing import FilteringBoundLogger

from streaming_service.entrypoints.http.dispatcher import Dispatcher
from streaming_service.entrypoints.http.rsgi import RestApp
from streaming_service.errors import ConfigurationError

_BACKLOG = 2048
_MAX_CONNECTIONS = 16_384
_MAX_HEADER_BYTES = 65_536
# After the grace, how long cancelled requests may take to answer 503.
_LAST_WORDS_SECONDS = 1.0

# Granian's stubs lag behind its Rust code, so the three classes are typed here by what is used of them.
_Worker: Any = RSGIWorker
_Scheduler: Any = CallbackScheduler
_Socket: Any = SocketHolder

_log: FilteringBoundLogger = structlog.get_logger(__name__)


class HttpServer:
    """Serves `app` between `start` and `stop`. Port 0 takes a free one; `port` is the real one from `start` on.

    `idle_seconds` is how long a connection may be silent between requests, and how long a request's head may take.
    Behind a load balancer it must be longer than that one's own (Google's: 600 s), or requests meet a closing door.
    For the same reason `stop` goes on for `linger_seconds` while each connection ends with its next answer: one that is
    closed while it is idle may have a request on its way.
    `variable` is the setting that the port comes from.
    """

    def __init__(
        self,
        app: RestApp,
        host: str,
        port: int,
        *,
        grace_seconds: float,
        linger_seconds: float = 0.0,
        idle_seconds: float = 75.0,
        variable: str = "HTTP_PORT",
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._variable = variable
        self._grace = grace_seconds
        self._linger = linger_seconds
        self._idle_ms = round(idle_seconds * 1000)
        self._stopped = asyncio.Event()
        self._signal: WorkerSignal | None = None
        self._dispatcher: Dispatcher | None = None
        self._worker: Any = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def closing(self) -> bool:
        """Whether it has begun to stop."""
        return self._dispatcher is not None and self._dispatcher.last_answers

    @property
    def in_hand(self) -> int:
        """How many requests wait for something."""
        return len(self._dispatcher.tasks) if self._dispatcher else 0

    async def start(self) -> None:
        """Returns when connections are accepted. Raises ConfigurationError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        listener = _listen(self._host, self._port, self._variable)
        self._port = listener.getsockname()[1]
        self._stopped.clear()
        self._dispatcher = Dispatcher(loop, self._app)
        self._signal = WorkerSignal()
        self._signal.add_cb(lambda: loop.call_soon_threadsafe(self._stopped.set))
        scheduler = _Scheduler(loop, None, None, None, None)
        scheduler._schedule_fn = self._dispatcher.arrive  # noqa: SLF001 - what Granian's own schedulers set
        self._worker = _Worker(
            1,
            # Granian owns the socket from here on and closes it when it stops.
            (None, _Socket(listener.detach(), False, _BACKLOG)),
            None,
            backpressure=_MAX_CONNECTIONS,
            http_mode="1",
            http1_opts=HTTP1Settings(header_read_timeout=self._idle_ms, max_buffer_size=_MAX_HEADER_BYTES),
            http2_opts=HTTP2Settings(),
            websockets_enabled=False,
        )
        self._worker.serve_async(scheduler, loop, self._signal)

    async def stop(self) -> None:
        """Linger, accept nothing more, let requests in hand finish within the grace, cancel the rest."""
        if self._signal is None or self._dispatcher is None:
            return
        signal, self._signal = self._signal, None
        self._dispatcher.last_answers = True
        try:
            await asyncio.sleep(self._linger)
        finally:
            signal.set()
        if not await self._wait(self._grace):
            _log.warning("requests cancelled", reason="grace is over", requests=self.in_hand)
            for task in tuple(self._dispatcher.tasks):
                task.cancel()
            if not await self._wait(_LAST_WORDS_SECONDS):
                # A client that neither reads nor goes away; its connection ends with the process.
                _log.warning("connections left behind")
        self._worker = None

    async def _wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            return False
        return True


def _listen(host: str, port: int, variable: str) -> socket.socket:
    """Without SO_REUSEPORT, which Granian would set: a second server must hear that the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError([f"HTTP_HOST: {host!r} is no address of this machine: {error.strerror}"]) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
