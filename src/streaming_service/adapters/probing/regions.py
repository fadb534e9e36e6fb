"""Each region is looked at in its own way: from here, through an edge there, or by an agent there."""

from collections.abc import Callable

from streaming_service.adapters.http import Transport
from streaming_service.adapters.probing.line import AgentLine
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.probing.wire import PATH, Answer
from streaming_service.adapters.sealing import Sealer
from streaming_service.application.ports import Clock
from streaming_service.domain.probe_journey import Finding, Journey
from streaming_service.domain.probe_region import Region
from streaming_service.domain.probe_rules import longest_journey

# For the way to the agent, and for its other journeys.
PATIENCE = 5.0


class RegionalProber:
    """The Prober of the service: `own` follows journeys from here, agents are asked over `transport`."""

    def __init__(
        self,
        own: HttpProber,
        transport: Transport,
        *,
        sealer: Sealer,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._own = own
        self._line = AgentLine(transport, sealer=sealer, clock=clock, monotonic=monotonic)

    async def probe(self, region: Region, journey: Journey) -> Finding | None:
        """None: the region's agent is silent."""
        if region.agent is None:
            return await self._own.follow(journey, region.edge(journey.target))
        timeout = longest_journey(journey.timeout, patient=journey.patient) + PATIENCE
        answer = await self._line.ask(region.name, f"{region.agent}{PATH}", journey, Answer, timeout)
        return answer.finding if answer else None
