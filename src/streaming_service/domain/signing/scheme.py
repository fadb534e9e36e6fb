"""What every signing scheme can do."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Scheme(StrEnum):
    """Which signatures an edge understands. The names are those of CDN_SIGNING_SCHEME."""

    CLOUD_CDN = "cloud-cdn"
    CLOUD_CDN_COOKIE = "cloud-cdn-cookie"
    MEDIA_CDN = "media-cdn"
    OME = "ome"
    HMAC = "hmac"


class Verdict(StrEnum):
    """What a verifier found out about a URL."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    OTHER_PATH = "other_path"
    EXPIRED = "expired"


class Cookie(Struct, frozen=True):
    """A cookie that stands for a grant. It ends when the grant does."""

    name: str
    value: str
    domain: str
    path: str

    def __repr__(self) -> str:
        return f"Cookie(name={self.name!r}, domain={self.domain!r}, path={self.path!r})"


class SignedCookie(Struct, frozen=True, rename="camel"):
    """A cookie as it goes over the wire, for whoever has to set it. `expires` is a moment on the wire."""

    name: str
    value: str
    domain: str
    path: str
    expires: str


def on_the_wire(cookies: tuple[Cookie, ...], expires_at: str) -> tuple[SignedCookie, ...]:
    """The cookies of a grant that ends at `expires_at` (domain/clock.py)."""
    return tuple(SignedCookie(item.name, item.value, item.domain, item.path, expires_at) for item in cookies)


class Grant(Protocol):
    """Permission for every URL below a prefix, until a second."""

    @property
    def cookies(self) -> tuple[Cookie, ...]:
        """What has to be sent with each request; empty when the URL says it all."""
        ...

    def url(self, name: str) -> str:
        """The address of what is called `name` below the prefix; it may have a query of its own."""
        ...


class PrefixGrant(Struct, frozen=True):
    """A grant that is the same for everything below the prefix.

    base      what addresses begin with; holds the grant where that is a part of the path
    query     is appended to each address
    cookies   are sent with each request
    """

    base: str
    query: str = ""
    cookies: tuple[Cookie, ...] = ()

    def url(self, name: str) -> str:
        """See Grant."""
        if not self.query:
            return self.base + name
        return f"{self.base}{name}{'&' if '?' in name else '?'}{self.query}"


class Signer(Protocol):
    """Signs a URL prefix until `expires` (Unix seconds), so that one grant covers manifest and segments."""

    @property
    def binds_session(self) -> bool:
        """Does the signature cover the player's session? If not, one grant serves every viewer."""
        ...

    def sign(self, prefix: str, expires: int, session: str = "") -> Grant:
        """`prefix` is an absolute URL ending in `/`. A scheme that does not bind `session` ignores it."""
        ...

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        """The edge's side of it: may this absolute URL be served at `now` (Unix seconds)?

        `cookies` is the request's Cookie header. Any text gets a verdict; nothing is raised.
        """
        ...


@runtime_checkable
class UrlSigner(Signer, Protocol):
    """A scheme that can sign one whole URL as well as a prefix."""

    def sign_url(self, url: str, expires: int) -> str:
        """The URL with its signature, good for nothing beside it."""
        ...
