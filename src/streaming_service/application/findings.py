"""What a pass of the reconciler found and did."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple


class Findings(Struct, frozen=True, kw_only=True):
    """Counts of one pass. Of what is not reconciled nothing is judged: no answer is not an empty one.

    lost           channels whose stream its origin no longer holds
    orphans        streams under our names that nobody wants there, removed
    evacuated      channels taken from origins that are down or left the fleet
    moved          channels that leave an origin that is being emptied
    restarted      channels that are replaced because their OME was restarted under them
    revised        channels that get the ladder of a changed preset
    unreachable    origins that did not answer
    misconfigured  applications that an origin refuses to list: an operator has to mend that
    """

    lost: int = 0
    orphans: int = 0
    evacuated: int = 0
    moved: int = 0
    restarted: int = 0
    revised: int = 0
    unreachable: int = 0
    misconfigured: int = 0

    @property
    def wants_places(self) -> bool:
        """Some channels wait for a place now."""
        return any((self.lost, self.evacuated, self.moved, self.restarted, self.revised))


def total(findings: Iterable[Findings]) -> Findings:
    """All of them together."""
    sums = map(sum, zip(*map(astuple, findings), strict=True))
    return Findings(**dict(zip(Findings.__struct_fields__, sums, strict=False)))
