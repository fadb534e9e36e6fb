"""Who tries tokens or content ids until one fits is slowed down; who is right is never in the way of this.

A client has so many wrong guesses a window. The count is the sliding window counter's: this window's guesses and, as if
they had been spread evenly, the part of the last window's that the sliding one still covers
(https://blog.cloudflare.com/counting-things-a-lot-of-different-things/).
"""

from collections import OrderedDict
from math import ceil, floor


class GuessLimiter:
    """`limit` wrong guesses in `seconds`, by client. At most `capacity` clients are remembered, the latest ones."""

    def __init__(self, limit: int, seconds: float = 60.0, capacity: int = 100_000) -> None:
        self._limit = limit
        self._seconds = seconds
        self._capacity = capacity
        # Window, guesses in it, guesses in the one before.
        self._guesses: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def guessed_wrong(self, client: str, now: float) -> None:
        """`now` in seconds, of any clock that does not go back."""
        window = floor(now / self._seconds)
        this, last = self._counts(client, window)
        self._guesses[client] = (window, this + 1, last)
        self._guesses.move_to_end(client)
        if len(self._guesses) > self._capacity:
            self._guesses.popitem(last=False)

    def wait(self, client: str, now: float) -> int:
        """Whole seconds until this client may guess again; 0: it may."""
        window = floor(now / self._seconds)
        this, last = self._counts(client, window)
        gone = now / self._seconds - window
        if this + last * (1 - gone) <= self._limit - 1:
            return 0
        # Until the part that still counts has become small enough: of this window in the next one, or of the last one.
        part = 1 + (1 - (self._limit - 1) / this) if this >= self._limit else 1 - (self._limit - 1 - this) / last
        return max(1, ceil((part - gone) * self._seconds))

    def _counts(self, client: str, window: int) -> tuple[int, int]:
        """Guesses of this window and of the one before."""
        known, this, last = self._guesses.get(client, (window, 0, 0))
        if known == window:
            return this, last
        return 0, this if known == window - 1 else 0
