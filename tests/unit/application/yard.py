"""Servers that are probed, and the watch over them."""

import asyncio
from collections.abc import Mapping

from structlog.testing import capture_logs

from streaming_service.application.fleet_watch import FleetWatch, OriginView
from streaming_service.application.topology_watch import TopologyWatch
from streaming_service.domain.fleet.topology import OriginSpec, Pool, Topology, topology_of
from streaming_service.errors import (
    StreamingServiceError,
)
from tests.fakes import FakeClock

BOTH = frozenset({"reels", "series"})


class FakeServer:
    """An OME that answers `has`, or raises it. While `gate` is set, answers wait for it."""

    def __init__(self) -> None:
        self.has: frozenset[str] | Exception = BOTH
        self.gate: asyncio.Event | None = None
        self.probes = 0

    async def applications(self) -> frozenset[str]:
        self.probes += 1
        if self.gate:
            await self.gate.wait()
        if isinstance(self.has, Exception):
            raise self.has
        return self.has


class Yard:
    """Servers by API URL, a topology of them, a drain book, and the watch over it all."""

    def __init__(self, pools: Mapping[str, tuple[str, ...]], *, concurrency: int = 8, timeout: float = 10.0) -> None:
        self.clock = FakeClock()
        self.servers: dict[str, FakeServer] = {}
        self.topology = Topology()
        self.drains: frozenset[str] | StreamingServiceError = frozenset()
        self.connected: list[str] = []
        self.arrange(pools)
        self.watch = FleetWatch(
            topology=TopologyWatch(self),
            connect=self._connect,
            drains=self,
            clock=self.clock,
            applications={"reels-in": ["reels"], "series-in": ["series"]},
            default_capacity=5,
            concurrency=concurrency,
            timeout=timeout,
        )

    def arrange(self, pools: Mapping[str, tuple[str, ...]], *, port: int = 8081, capacity: int | None = None) -> None:
        def spec(name: str) -> OriginSpec:
            return OriginSpec(name=name, api_url=f"http://{name}:{port}", capacity=capacity)

        self.topology = topology_of([Pool(pool, tuple(map(spec, names))) for pool, names in pools.items()], "POOLS")

    async def read(self) -> Topology:
        return self.topology

    async def drained(self) -> frozenset[str]:
        if isinstance(self.drains, StreamingServiceError):
            raise self.drains
        return self.drains

    def _connect(self, spec: OriginSpec) -> FakeServer:
        self.connected.append(spec.api_url)
        return self.servers.setdefault(spec.name, FakeServer())

    async def refresh(self, times: int = 1) -> list[str]:
        """Every five seconds. Gives what was logged as an error."""
        with capture_logs() as lines:
            for _ in range(times):
                await self.watch.refresh()
                self.clock.advance(5)
        return [line["event"] for line in lines if line["log_level"] == "error"]

    def names(self, pool: str = "reels-in", application: str = "reels", key: str = "content-1") -> list[str]:
        return [candidate.origin for candidate in self.watch.candidates(pool, application, key)]

    def view(self, name: str) -> OriginView:
        return next(view for view in self.watch.snapshot() if view.name == name)

    def states(self) -> dict[str, str]:
        return {view.name: view.state.value for view in self.watch.snapshot()}
