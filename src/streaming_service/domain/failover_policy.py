"""How sure one has to be before viewers are sent elsewhere, and for how long they stay."""

from msgspec import Struct


class FailoverPolicy(Struct, frozen=True, kw_only=True):
    """Durations are seconds.

    silence            a region of which nothing was heard for longer is unknown
    failures           so many in a row make a region's failure certain
    quick              pause between the quick probes that confirm a failure
    watch              pause between probes of what is not on the primary, or could not be helped
    clear              so long an origin has to be well before viewers go back to it
    ramp               over so long they go back
    dwell              shortest stay on the failover
    hold_down          times the number of promotions: no new one for so long after viewers went back,
    longest_hold_down  and never for longer than this
    forgotten          after so long on the primary promotions no longer count
    fewest_contents    so many must be known, and as many fail for certain, before anything is said of the whole CDN
    together           so long a content waits for the others, when most of them seem to fail
    """

    silence: float = 90.0
    failures: int = 3
    quick: float = 2.0
    watch: float = 15.0
    clear: float = 300.0
    ramp: float = 120.0
    dwell: float = 60.0
    hold_down: float = 30.0
    longest_hold_down: float = 300.0
    forgotten: float = 3600.0
    fewest_contents: int = 5
    together: float = 10.0

    def hold_down_of(self, promotions: int) -> float:
        """How long after that many promotions there is no new one."""
        return min(self.hold_down * max(promotions, 1), self.longest_hold_down)


FAILOVER_POLICY = FailoverPolicy()
