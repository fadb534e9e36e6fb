"""Whose turn it is to be probed: what is live or watched first, and everybody else in turn."""

from collections import deque
from collections.abc import Iterable, Sequence

# Of so many turns one is the catalogue's, however many contents are live or watched.
_TURNS = 4


class Rota:
    """Gives one content after the other; `now` is a clock in seconds.

    No content has its turn again within `again_after` seconds, unless it was called for.
    """

    def __init__(self, *, again_after: float) -> None:
        self._again_after = again_after
        self._called: dict[str, float] = {}
        self._favoured: tuple[str, ...] = ()
        self._stock: deque[str] = deque()
        self._last: dict[str, float] = {}
        self._favoured_at: dict[str, float] = {}
        self._turn = 0

    @property
    def wants_stock(self) -> bool:
        """The catalogue's next page is to be given to `stock`."""
        return not self._stock

    def favour(self, content_ids: Sequence[str]) -> None:
        """These go first from now on, the most important ones foremost."""
        self._favoured = tuple(dict.fromkeys(content_ids))
        self._favoured_at = {item: self._favoured_at[item] for item in self._favoured if item in self._favoured_at}

    def stock(self, content_ids: Iterable[str]) -> None:
        """More of the catalogue, in its order."""
        self._stock.extend(content_ids)

    def call(self, content_id: str, at: float) -> None:
        """Before all others, not before `at`."""
        self._called[content_id] = min(at, self._called.get(content_id, at))

    def next(self, now: float) -> str | None:
        """Who is probed now; None: nobody has to be yet."""
        self._last = {item: at for item, at in self._last.items() if now - at < self._again_after}
        chosen = self._due(now)
        if chosen is None:
            self._turn += 1
            ways = (self._in_turn, self._first) if self._turn % _TURNS == 0 else (self._first, self._in_turn)
            chosen = next((found for way in ways if (found := way())), None)
        if chosen is not None:
            self._last[chosen] = now
            if chosen in self._favoured:
                self._favoured_at[chosen] = now
        return chosen

    def _due(self, now: float) -> str | None:
        at, content_id = min(((at, item) for item, at in self._called.items()), default=(0.0, None))
        if content_id is None or at > now:
            return None
        del self._called[content_id]
        return content_id

    def _first(self) -> str | None:
        """The favoured one that has gone without for longest, so that everybody has a turn before anybody has two."""
        waiting = [item for item in self._favoured if item not in self._last]
        return min(waiting, key=lambda item: self._favoured_at.get(item, float("-inf")), default=None)

    def _in_turn(self) -> str | None:
        while self._stock:
            content_id = self._stock.popleft()
            if content_id not in self._last:
                return content_id
        return None
