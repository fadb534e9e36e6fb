"""Do the origins keep up? OME refuses no channel: with too many, all their playlists fall behind the clock."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from statistics import median

import structlog

from streaming_service.application.ports import Clock, Fleet, Origin, Placed, Store
from streaming_service.domain.fleet.placement import rendezvous
from streaming_service.domain.fleet.progress import Progress
from streaming_service.errors import NotFound, UpstreamError

log = structlog.get_logger(__name__)

# Origin, media seconds gained per second, when.
Observe = Callable[[str, float, datetime], None]


class ProgressWatch:
    """`run` is called every few seconds, in each process that has to know which origins can take more channels.

    On each origin `channels` of those that play are looked at, others every `rotation` seconds; `observe` is told the
    median. Origins are looked at `concurrency` at a time, and `timeout` seconds covers one of them.
    """

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        observe: Observe,
        clock: Clock,
        channels: int = 3,
        rotation: float = 300.0,
        concurrency: int = 8,
        timeout: float = 10.0,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._observe = observe
        self._clock = clock
        self._channels = channels
        self._rotation = rotation
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout = timeout
        self._progress: dict[str, dict[str, Progress]] = {}

    async def run(self) -> None:
        """Look once. Raises StoreUnavailable."""
        turn = int(self._clock.now().timestamp() // self._rotation)
        chosen = {name: self._choose(turn, await self._store.placements(name)) for name in self._fleet.names()}
        self._progress = {name: progress for name, progress in self._progress.items() if name in chosen}
        await asyncio.gather(*(self._look(name, placed) for name, placed in chosen.items()))

    def _choose(self, turn: int, placements: Iterable[Placed]) -> tuple[Placed, ...]:
        """Always the same ones in one turn, as long as they play."""
        serving = {placed.stream: placed for placed in placements if placed.serving}
        return tuple(serving[stream] for stream in rendezvous(str(turn), serving)[: self._channels])

    async def _look(self, name: str, chosen: Iterable[Placed]) -> None:
        before = self._progress.get(name, {})
        try:
            async with self._slots, asyncio.timeout(self._timeout):
                origin = self._fleet.origin(name)
                seen = [await self._see(origin, placed, before) for placed in chosen]
        except (NotFound, UpstreamError, TimeoutError) as error:
            # Whether it is down is for its probes to say.
            log.debug("progress not seen", origin=name, reason=str(error))
            return
        self._progress[name] = {stream: progress for stream, progress in seen if progress}
        ratios = [ratio for _, progress in seen if progress and (ratio := progress.ratio()) is not None]
        if ratios:
            self._observe(name, median(ratios), self._clock.now())

    async def _see(self, origin: Origin, placed: Placed, before: dict[str, Progress]) -> tuple[str, Progress | None]:
        position = await origin.position(placed.application, placed.stream)
        if position is None:
            return placed.stream, None
        return placed.stream, before.get(placed.stream, Progress()).seen(position, self._clock.now())
