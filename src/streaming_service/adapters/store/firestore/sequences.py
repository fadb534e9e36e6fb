"""Numbers that sort debts in the order in which they were made."""

from collections.abc import Callable


class Sequences:
    """Microseconds, and always above what was given before.

    A channel keeps its last number, so whoever writes to it next goes on above it, whatever the clocks say. Two
    processes may give the same number to debts of different channels.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds since 1970."""
        self._clock = clock
        self._last = 0

    def take(self, count: int, after: int = 0) -> range:
        """So many numbers in a row, all above `after`."""
        first = max(self._clock(), self._last + 1, after + 1)
        self._last = first + count - 1
        return range(first, first + count)
