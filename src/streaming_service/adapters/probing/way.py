"""The way to everything below a signed address: at its own host, or through a region's edge."""

import re
from urllib.parse import urlsplit

from msgspec import Struct

from streaming_service.adapters.http import Request

_PATH_GRANT = re.compile(r"/edge-cache-token=[^/]*")


class Way(Struct, frozen=True):
    """Leads to what lies under `base` (scheme and host), and nowhere else.

    grant    what the query of each address has to hold; empty where addresses need nothing
    cookie   the Cookie header of each request; empty for none
    edge     go there instead, and name the base's host in the handshake and in the request; None: to `base` itself
    """

    base: str
    grant: str = ""
    cookie: str = ""
    edge: str | None = None

    def address(self, url: str) -> str | None:
        """The URL with the grant; None when it leads to another host: an answer must not choose our next one."""
        if base_of(url) != self.base:
            return None
        address = url.partition("#")[0]
        if self.grant and self.grant not in address:  # some edges hand it on by themselves, others leave it to players
            address = f"{address}{'&' if '?' in address else '?'}{self.grant}"
        return address

    def request(self, url: str, timeout: float, limit: int) -> Request | None:
        """What is sent for it, an answer of at most `limit` bytes within `timeout` seconds; None as above."""
        address = self.address(url)
        if address is None:
            return None
        headers = {"cookie": self.cookie} if self.cookie else {}
        if self.edge is None:
            return Request("GET", address, headers, timeout=timeout, max_body=limit)
        # As the region's viewers would: the CDN's name, in the handshake and in the request, and its certificate.
        parts, place = urlsplit(url), self.edge + address.removeprefix(self.base)
        name = parts.hostname if place.startswith("https:") else None
        return Request("GET", place, {**headers, "host": parts.netloc}, timeout=timeout, max_body=limit, tls_name=name)


def base_of(url: str) -> str:
    """Scheme and host; empty when it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are no IPv6 address
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def without_grant(url: str) -> str:
    """The address that stays the same: grants, in the query or as a part of the path, change each second."""
    return _PATH_GRANT.sub("", url.partition("?")[0])
