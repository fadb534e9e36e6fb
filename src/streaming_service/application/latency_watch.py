"""How long this process's manifest requests take, told once a minute."""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from streaming_service.application.ports import Clock, OutboxStore
from streaming_service.domain.latency import Counts, envelopes, is_slow
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

TELL_EVERY_SECONDS = 60.0


class Counting(Protocol):
    """What counts the requests."""

    def counts(self) -> Counts: ...


class LatencyWatch:
    """`process` names this one among its like. `wake_delivery` is called when something is owed."""

    def __init__(
        self,
        *,
        store: OutboxStore,
        counting: Counting,
        process: str,
        endpoints: Collection[Endpoint],
        audit_topic: str | None,
        clock: Clock,
        wake_delivery: Callable[[], None],
    ) -> None:
        self._store = store
        self._counting = counting
        self._process = process
        self._endpoints = endpoints
        self._audit_topic = audit_topic
        self._clock = clock
        self._wake_delivery = wake_delivery
        self._told = counting.counts()
        self._told_at = clock.now()
        self._was_slow = False
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Tell every minute, until cancelled."""
        while True:
            await self._clock.sleep(TELL_EVERY_SECONDS)
            # Cut off between the debt and its mark, the same minute would be told again as part of a longer one.
            await asyncio.shield(asyncio.create_task(self.tell()))

    async def tell(self) -> None:
        """Owe what came since the last time. What the store does not take now is part of the next interval."""
        async with self._lock:
            await self._tell()

    async def _tell(self) -> None:
        counts, now = self._counting.counts(), self._clock.now()
        counted = counts.since(self._told)
        owed = envelopes(
            counted,
            self._process,
            self._told_at,
            now,
            self._endpoints,
            was_slow=self._was_slow,
            audit_topic=self._audit_topic,
        )
        try:
            if owed:
                await self._store.owe(owed)
        except StoreError as error:
            log.warning("store does not answer", job="manifest latency", reason=str(error))
            return
        if owed:
            self._wake_delivery()
        if counted.requests:
            self._note_speed(slow=is_slow(counted), p99_ms=counted.quantile(0.99))
        self._told, self._told_at = counts, now

    def _note_speed(self, *, slow: bool, p99_ms: float) -> None:
        if slow is not self._was_slow:
            log.warning("manifest requests are slow" if slow else "manifest requests are fast again", p99_ms=p99_ms)
        self._was_slow = slow
