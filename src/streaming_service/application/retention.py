"""How long what is over is kept."""

from datetime import timedelta

import structlog

from streaming_service.application.ports import Clock, OutboxStore

log = structlog.get_logger(__name__)

_AT_ONCE = 400


class Retention:
    """Deletes deliveries that are settled, `kept` after they were owed, some at a time so that nobody waits for it."""

    def __init__(self, *, store: OutboxStore, clock: Clock, kept: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._kept = kept

    async def run(self) -> int:
        """How many went. Raises StoreUnavailable."""
        owed_before, gone = self._clock.now() - self._kept, 0
        while some := await self._store.forget_deliveries(owed_before, _AT_ONCE):
            gone += some
        if gone:
            log.info("settled deliveries deleted", number=gone, owed_before=owed_before.isoformat())
        return gone
