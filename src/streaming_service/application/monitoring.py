"""What the gauges show, taken from the store and the fleet now and then; a scrape only reads what is there."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from streaming_service.application.ports import Clock, Store
from streaming_service.domain.content import Classification
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Status

_JUST_TRIED = timedelta(minutes=1)


class Gauges(Protocol):
    """Where the figures go."""

    def channels(self, counts: dict[str, int]) -> None: ...

    def outbox(self, pending: dict[str, int], oldest_seconds: float) -> None: ...

    def dead_letters(self, count: int) -> None: ...

    def waiting(self, counts: Mapping[str, int]) -> None: ...

    def origins(self, channels: Mapping[str, int], capacity: Mapping[str, int]) -> None:
        """By origin; those that are not named any more are not shown any more."""
        ...


class Monitoring:
    """Reads the backlog. Every status, classification and configured endpoint is always present, at 0 when there is
    nothing. `capacities` tells how many channels each origin of the fleet holds, from memory.
    """

    def __init__(
        self,
        *,
        store: Store,
        gauges: Gauges,
        endpoints: frozenset[Endpoint],
        capacities: Callable[[], Mapping[str, int]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._gauges = gauges
        self._endpoints = endpoints
        self._capacities = capacities
        self._clock = clock

    async def refresh(self) -> None:
        """Raises StoreUnavailable."""
        counts: Mapping[str, int] = await self._store.count_by_status()
        self._gauges.channels({status.value: counts.get(status, 0) for status in Status})
        backlog = await self._store.backlog()
        age = (self._clock.now() - backlog.oldest).total_seconds() if backlog.oldest else 0.0
        self._gauges.outbox({item.value: backlog.pending.get(item, 0) for item in self._endpoints}, max(0.0, age))
        self._gauges.dead_letters(await self._store.count_dead_letters())
        # The store leaves out those that were tried a moment ago, or are being tried now: they wait all the same.
        waiting = await self._store.waiting(self._clock.now() + _JUST_TRIED)
        self._gauges.waiting({item.value: waiting.get(item, 0) for item in Classification})
        seats, capacities = await self._store.seats(), self._capacities()
        # One that has left the fleet is shown for as long as it has channels.
        names = sorted(seats.keys() | capacities.keys())
        self._gauges.origins({name: len(seats.get(name, ())) for name in names}, capacities)
