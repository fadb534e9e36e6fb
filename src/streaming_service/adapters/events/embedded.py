"""An event source inside the process: who publishes waits for the handler's answer."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.adapters.events.answering import answer
from streaming_service.application.ports import Ack, EventHandler, Message
from streaming_service.errors import UpstreamUnavailable

log: FilteringBoundLogger = structlog.get_logger(__name__)

_CANCEL_SECONDS = 1.0  # a handler may clean up after itself, not go on


class EmbeddedSource:
    """`EVENT_SOURCE=embedded`, and what the HTTP push route publishes to.

    At most `max_messages` are handled at once, later ones wait their turn. Leaving the consume context takes nothing
    new and waits up to `drain_seconds` for what was taken; what is not done by then is cancelled.
    """

    def __init__(self, *, max_messages: int = 64, drain_seconds: float = 10.0) -> None:
        self._slots = asyncio.Semaphore(max_messages)
        self._drain_seconds = drain_seconds
        self._handler: EventHandler | None = None
        self._in_hand: set[asyncio.Task[Ack]] = set()

    @property
    def alive(self) -> bool:
        """Somebody consumes."""
        return self._handler is not None

    async def publish(self, message: Message) -> Ack:
        """Hand the message over and wait for the answer; ACK means that the wish is durable.

        Raises UpstreamUnavailable("events", …) when nobody consumes, or nobody does any longer. A caller that goes
        away does not stop the handler.
        """
        handler = self._handler
        if handler is None:
            raise UpstreamUnavailable("events", "nobody consumes upload events here", retry_after=1.0)
        task = asyncio.create_task(self._take(handler, message), name=f"event {message.message_id}")
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)
        await asyncio.wait([task])  # not `await task`: a cancelled caller must not cancel the work
        if task.cancelled():
            raise UpstreamUnavailable("events", "shutting down before the event was handled", retry_after=1.0)
        return task.result()

    def consume(self, handler: EventHandler) -> AbstractAsyncContextManager[None]:
        """See EventSource. One consumer at a time: a second one raises RuntimeError."""
        return self._consume(handler)

    @asynccontextmanager
    async def _consume(self, handler: EventHandler) -> AsyncGenerator[None]:
        if self._handler is not None:
            raise RuntimeError("this source has a consumer already")
        self._handler = handler
        try:
            yield
        finally:
            self._handler = None
            await self._drain()

    async def _take(self, handler: EventHandler, message: Message) -> Ack:
        async with self._slots:
            return await answer(handler, message)

    async def _drain(self) -> None:
        if not self._in_hand:
            return
        _, late = await asyncio.wait(self._in_hand, timeout=self._drain_seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("events cut off by shutdown", count=len(late), waited_seconds=self._drain_seconds)
            await asyncio.wait(late, timeout=_CANCEL_SECONDS)
