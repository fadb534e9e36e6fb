"""Moves that repair makes on channels: decided on the newest value, and given up to whoever writes at the same time."""

from collections.abc import Callable
from datetime import datetime

import structlog

from streaming_service.application.ports import ChannelStore, Clock
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change
from streaming_service.errors import Conflict

log = structlog.get_logger(__name__)

# The channel's newest value and the time → what is to be written; None: nothing, after all.
Decide = Callable[[Channel, datetime], Change | None]


class Mender:
    """Every method raises StoreUnavailable, nothing else."""

    def __init__(self, store: ChannelStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def mend(self, content_id: str, decide: Decide) -> bool:
        """True when something was written. What is left undone is decided again in the next pass."""
        channel = await self._store.get(content_id)
        return channel is not None and await self.change(channel, decide)

    async def change(self, channel: Channel, decide: Decide) -> bool:
        """The same for a channel that was just read."""
        now = self._clock.now()
        made = decide(channel, now)
        if made is None:
            return False
        try:
            await self._store.commit(made, made.channel.due_at(now))
        except Conflict:
            return False
        log.warning(
            "channel repaired", content_id=channel.content_id, action=made.history.action, reason=made.history.reason
        )
        return True
