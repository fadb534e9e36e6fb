"""What a process says about origins before and after it has read which there are."""

import pytest

from streaming_service.adapters.ome import OmeClient, OmeConnections, OmeFleet, OmeOrigin
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.application.fleet_watch import FleetWatch
from streaming_service.application.topology_watch import TopologyWatch
from streaming_service.domain.content import Classification
from streaming_service.domain.fleet.topology import OriginSpec, Pool, Topology
from streaming_service.errors import InvalidInput, NotFound, UpstreamUnavailable
from tests.unit.adapters.servers import ManualClock
from tests.unit.application.world import World

pytestmark = pytest.mark.anyio


class Pools:
    """A TopologySource that cannot be read at first."""

    def __init__(self) -> None:
        self.topology: Topology | None = None

    async def read(self) -> Topology:
        if self.topology is None:
            raise InvalidInput("OME_POOLS_FILE", "cannot be read")
        return self.topology


class Silent:
    """A Caller that nobody answers."""

    async def call(self, request: object, *, retry: bool = False) -> object:
        raise UpstreamUnavailable("ome", "cannot be reached")


def connect(spec: OriginSpec) -> OmeOrigin:
    caller, clock = Silent(), ManualClock()
    client = OmeClient(caller, spec.api_url, access_token="key:secret")  # pyright: ignore[reportArgumentType]
    watcher = OmeWatcher(client, caller, "", playlist="master", timeout=1.0)  # pyright: ignore[reportArgumentType]
    return OmeOrigin(spec.name, client, watcher, None, vhost="default", sleep=clock.sleep)


async def test_what_is_not_known_yet_is_not_gone() -> None:
    pools, connections, world = Pools(), OmeConnections(connect), World()
    watch = FleetWatch(
        topology=TopologyWatch(pools),
        connect=connections,
        drains=world.store,
        clock=world.clock,
        applications={},
        default_capacity=5,
    )
    names = dict.fromkeys(Classification, "pool")
    fleet = OmeFleet(watch, connections, pools=names, egress=names, playback_url="", interval=1.0)

    with pytest.raises(UpstreamUnavailable, match="no origin is known yet"):
        fleet.origin("ome-1")
    await fleet.refresh()  # in vain
    with pytest.raises(UpstreamUnavailable):
        fleet.origin("ome-1")

    spec = OriginSpec(name="ome-1", api_url="http://ome-1:8081")
    pools.topology = Topology({"pool": Pool("pool", (spec,))})
    await fleet.refresh()

    assert fleet.origin("ome-1").name == "ome-1"
    with pytest.raises(NotFound):
        fleet.origin("ome-2")
