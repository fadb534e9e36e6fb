"""One channel, now, for somebody who cannot wait."""

import asyncio
from collections.abc import Callable

import structlog

from streaming_service.application.ports import ChannelStore
from streaming_service.domain.channel import Channel

log = structlog.get_logger(__name__)


class LookUp:
    """Asks the store with little patience.

    `patience` and `pause` are seconds; after a look-up that failed the store is left alone for `pause`.
    """

    def __init__(
        self, store: ChannelStore, *, monotonic: Callable[[], float], patience: float = 0.1, pause: float = 2.0
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._patience = patience
        self._pause = pause
        self._asking: dict[str, asyncio.Task[Channel | None]] = {}
        self._not_before = 0.0

    async def channel(self, content_id: str) -> Channel | None:
        """None when there is none, and when the store does not say so in time. Raises nothing."""
        if self._monotonic() < self._not_before:
            return None
        task = self._asking.get(content_id)
        if task is None:
            task = self._asking[content_id] = asyncio.create_task(self._store.get(content_id))
            task.add_done_callback(lambda done: self._done(content_id, done))
        # A call that is given up goes on by itself: cancelling would break the database connection under it.
        await asyncio.wait({task}, timeout=self._patience)
        if not task.done() or task.cancelled() or task.exception():
            self._not_before = self._monotonic() + self._pause
            return None
        return task.result()

    def _done(self, content_id: str, task: asyncio.Task[Channel | None]) -> None:
        self._asking.pop(content_id, None)
        if not task.cancelled() and (error := task.exception()):
            log.warning("store does not answer about a stream", content_id=content_id, reason=str(error))
