"""A server with more channels than it can encode: OME refuses none, all of them fall behind the clock together."""

from bisect import bisect_right
from collections.abc import Callable


class Pace:
    """`limit` channels run in real time; of twice as many each runs at half the speed.

    With fewer again what lags catches up. `on_air` counts the channels; times are seconds since the epoch.
    """

    def __init__(self, limit: int, on_air: Callable[[float], int]) -> None:
        if limit < 1:
            raise ValueError("realtime_channels must be at least 1")
        self._limit = limit
        self._on_air = on_air
        # Where the number of channels changed, what one that had been there for ever would have lost by then, and
        # how much it loses a second from there on.
        self._moments: list[float] = []
        self._lost: list[float] = []
        self._slopes: list[float] = []

    def lag(self, since: float, now: float) -> float:
        """Seconds by which a channel that began at `since` is behind."""
        self._observe(now)
        first = bisect_right(self._moments, since)
        lowest = min([self._lost_at(since), self._lost_at(now), *self._lost[first:]])
        return self._lost_at(now) - lowest

    def _observe(self, now: float) -> None:
        slope = 1 - self._limit / max(1, self._on_air(now))
        if not self._moments or (slope != self._slopes[-1] and now > self._moments[-1]):
            self._lost.append(self._lost_at(now))
            self._moments.append(now)
            self._slopes.append(slope)

    def _lost_at(self, moment: float) -> float:
        """Falling while there is room: only differences count."""
        place = bisect_right(self._moments, moment) - 1
        if place < 0:
            return 0.0
        return self._lost[place] + self._slopes[place] * (moment - self._moments[place])
