"""What the gauges show, taken from the store and the fleet now and then; a scrape only reads what is there."""

from collections.abc import Mapping
from typing import Protocol

from streaming_service.application.ports import Clock, Store
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Status


class Gauges(Protocol):
    """Where the figures go."""

    def channels(self, counts: dict[str, int]) -> None: ...

    def outbox(self, pending: dict[str, int], oldest_seconds: float) -> None: ...

    def dead_letters(self, count: int) -> None: ...


class Monitoring:
    """Reads the backlog. Every status and configured endpoint is always present, at 0 when there is nothing."""

    def __init__(self, *, store: Store, gauges: Gauges, endpoints: frozenset[Endpoint], clock: Clock) -> None:
        self._store = store
        self._gauges = gauges
        self._endpoints = endpoints
        self._clock = clock

    async def refresh(self) -> None:
        """Raises StoreUnavailable."""
        counts: Mapping[str, int] = await self._store.count_by_status()
        self._gauges.channels({status.value: counts.get(status, 0) for status in Status})
        backlog = await self._store.backlog()
        age = (self._clock.now() - backlog.oldest).total_seconds() if backlog.oldest else 0.0
        self._gauges.outbox({item.value: backlog.pending.get(item, 0) for item in self._endpoints}, max(0.0, age))
        self._gauges.dead_letters(await self._store.count_dead_letters())
