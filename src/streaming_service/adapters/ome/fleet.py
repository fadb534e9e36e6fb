"""The origins there are: what a process knows of them, and a way to each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from streaming_service.adapters.ome.origin import OmeOrigin
from streaming_service.application.fleet_watch import FleetWatch, OriginView
from streaming_service.application.ports import Candidate
from streaming_service.domain.content import Classification
from streaming_service.domain.fleet.topology import OriginSpec
from streaming_service.errors import NotFound, UpstreamUnavailable

_UNTIL_KNOWN = 0.5  # seconds


class OmeConnections:
    """The Origin of each spec, made when it is first seen or has changed."""

    def __init__(self, connect: Callable[[OriginSpec], OmeOrigin]) -> None:
        self._connect = connect
        self._origins: dict[str, OmeOrigin] = {}

    def __call__(self, spec: OriginSpec) -> OmeOrigin:
        origin = self._origins[spec.name] = self._connect(spec)
        return origin

    def origin(self, name: str) -> OmeOrigin | None:
        return self._origins.get(name)


class OmeFleet:
    """Implements the application's Fleet on what a FleetWatch knows.

    `pools` and `egress` name the ingest and the egress pool of each classification; `playback_url` is where an egress
    pool answers of which the topology does not say it. `interval` is the pause between two looks, in seconds.
    """

    def __init__(
        self,
        watch: FleetWatch,
        connections: OmeConnections,
        *,
        pools: Mapping[Classification, str],
        egress: Mapping[Classification, str],
        playback_url: str,
        interval: float,
    ) -> None:
        self.watch = watch
        self._connections = connections
        self._pools = dict(pools)
        self._egress = dict(egress)
        self._playback_url = playback_url
        self._interval = interval
        self._refreshing = asyncio.Lock()

    async def refresh(self) -> None:
        """Look at every origin once; who asks while that is done gets the same answer."""
        if self._refreshing.locked():
            async with self._refreshing:
                return
        async with self._refreshing:
            await self.watch.refresh()

    async def keep_fresh(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Until cancelled."""
        while True:
            await self.refresh()
            await sleep(self._interval)

    def candidates(self, classification: Classification, application: str, key: str) -> tuple[Candidate, ...]:
        return self.watch.candidates(self._pools[classification], application, key)

    def given_up(self) -> frozenset[str]:
        return self.watch.given_up()

    def leaving(self) -> frozenset[str]:
        return self.watch.drained()

    def origin(self, name: str) -> OmeOrigin:
        known = self.watch.topology.origins
        if not known:
            # A process that has just begun, or cannot read its pools, must not take what is there for gone.
            raise UpstreamUnavailable("ome", "no origin is known yet", retry_after=_UNTIL_KNOWN)
        found = self._connections.origin(name) if name in known else None
        if found is None:
            raise NotFound(f"origin {name} is not part of the fleet")
        return found

    def names(self) -> tuple[str, ...]:
        return tuple(self.watch.topology.origins)

    def playback_base(self, classification: Classification) -> str:
        """Where the egress pool answers playback."""
        pool = self.watch.topology.pools.get(self._egress[classification])
        return (pool.playback_url if pool else None) or self._playback_url

    def views(self) -> tuple[OriginView, ...]:
        """How each of them fares, for people."""
        return self.watch.snapshot()
