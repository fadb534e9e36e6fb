"""Viewers, bitrates and bytes of what plays, as the origins count them: shown as gauges, told to analytics."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog
from msgspec.structs import replace

from streaming_service.application.ports import Clock, Fleet, Origin, Placed, Store
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.statistics import ChannelReading, OriginReading, envelopes, slot_of
from streaming_service.errors import NotFound, UpstreamError

log = structlog.get_logger(__name__)


class StatisticsGauges(Protocol):
    """Where the figures are shown."""

    def statistics(self, readings: Sequence[OriginReading]) -> None:
        """All there are: what is not among them is shown no more."""
        ...


class Statistics:
    """`run` is called every few seconds in the one process that is elected, `resign` in one that is not.

    Origins are asked `concurrency` at a time, each for one channel after the other: OME answers its API one by one.
    `timeout` covers all the questions to one origin. Analytics is told every `envelope_interval`. Both in seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        gauges: StatisticsGauges,
        endpoints: frozenset[Endpoint],
        clock: Clock,
        envelope_interval: float = 60.0,
        concurrency: int = 8,
        timeout: float = 10.0,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._gauges = gauges
        self._tells = Endpoint.BIGQUERY in endpoints
        self._clock = clock
        self._envelope_interval = envelope_interval
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout = timeout
        self._readings: dict[str, OriginReading] = {}
        self._told: int | None = None

    async def run(self) -> None:
        """Ask every origin once. Raises StoreUnavailable; then what is shown stays and grows older."""
        serving = {name: await self._serving(name) for name in self._fleet.names()}
        readings = await asyncio.gather(*(self._read(name, placed) for name, placed in serving.items()))
        self._readings = {reading.origin: reading for reading in readings if reading}
        self._gauges.statistics(tuple(self._readings.values()))
        if self._tells:
            await self._tell()

    def resign(self) -> None:
        """Another process shows the figures: two would be added up."""
        self._readings = {}
        self._gauges.statistics(())

    def watched(self) -> tuple[str, ...]:
        """Contents that had viewers on an origin at the last look of this process, the most watched ones first."""
        found = [channel for reading in self._readings.values() for channel in reading.channels if channel.viewers]
        return tuple(item.content_id for item in sorted(found, key=lambda item: item.viewers, reverse=True))

    async def _serving(self, origin: str) -> tuple[Placed, ...]:
        return tuple(placed for placed in await self._store.placements(origin) if placed.serving)

    async def _read(self, origin: str, serving: Sequence[Placed]) -> OriginReading | None:
        """None for one that has left the fleet meanwhile."""
        async with self._slots:
            before = self._readings.get(origin) or OriginReading(origin=origin, up=False, asked_since=self._clock.now())
            try:
                ome = self._fleet.origin(origin)
            except NotFound:
                return None
            try:
                async with asyncio.timeout(self._timeout):
                    channels = await _ask(ome, serving)
            except (UpstreamError, TimeoutError) as error:
                reason = str(error) or f"it took longer than {self._timeout:g} s"
                log.warning("Failed to collect OME stats", origin=origin, reason=reason)
                return replace(before, up=False, channels=_still(before.channels, serving))
            return replace(before, up=True, read_at=self._clock.now(), channels=channels)

    async def _tell(self) -> None:
        """Once in each interval; what fails is tried again by the next pass, under the same ids."""
        now, interval = self._clock.now(), self._envelope_interval
        slot = slot_of(now, interval)
        if slot == self._told:
            return
        owed = [item for reading in self._readings.values() for item in envelopes(reading, now, interval)]
        if owed:
            await self._store.owe(owed)
        self._told = slot


def _still(channels: Iterable[ChannelReading], serving: Iterable[Placed]) -> tuple[ChannelReading, ...]:
    """Those that viewers are still sent to."""
    streams = {placed.stream for placed in serving}
    return tuple(channel for channel in channels if channel.stream in streams)


async def _ask(origin: Origin, serving: Sequence[Placed]) -> tuple[ChannelReading, ...]:
    if not serving:
        await origin.booted_at()  # nothing else would tell that it is there
    readings: list[ChannelReading] = []
    for placed in serving:
        found = await origin.figures(placed.application, placed.stream)
        if found:
            content_id, stream = placed.content_id, placed.stream
            readings.append(ChannelReading(content_id, stream, found.viewers, found.bitrate_kbps, found.bytes_out))
    return tuple(readings)
