"""How many wrong guesses a client has made lately: a sliding window of two counters.

The window that slides is estimated from the last whole one and the present one, as if the former's were spread evenly
(https://blog.cloudflare.com/counting-things-a-lot-of-different-things/). Per client that is two numbers, and what is
over is forgotten all at once.
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address

_CAPACITY = 65_536
_PREFIX_BITS = 64


class Guesses:
    """Up to `limit` wrong guesses in any `window` seconds; 0 lets everybody guess.

    At most `capacity` clients are counted at a time. An attack from more of them is none that counting by client stops.
    """

    def __init__(self, limit: int, window: float = 60.0, capacity: int = _CAPACITY) -> None:
        self._limit = limit
        self._window = window
        self._capacity = capacity
        self._began = 0.0
        self._present: dict[str, int] = {}
        self._past: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Somebody has guessed wrong lately."""
        return bool(self._present or self._past)

    def strike(self, client: str, now: float) -> None:
        """A wrong guess at `now`, seconds by any clock that does not go back."""
        self._slide(now)
        known = self._present.get(client, 0)
        if self._limit and (known or len(self._present) < self._capacity):
            self._present[client] = known + 1

    def wait(self, client: str, now: float) -> float:
        """Seconds until the client may guess again; 0: it may."""
        self._slide(now)
        present, past = self._present.get(client, 0), self._past.get(client, 0)
        elapsed = now - self._began
        if not self._limit or present + past * (1 - elapsed / self._window) < self._limit:
            return 0.0
        if present >= self._limit:
            return self._window * (2 - self._limit / present) - elapsed
        return self._window * (1 - (self._limit - present) / past) - elapsed

    def _slide(self, now: float) -> None:
        if now - self._began < self._window:
            return
        whole = now - self._began < 2 * self._window
        self._past = self._present if whole else {}
        self._present = {}
        self._began = self._began + self._window if whole else now


def client_name(address: str) -> str:
    """Whom an address stands for: of IPv6 the network of 64 bits, which is one customer's."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address)
    except AddressValueError:
        return address
    mapped: IPv4Address | None = found.ipv4_mapped
    return str(mapped) if mapped else f"{IPv6Address(int(found) >> _PREFIX_BITS << _PREFIX_BITS)}/{_PREFIX_BITS}"
