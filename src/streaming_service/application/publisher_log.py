"""Who came to push, and who went: a line in the channel's history for each change, written after OME has its answer."""

import asyncio
from collections.abc import Callable

import structlog

from streaming_service.application.ports import ChannelStore, Clock
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.ingest import connected, disconnected
from streaming_service.domain.notification import Cause
from streaming_service.domain.publisher import Publisher
from streaming_service.errors import Conflict, StoreError

log = structlog.get_logger(__name__)

# While the store hangs, encoders that try again and again must not fill the memory.
_MOST_PENDING = 1000

_Move = Callable[[Channel], Channel]


class PublisherLog:
    """Best effort: what cannot be written is logged and forgotten. One after the other, so that nobody goes before
    they came. `cause` is asked while OME's request is at hand; `changed` is told the content id of a written channel.
    """

    def __init__(
        self, store: ChannelStore, *, clock: Clock, cause: Callable[[], Cause], changed: Callable[[str], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._cause = cause
        self._changed = changed
        self._pending: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def connected(self, content_id: str, publisher: Publisher) -> None:
        """Somebody was let in. Returns at once."""
        reason = f"publisher connected from {publisher.address}:{publisher.port} over {publisher.protocol}"
        self._note(
            content_id,
            "publisher-connected",
            reason if publisher.until is None else f"{reason} with the previous key",
            lambda channel: connected(channel, publisher, self._clock.now()),
        )

    def disconnected(self, content_id: str, address: str, port: int) -> None:
        """Somebody went, or was not let in in the first place. Returns at once."""
        self._note(
            content_id,
            "publisher-disconnected",
            f"publisher left: {address}:{port}",
            lambda channel: disconnected(channel, address, port, self._clock.now()),
        )

    async def settled(self, within: float) -> None:
        """Wait up to `within` seconds until everything that was said is written."""
        if self._pending:
            await asyncio.wait(set(self._pending), timeout=within)

    def _note(self, content_id: str, action: str, reason: str, move: _Move) -> None:
        if len(self._pending) >= _MOST_PENDING:
            log.warning("publisher not written down: the store is too slow", content_id=content_id, action=action)
            return
        task = asyncio.create_task(self._write(content_id, action, reason, move, self._cause()))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _write(self, content_id: str, action: str, reason: str, move: _Move, cause: Cause) -> None:
        async with self._turn:
            try:
                while not await self._written(content_id, action, reason, move, cause):
                    continue
            except StoreError as error:
                log.warning("publisher not written down", content_id=content_id, action=action, reason=str(error))

    async def _written(self, content_id: str, action: str, reason: str, move: _Move, cause: Cause) -> bool:
        channel = await self._store.get(content_id)
        moved = move(channel) if channel else None
        if moved is None or moved is channel:
            return True
        try:
            await self._store.commit(change(moved, action, cause, reason=reason), moved.due_at(self._clock.now()))
        except Conflict:
            return False
        self._changed(content_id)
        return True
