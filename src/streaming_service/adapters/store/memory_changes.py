"""What is written in the store of this process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class MemoryChanges:
    """One listener."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def add(self, content_id: str) -> None:
        self._changed.add(content_id)
        self._news.set()

    async def wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def told(self) -> frozenset[str]:
        changed, self._changed = frozenset(self._changed), set()
        self._news.clear()
        return changed


class Listeners:
    """Everybody who listens to a store."""

    def __init__(self) -> None:
        self._feeds: set[MemoryChanges] = set()

    def tell(self, content_id: str) -> None:
        for feed in self._feeds:
            feed.add(content_id)

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[MemoryChanges]:
        """See `ChangeSource`."""
        feed = MemoryChanges()
        self._feeds.add(feed)
        try:
            yield feed
        finally:
            self._feeds.discard(feed)
