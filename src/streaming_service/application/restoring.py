"""What follows a restore of the store from a backup, before anything else runs on it.

Since the backup was made, names were given that the store no longer knows: streams that OME plays, copies in the
bucket, files that a CDN keeps for a year. Every channel, also one that will only be heard of later, goes on with
numbers that nobody can have reached; what it says it serves is looked at again; and debts get ids of their own, because
receivers drop what they know already.
"""

from collections.abc import Callable
from datetime import timedelta

from streaming_service.application.ports import ChannelQuery, Clock, Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause
from streaming_service.domain.restoration import first_incarnation, restored
from streaming_service.errors import Conflict

_PAGE = 200


class Restoring:
    """`drain_after`: how long URLs are good for that were given out before the restore."""

    def __init__(self, store: Store, clock: Clock, drain_after: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._drain_after = drain_after

    async def run(self, cause: Cause, progress: Callable[[int, int], None]) -> int:
        """How many channels there are. Doing it again, or after an interruption, is safe. Raises StoreUnavailable."""
        await self._store.raise_first_incarnation(first_incarnation(self._clock.now()))
        total = sum((await self._store.count_by_status()).values())
        done, cursor = 0, None
        while True:
            page = await self._store.list(ChannelQuery(limit=_PAGE, cursor=cursor))
            for channel in page.items:
                await self._restore(channel, cause)
            done, cursor = done + len(page.items), page.next
            progress(done, max(done, total))
            if cursor is None:
                return done

    async def _restore(self, channel: Channel, cause: Cause) -> None:
        while True:
            now = self._clock.now()
            moved = restored(channel, now, self._drain_after)
            try:
                await self._store.commit(change(moved, "restored", cause), moved.due_at(now))
            except Conflict:
                channel = await self._store.get(channel.content_id) or channel
                continue
            return
