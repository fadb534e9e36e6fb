"""A world with probes."""

from typing import Any

from streaming_service.application.probing import Probed, ProbePlan, Probing
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import parse_regions
from tests.fakes import CountingMeter, FakeFailovers, FakeProber
from tests.unit.application.theatre import CountingSigner
from tests.unit.application.world import CAUSE, World, content_id


class Lookout:
    """Contents that play, and who looks at them from `regions`."""

    def __init__(self, regions: str = "iad,sfo,ams=agent:http://agent.test", *, failover: bool = True) -> None:
        self.world = World()
        self.clock = self.world.clock
        self.prober = FakeProber()
        self.failovers = FakeFailovers()
        self.signer = CountingSigner()
        self.meter = CountingMeter()
        bases = {Target.PRIMARY: "https://cdn.example"}
        if failover:
            bases[Target.FAILOVER] = "https://failover.example"
        self.probing = Probing(
            store=self.world.store,
            prober=self.prober,
            failovers=self.failovers,
            signer=self.signer,
            plan=ProbePlan(
                regions=parse_regions(regions),
                bases=bases,
                playlist="master",
                ttl=300,
                timeout=3.0,
                endpoints=self.world.notifier.endpoints,
            ),
            meter=self.meter,
            clock=self.clock,
            time=self.clock.time,
        )

    async def playing(self, number: int = 1, **changes: Any) -> Channel:
        return await self.world.playing(number, **changes)

    async def probe(self, number: int = 1) -> Probed:
        """In turn, by the process that leads."""
        self.probing.lead(True)
        probed = await self.probing.probe_in_turn(content_id(number), CAUSE)
        assert probed
        return probed

    def told(self, topic: str) -> list[Notification]:
        return [item for item in self.world.owed(topic) if item.endpoint is Endpoint.BIGQUERY]

    def failures(self) -> list[list[str]]:
        """The failing regions of each that was told."""
        return [[found["region"] for found in item.facts["failing"]] for item in self.told("stream.probe.failure")]
