"""One content, prepared for its viewers: everything in a manifest answer that is the same for all of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from streaming_service.domain.clock import to_wire
from streaming_service.domain.ladder import QUALITIES
from streaming_service.domain.playable import Playable
from streaming_service.domain.signing.scheme import Grant, SignedCookie, Signer, on_the_wire

_NO_ENTITLEMENTS = b'"entitlements":[]'
_encode = msgspec.json.Encoder().encode

# What each request needs beside the URL. Where the URL says it all there are none, and nothing is said of them.
Cookies = Annotated[
    tuple[SignedCookie, ...],
    Meta(description="To be sent with each request for manifest and media; only with the scheme cloud-cdn-cookie."),
]


class ManifestDrm(Struct, rename="camel"):
    """Where a player gets its key."""

    key_id: str
    license_server: str


class ManifestWindow(Struct, rename="camel", omit_defaults=True):
    """When the content may be watched; an open end is left out."""

    starts_at: str | None = None
    ends_at: str | None = None


class ManifestPolicy(Struct, rename="camel"):
    """How long the answer may be kept, how long its URL is good for, and whether it leads to the failover."""

    cache_control: str
    ttl_seconds: int
    failover: bool


class ManifestAnswer(Struct, rename="camel", omit_defaults=True):
    """The body of the manifest route, as it goes over the wire."""

    manifest_url: str
    expires_at: str
    cdn: str
    entitlements: tuple[str, ...]
    policy: ManifestPolicy
    drm: ManifestDrm | None = None
    availability: ManifestWindow | None = None
    cookies: Cookies = ()


class Route:
    """One way to a content: where its playlists lie, and what viewers are granted in this second. Unix seconds."""

    __slots__ = (
        "cookies",
        "expires",
        "expires_at",
        "grant",
        "host",
        "playlists",
        "policy",
        "prefix",
        "signed_at",
    )

    def __init__(self, base: str, path: str, playlists: Mapping[str, str], policy: ManifestPolicy) -> None:
        self.policy = policy
        self.signed_at = 0
        self.expires: int = 0
        self.expires_at = ""
        self.grant: Grant | None = None
        self.cookies: tuple[SignedCookie, ...] = ()
        self.host = base.partition("://")[2].partition("/")[0]
        self.prefix = f"{base}{path}"
        self.playlists = playlists

    def sign(self, signer: Signer, expires: int) -> None:
        """One signature per content, origin and second, which all viewers share. `expires` in Unix seconds."""
        if expires != self.expires:
            self.grant = signer.sign(self.prefix, expires)
            self.expires = expires
            self.expires_at = to_wire(datetime.fromtimestamp(expires, UTC))
            self.cookies = on_the_wire(self.grant.cookies, self.expires_at)

    def url(self, quality: str, own: Grant | None = None) -> str:
        """The signed address of the quality's playlist; by a grant of somebody's own where there is one."""
        grant = own or self.grant
        if grant is None:
            raise RuntimeError("nothing has been granted yet")
        return grant.url(self.playlists[quality])


class Title:
    """A content as its viewers see it. Without routes when nothing is served.

    `bases` are what is configured for all, primary and failover, and so are `policies`. `ends` is when its window is
    over, in Unix seconds.
    """

    __slots__ = ("content_id", "drm", "ends", "facts", "failover", "primary", "window")

    def __init__(
        self, content_id: str, facts: Playable, bases: tuple[str, str | None], policies: tuple[ManifestPolicy, ...]
    ) -> None:
        self.content_id = content_id
        self.facts = facts
        self.primary: Route | None = None
        self.failover: Route | None = None
        self.drm: ManifestDrm | None = None
        self.window: ManifestWindow | None = None
        self.ends: float | None = None
        if window := facts.availability:
            self.ends = window.ends_at.timestamp() if window.ends_at else None
            self.window = ManifestWindow(
                to_wire(window.starts_at) if window.starts_at else None,
                to_wire(window.ends_at) if window.ends_at else None,
            )
        if (path := facts.path_of(content_id)) is None:
            return
        base, failover_base = bases
        playlists = _by_quality(facts.playlists)
        self.primary = Route(facts.base_url or base, path, playlists, policies[0])
        if failover_base:
            self.failover = Route(failover_base, path, playlists, policies[1])
        if facts.drm:
            self.drm = ManifestDrm(facts.drm.key_id, facts.drm.license_server)

    def answer(
        self, route: Route, quality: str, entitlements: tuple[str, ...], own: Grant | None = None
    ) -> ManifestAnswer:
        """What a viewer who goes this way is told; signed before."""
        return ManifestAnswer(
            route.url(quality, own),
            route.expires_at,
            route.host,
            entitlements,
            route.policy,
            self.drm,
            self.window,
            route.cookies,
        )

    def written(self, route: Route, quality: str) -> tuple[bytes, bytes]:
        """The same as JSON, before and behind the entitlements: nothing else is the viewer's own."""
        before, between, behind = _encode(self.answer(route, quality, ())).partition(_NO_ENTITLEMENTS)
        return before + between[:-2], behind


@lru_cache(maxsize=256)
def _by_quality(playlists: tuple[str, ...]) -> Mapping[str, str]:
    """Contents of one ladder share it."""
    return dict(zip(QUALITIES, playlists, strict=True))
