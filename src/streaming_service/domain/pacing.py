"""How much a receiver is given at a time: all it can take while it answers, else one delivery now and then.

A receiver that is down for a day would otherwise use up the attempts of everything that is owed to it, and one that
comes back would wait for hours until what is owed is due again.
"""

from datetime import datetime, timedelta

# In a row: fewer can be a deployment, or a few deliveries that it cannot digest.
ILL_AFTER = 8
SHORTEST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(seconds=60)
# Of a receiver's own wish, on the word of a single answer.
LONGEST_WISH = timedelta(minutes=5)

# Too many, and what gateways say for somebody who is not there. 500 is about the one delivery.
_ILL = frozenset({429, 502, 503, 504})


class Pacing:
    """One receiver's. `concurrency` is how many deliveries it is given side by side while it is well."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._failures = 0
        self._rest = SHORTEST_REST
        self._resting_until: datetime | None = None
        self._asked_until: datetime | None = None

    @property
    def is_ill(self) -> bool:
        """It has not answered for so long that it is only tried now and then."""
        return self._failures >= ILL_AFTER

    def room(self, in_hand: int, now: datetime) -> int:
        """How many more may begin beside those in hand."""
        if now < self.open_at(now):
            return 0
        return max(0, (1 if self.is_ill else self._concurrency) - in_hand)

    def open_at(self, now: datetime) -> datetime:
        """From when on there may be room."""
        return max(now, self._asked_until or now, self._resting_until or now)

    def heard(self, status: int | None, retry_after: float | None, now: datetime) -> None:
        """What it answered: an HTTP status, None for no answer, and how many seconds it asked for."""
        if retry_after and status in _ILL:
            wish = min(timedelta(seconds=retry_after), LONGEST_WISH)
            self._asked_until = max(now + wish, self._asked_until or now)
        if status is not None and status not in _ILL:
            self._failures, self._rest, self._resting_until = 0, SHORTEST_REST, None
            return
        # Those that were on their way when it fell ill say nothing new.
        if self._resting_until and now < self._resting_until:
            return
        self._failures += 1
        if self.is_ill:
            self._resting_until = now + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
