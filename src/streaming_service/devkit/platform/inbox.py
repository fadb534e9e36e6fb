"""What the stand-ins were sent, kept to be looked at."""

import asyncio
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

_KEPT = 200
_HEADERS = (
    "content-type",
    "idempotency-key",
    "traceparent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-correlation-id",
)


class Signed(StrEnum):
    """What became of a request's Standard Webhooks signature."""

    VALID = "valid"
    INVALID = "invalid"
    MISSING = "missing"
    UNCHECKED = "unchecked"


class Received(Struct, frozen=True, rename="camel"):
    """One request as it came in, and the status that it was answered with (None: the connection was dropped).

    `at` is Unix seconds; of the headers only harmless ones are kept; `body` is the JSON, or text where it is none.
    """

    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    signature: Signed
    status: int | None


class Inbox:
    """The last 200 requests of each path."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Received]] = {}
        self._counts: dict[str, int] = {}
        self._news = asyncio.Event()

    def everything(self) -> tuple[Received, ...]:
        """What is kept of all paths."""
        return tuple(item for kept in self._kept.values() for item in kept)

    def add(self, received: Received) -> None:
        """Keep it, and wake whoever waits."""
        self._kept.setdefault(received.path, deque(maxlen=_KEPT)).append(received)
        self._counts[received.path] = self.count(received.path) + 1
        self._news.set()

    def of(self, path: str) -> tuple[Received, ...]:
        """What is kept of a path, oldest first."""
        return tuple(self._kept.get(path, ()))

    def count(self, path: str) -> int:
        """How many there were, kept or not."""
        return self._counts.get(path, 0)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._counts.clear()

    async def wait(self, path: str, count: int, timeout: float) -> tuple[Received, ...]:
        """Wait until the path has been sent `count` requests. Raises TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while self.count(path) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(path)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The part of a request's headers that may be shown; never its credentials."""
    return {name: headers[name] for name in _HEADERS if name in headers}
