"""Looking at what viewers get, and who draws conclusions from it."""

from collections.abc import Sequence
from typing import Protocol

from streaming_service.domain.probe import Observation
from streaming_service.domain.probe_journey import Finding, Journey
from streaming_service.domain.probe_region import Region


class Prober(Protocol):
    async def probe(self, region: Region, journey: Journey) -> Finding | None:
        """What somebody in that region finds. None: nobody there answers, so nothing is known.

        Raises nothing for what the other side does.
        """
        ...


class Failovers(Protocol):
    """Decides from which target viewers are served."""

    async def heard(self, observations: Sequence[Observation], *, asked_for: bool = False) -> None:
        """The probes of one content, all taken at about the same time; `asked_for`: not because it was its turn.

        Raises StoreError.
        """
        ...

    def state(self, content_id: str) -> tuple[str, str]:
        """Where viewers of this content are sent (`primary`, `promoted`, `returning`), and why."""
        ...


class ProbeMeter(Protocol):
    """Counts probes."""

    def probed(self, region: str, target: str, verdict: str) -> None: ...
