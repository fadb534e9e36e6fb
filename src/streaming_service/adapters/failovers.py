"""Nobody decides about failovers: viewers are sent to the primary, whatever probes find."""

from collections.abc import Sequence

from streaming_service.domain.probe import Observation, Target


class NullFailovers:
    """Failovers that listens, and does nothing."""

    async def heard(self, observations: Sequence[Observation]) -> None:
        """Nothing follows from them."""

    def state(self, content_id: str) -> tuple[str, str]:
        """Always the primary."""
        del content_id
        return Target.PRIMARY.value, "failover is not automatic"
