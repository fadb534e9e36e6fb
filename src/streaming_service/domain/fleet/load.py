"""Does an origin keep up with the clock?

OME never refuses a channel: with too many its playlists advance slower than the clock. What is observed is the advance
ratio, media time gained per wall time of a playlist: 1.0 keeps up.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class LoadPolicy(Struct, frozen=True, kw_only=True):
    """Seconds, and advance ratios. The gap between the ratios and between the durations is what prevents flapping.

    Samples more than `stale_seconds` apart say nothing about the time between them. An overload that nobody has seen
    for so long is over: an origin that lost its channels has nothing left to measure.
    """

    lagging_below: float = 0.9
    lagging_seconds: float = 10.0
    keeping_up_above: float = 0.97
    keeping_up_seconds: float = 30.0
    stale_seconds: float = 120.0


LOAD_POLICY = LoadPolicy()


class Pace(StrEnum):
    """What one sample shows."""

    LAGGING = "lagging"
    BETWEEN = "between"
    KEEPING_UP = "keeping_up"


class Load(Struct, frozen=True):
    """The verdict, the pace of the latest samples in a row, since when it is that, and the latest sample's time."""

    overloaded: bool = False
    pace: Pace = Pace.BETWEEN
    since: datetime | None = None
    seen_at: datetime | None = None

    def observed(self, ratio: float, now: datetime, policy: LoadPolicy = LOAD_POLICY) -> "Load":
        """One look at the origin: the median advance ratio over its sampled channels."""
        pace = _pace(ratio, policy)
        in_a_row = pace is self.pace and self._fresh(now, policy)
        since = self.since if in_a_row and self.since else now
        lasted = (now - since).total_seconds()
        overloaded = self.overloaded_at(now, policy)
        if pace is Pace.LAGGING and lasted >= policy.lagging_seconds:
            overloaded = True
        elif pace is Pace.KEEPING_UP and lasted >= policy.keeping_up_seconds:
            overloaded = False
        return Load(overloaded, pace, since, now)

    def overloaded_at(self, now: datetime, policy: LoadPolicy = LOAD_POLICY) -> bool:
        """The verdict, as long as it is not stale."""
        return self.overloaded and self._fresh(now, policy)

    def _fresh(self, now: datetime, policy: LoadPolicy) -> bool:
        return self.seen_at is not None and (now - self.seen_at).total_seconds() <= policy.stale_seconds


def _pace(ratio: float, policy: LoadPolicy) -> Pace:
    if ratio < policy.lagging_below:
        return Pace.LAGGING
    return Pace.KEEPING_UP if ratio > policy.keeping_up_above else Pace.BETWEEN
