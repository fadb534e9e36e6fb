"""An encoder such as OBS, without its media: it publishes, stays, and comes back if it is told to."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from streaming_service.devkit.ome.ingest import Session

Connect = Callable[[], Awaitable[Session]]


class Publisher:
    """Publishes from `start()` to `stop()`, or until OME cuts it off.

    With `auto_reconnect` it tries again `pause` seconds after every refusal and every cut. `error` is what the encoder
    would print, `attempts` counts its connections.
    """

    def __init__(self, connect: Connect, *, auto_reconnect: bool = False, pause: float = 0.5) -> None:
        self._connect = connect
        self._auto_reconnect = auto_reconnect
        self._pause = pause
        self._session: Session | None = None
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.error = ""
        self.attempts = 0

    @property
    def live(self) -> bool:
        """OME takes what it sends."""
        return self._session is not None and not self._session.gone.is_set()

    @property
    def running(self) -> bool:
        """Connected, or about to be again."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Returns when OME has let it in, or has not: see `live` and `error`."""
        self._tried.clear()
        self._task = asyncio.get_running_loop().create_task(self._run())
        await self._tried.wait()

    async def stop(self) -> None:
        """Leave as an encoder does that is switched off; returns when OME has noticed."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._session:
            await self._session.leave()

    async def cut(self) -> None:
        """Wait until OME cuts it off, and with `auto_reconnect` not a moment longer."""
        if self._session:
            await self._session.gone.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _run(self) -> None:
        try:
            await self._publish()
            while self._auto_reconnect:
                await asyncio.sleep(self._pause)
                await self._publish()
        finally:
            self._tried.set()

    async def _publish(self) -> None:
        self.attempts += 1
        try:
            self._session, self.error = await self._connect(), ""
        except ConnectionError as refused:
            self.error = str(refused)
        else:
            self._tried.set()
            await self._session.gone.wait()
            self.error = "Broken pipe"
        self._tried.set()
