"""Handlers for sources to call: hand-made, and watched."""

import asyncio
from collections.abc import Callable

from streaming_service.application.ports import Ack, Message


class Recorder:
    """Keeps every message; answers with what `verdict` says of it."""

    def __init__(self, verdict: Callable[[Message], Ack] = lambda _: Ack.ACK) -> None:
        self.seen: list[Message] = []
        self._verdict = verdict

    async def __call__(self, message: Message) -> Ack:
        self.seen.append(message)
        return self._verdict(message)


class Gate:
    """Holds every message until it is opened, and knows how many it held at once."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.entered = 0
        self.inside = 0
        self.most_inside = 0
        self.finished = 0
        self.cancelled = 0

    async def __call__(self, message: Message) -> Ack:
        del message
        self.entered += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1
        self.finished += 1
        return Ack.ACK


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition that something else brings about; TimeoutError when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
