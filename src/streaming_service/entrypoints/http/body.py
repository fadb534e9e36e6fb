"""A request's body, from the connection that parses it to the application that asks for it."""

import asyncio
from typing import Any

from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.problems import Failure

# For a whole body: long for a megabyte from anywhere, short for somebody who only wants to hold a connection.
_PATIENCE_SECONDS = 30.0

_ENDED_EARLY = Failure(400, "body_incomplete", "The request's body ended early.")
_TOO_SLOW = Failure(
    408, "body_too_slow", "The request's body took too long to arrive.", headers=(("connection", "close"),)
)


class Body:
    """What has arrived and was not asked for yet. How much may be read is the application's question; whether all of it
    came is ours. `announced` is its length in bytes, None when it comes in chunks."""

    __slots__ = ("_broken", "_deadline", "_parts", "_waiter", "announced", "buffered", "complete", "received")

    def __init__(self, announced: int | None) -> None:
        self.announced = announced
        self.received = 0
        self.buffered = 0
        self.complete = False
        self._broken = False
        self._deadline = 0.0
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None

    @property
    def missing(self) -> int | None:
        """How many bytes are still to come; None when nobody knows."""
        if self.complete:
            return 0
        return None if self.announced is None else self.announced - self.received

    def feed(self, data: bytes) -> None:
        self._parts.append(data)
        self.received += len(data)
        self.buffered += len(data)
        self._wake()

    def end(self) -> None:
        """All of it has come."""
        self.complete = True
        self._wake()

    def break_off(self) -> None:
        """No more will come, and it is not whole. Does nothing when it is."""
        self._broken = not self.complete
        self._wake()

    async def read(self) -> dict[str, Any]:
        """The next piece as ASGI's event. Raises Refuse for a body that breaks off or takes too long."""
        if not self._parts and not self.complete and not self._broken:
            await self._arrival()
        if self._broken:
            raise Refuse(_ENDED_EARLY)
        data = b"".join(self._parts)
        self._parts.clear()
        self.buffered = 0
        return {"type": "http.request", "body": data, "more_body": not self.complete}

    async def _arrival(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._deadline:
            self._deadline = loop.time() + _PATIENCE_SECONDS
        self._waiter = loop.create_future()
        try:
            async with asyncio.timeout_at(self._deadline):
                await self._waiter
        except TimeoutError:
            raise Refuse(_TOO_SLOW) from None
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
