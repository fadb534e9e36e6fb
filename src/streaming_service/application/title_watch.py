"""Keeps what a process knows of the contents right: follows what others write, as long as the store tells it.

While it cannot, nothing is wrong, only dearer: contents are read again every second (application/titles.py).
"""

import asyncio
from collections.abc import Callable

import structlog

from streaming_service.application.ports import ChangeFeed, ChangeSource
from streaming_service.application.titles import Titles
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

# What counts ends a second after it was heard last, so three may be late.
_PAUSE_S = 0.25
_PATIENCE_S = 5.0
_AGAIN_S = 1.0


class TitleWatch:
    """`running` is the clock of `titles`."""

    def __init__(self, source: ChangeSource, titles: Titles, running: Callable[[], float]) -> None:
        self._source = source
        self._titles = titles
        self._running = running
        self._deaf = False

    async def follow(self) -> None:
        """For ever, until cancelled."""
        while True:
            try:
                async with self._source.changes() as feed:
                    await self._hear(feed)
            except (StoreError, TimeoutError) as error:
                self._tell(str(error) or "does not answer")
            await asyncio.sleep(_AGAIN_S)

    async def _hear(self, feed: ChangeFeed) -> None:
        since = self._running()
        while True:
            asked_at = self._running()
            async with asyncio.timeout(_PATIENCE_S):
                changed = await feed.told()
            self._titles.hear(changed, since, asked_at)
            self._tell(None)
            async with asyncio.timeout(_PATIENCE_S):
                await feed.wait(_PAUSE_S)

    def _tell(self, problem: str | None) -> None:
        if problem and not self._deaf:
            log.warning("changes are not told, contents are read every second", reason=problem)
        elif not problem and self._deaf:
            log.info("changes are told again")
        self._deaf = problem is not None
