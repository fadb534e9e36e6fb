"""Each region is warmed in its own way: through an edge there, or by an agent there."""

from streaming_service.adapters.probing.line import AgentLine
from streaming_service.adapters.warming.warmer import HttpWarmer
from streaming_service.adapters.warming.wire import PATH, WarmAnswer
from streaming_service.application.ports import Listed
from streaming_service.domain.probe_region import Region
from streaming_service.domain.warming import Errand, Warmed

# For the way to the agent.
_PATIENCE = 5.0


class RegionalWarmer:
    """The Warmer of the service: `own` runs errands from here, agents are asked over `line`."""

    def __init__(self, own: HttpWarmer, line: AgentLine) -> None:
        self._own = own
        self._line = line

    async def warm(self, region: Region, errand: Errand) -> Warmed | None:
        """None: the region's agent is silent, or too old to know of warm-ups."""
        if region.agent is None:
            return await self._own.fetch(errand, region.edge(errand.target))
        url, patience = f"{region.agent}{PATH}", errand.seconds + _PATIENCE
        answer = await self._line.ask(region.name, url, errand, WarmAnswer, patience)
        return answer.warmed if answer else None

    async def list(self, errand: Errand) -> Listed:
        """From here."""
        return await self._own.list(errand)
