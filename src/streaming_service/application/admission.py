"""May somebody publish? What the gate is asked, and what it answers."""

from typing import Any, Protocol

from msgspec import Struct

from streaming_service.domain.ome_webhook import Admission


class Verdict(Struct, frozen=True):
    """An admission. `new_url` sends the publisher elsewhere, `lifetime_ms` cuts it off after that time."""

    allowed: bool
    reason: str | None = None
    new_url: str | None = None
    lifetime_ms: int | None = None

    def answer(self) -> dict[str, Any]:
        """As OME wants it."""
        said = {"allowed": self.allowed, "reason": self.reason, "new_url": self.new_url, "lifetime": self.lifetime_ms}
        return {name: value for name, value in said.items() if value is not None}


class IngestGate(Protocol):
    """Who may publish. OME waits for the answer, and takes none for a no."""

    async def admit(self, asked: Admission) -> Verdict:
        """Raises nothing."""
        ...

    def closed(self, asked: Admission) -> None:
        """A publisher went away. Comes late, twice, or never."""
        ...

    async def settled(self, within: float) -> None:
        """Wait up to `within` seconds for what is still being written down."""
        ...


class ClosedGate:
    """Nobody may publish."""

    async def admit(self, asked: Admission) -> Verdict:
        del asked
        return Verdict(allowed=False, reason="nothing may be published here")

    def closed(self, asked: Admission) -> None:
        """Nobody was ever let in."""

    async def settled(self, within: float) -> None:
        """Nothing is ever written down."""
