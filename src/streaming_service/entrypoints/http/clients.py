"""Who asks: the client behind a connection and the proxies that are trusted, and how much it has guessed."""

import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.domain.guessing import Guesses, client_name
from streaming_service.entrypoints.http.asgi import Headers
from streaming_service.entrypoints.http.problems import Failure, retry_after
from streaming_service.setting_values import parse_networks
from streaming_service.settings import Settings

_FORWARDED = b"x-forwarded-for"

_log: FilteringBoundLogger = structlog.get_logger(__name__)


def too_many_guesses(wait: float) -> Failure:
    """What a client gets that has guessed too much; `wait` in seconds."""
    detail = "Too many wrong tokens or unknown contents came from this address: ask again later."
    return Failure(429, "too_many_guesses", detail, headers=retry_after(wait + 0.5))


class Clients:
    """Counts wrong guesses by client. `running` gives seconds by a clock that nobody sets.

    `proxies` are the networks whose X-Forwarded-For is believed. When they are None and a request was forwarded all the
    same, nobody knows who asks: a limit would then be one for everybody, so there is none, and the log says so.
    """

    def __init__(
        self,
        guesses: Guesses,
        proxies: Sequence[IPv4Network | IPv6Network] | None,
        running: Callable[[], float],
    ) -> None:
        self._guesses = guesses
        self._proxies = proxies
        self._running = running
        self._told = False

    def __bool__(self) -> bool:
        """Somebody has guessed wrong lately; while nobody has, nothing else need be asked."""
        return bool(self._guesses)

    def wait(self, peer: str, forwarded: str | None) -> float:
        """Seconds for which the client is refused; 0: it is not. `peer` is the connection's address, `forwarded` what
        the request's X-Forwarded-For says."""
        client = self._client(peer, forwarded)
        return self._guesses.wait(client, self._running()) if client else 0.0

    def strike(self, peer: str, forwarded: str | None) -> None:
        """It was wrong."""
        if client := self._client(peer, forwarded):
            self._guesses.strike(client, self._running())

    def _client(self, peer: str, forwarded: str | None) -> str | None:
        """None when nobody can say."""
        if forwarded and self._proxies is None:
            if not self._told:
                self._told = True
                _log.warning("guesses are not limited: name the proxies in TRUSTED_PROXIES", peer=peer)
            return None
        address = peer
        if forwarded and self._is_trusted(peer):
            # Each proxy adds whom it was asked by: from the end, the first that is none of ours. What stands before it
            # may be anybody's invention.
            said = [_without_port(part.strip()) for part in reversed(forwarded.split(","))]
            address = next((item for item in said if not self._is_trusted(item)), said[-1])
        return client_name(address) or None

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._proxies or ())


def clients_of(settings: Settings) -> Clients:
    """As they are configured."""
    proxies = settings.trusted_proxies
    networks = parse_networks(proxies) if proxies else None
    return Clients(Guesses(settings.guesses_per_minute), networks, time.monotonic)


def nobody_guesses() -> Clients:
    """For a process without limits."""
    return Clients(Guesses(0), None, lambda: 0.0)


def asker_of(scope: Any) -> tuple[str, str | None]:
    """Peer and X-Forwarded-For of an ASGI request, as `Clients` wants them."""
    headers: Headers = scope["headers"]
    forwarded = [value.decode("latin-1") for name, value in headers if name == _FORWARDED]
    return (scope["client"] or ("", 0))[0], ",".join(forwarded) or None


def _without_port(address: str) -> str:
    """Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`."""
    if address[:1] == "[":
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
