"""Two OMEs behind real HTTP, watched as the service watches them: one dies, comes back, or is emptied."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from streaming_service.adapters.ome import OmeConnections, OmeFleet
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.findings import Findings
from streaming_service.application.fleet_watch import FleetWatch, OriginView
from streaming_service.application.topology_watch import TopologyWatch
from streaming_service.devkit.ome import StandInOme
from streaming_service.domain.content import Classification
from streaming_service.domain.fleet.health import HealthState
from streaming_service.domain.fleet.topology import OriginSpec, Pool, Topology
from streaming_service.domain.placement import Placement
from streaming_service.domain.state import Status
from tests.integration.ome.conftest import Ome, stand_in, until
from tests.unit.application.world import CAUSE, World

pytestmark = pytest.mark.anyio
CONTENTS = (1, 2, 3, 4)
CAPACITY = 10


class Pair:
    """A world over two stand-ins, `first` and `second`."""

    def __init__(self, servers: dict[str, StandInOme], transport: AiohttpTransport) -> None:
        self.servers = servers
        self.world = World()
        self.omes = {name: self._reach(name, server, transport) for name, server in servers.items()}
        connections = OmeConnections(lambda spec: self.omes[spec.name].origin)
        watch = FleetWatch(
            topology=TopologyWatch(self),
            connect=connections,
            drains=self.world.store,
            clock=self.world.clock,
            applications={"pool": ["reels", "series"]},
            default_capacity=CAPACITY,
        )
        pools = dict.fromkeys(Classification, "pool")
        self.fleet = OmeFleet(watch, connections, pools=pools, egress={}, playback_url="", interval=5.0)
        self.world.provisioning._fleet = self.world.provisioning._clearing._fleet = self.fleet
        self.world.reconciliation._fleet = self.world.seating._fleet = self.fleet

    def _reach(self, name: str, server: StandInOme, transport: AiohttpTransport) -> Ome:
        return Ome(
            transport,
            server.api_url,
            server.playback_url,
            "key:secret",
            name=name,
            patience=0.2,
            breaker_time=self.world.clock.time,
        )

    async def read(self) -> Topology:
        specs = [OriginSpec(name=name, api_url=server.api_url) for name, server in self.servers.items()]
        return Topology({"pool": Pool("pool", tuple(specs))})

    async def look(self, times: int = 1) -> None:
        """As the service does, every five seconds."""
        for _ in range(times):
            await self.fleet.refresh()
            self.world.clock.advance(5)

    def view(self, name: str) -> OriginView:
        return next(view for view in self.fleet.views() if view.name == name)

    async def streams(self, name: str) -> frozenset[str]:
        return await self.omes[name].origin.streams("reels")

    async def served(self) -> list[Placement]:
        """What viewers of each content are sent to; every one has something."""
        found = [await self.world.channel(number) for number in CONTENTS]
        assert all(channel.status is Status.READY for channel in found)
        return [channel.serving for channel in found if channel.serving]

    async def all_play(self) -> bool:
        served = await self.served()
        return len(served) == len(CONTENTS) and all([await self.omes[item.origin].plays(item) for item in served])


@pytest.fixture
async def pair(transport: AiohttpTransport, tmp_path: Path) -> AsyncIterator[Pair]:
    """Four contents play, some on either."""
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(stand_in(tmp_path / name)) for name in ("first", "second")}
        pair = Pair(servers, transport)
        await pair.look()
        for number in CONTENTS:
            await pair.world.playing(number)
        assert {item.origin for item in await pair.served()} == {"first", "second"}
        await pair.world.reconcile()
        yield pair


async def test_one_that_dies_is_replaced_and_not_overrun_when_it_returns(pair: Pair) -> None:
    left_behind = await pair.streams("first")
    await pair.servers["first"].stop()
    await pair.look(4)
    assert pair.fleet.given_up() == {"first"}

    assert await pair.world.reconcile() == Findings(evacuated=len(left_behind))
    await pair.world.settle(within=60)
    assert {item.origin for item in await pair.served()} == {"second"}
    assert await pair.all_play()

    await pair.servers["first"].start()
    while pair.view("first").state is not HealthState.RECOVERING:
        await pair.look()
    assert pair.view("first").allowed < CAPACITY

    async def back() -> bool:
        return await pair.streams("first") == left_behind

    await until(back)
    assert await pair.world.reconcile() == Findings()
    await pair.world.settle()
    assert await pair.streams("first") == frozenset()
    assert await pair.all_play()


async def test_one_that_is_drained_empties_and_viewers_notice_nothing(pair: Pair) -> None:
    held = await pair.streams("first")
    await pair.world.store.set_drained("first", drained=True, by=CAUSE.actor, now=pair.world.clock.now())
    await pair.look()

    assert await pair.world.reconcile() == Findings(moved=len(held))
    while await pair.world.work():
        assert await pair.all_play()
    assert {item.origin for item in await pair.served()} == {"second"}
    # Whoever still has a URL of what was replaced keeps watching until that has expired.
    assert await pair.streams("first") == held
    await pair.world.settle()
    assert await pair.streams("first") == frozenset()
    assert await pair.all_play()
    assert await pair.world.reconcile() == Findings()
