"""One content, prepared for its viewers: everything in a manifest answer that is the same for all of them."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.ladder import QUALITIES
from streaming_service.domain.signing.scheme import Signer

_NO_ENTITLEMENTS = b'"entitlements":[]'
_encode = msgspec.json.Encoder().encode


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


class Title:
    """A content at the time `loaded_at`; None is one that does not exist. `base_url` and `playlist` are what is
    configured for all. Times are Unix seconds."""

    __slots__ = (
        "channel",
        "drm",
        "expires",
        "expires_at",
        "host",
        "loaded_at",
        "playlists",
        "policy",
        "prefix",
        "query",
        "signed_at",
        "window",
    )

    def __init__(
        self, channel: Channel | None, base_url: str, playlist: str, policy: ManifestPolicy, loaded_at: float
    ) -> None:
        self.channel = channel
        self.policy = policy
        self.loaded_at = loaded_at
        self.signed_at = 0
        self.expires: int = 0
        self.expires_at = ""
        self.query = ""
        self.prefix = self.host = ""
        self.playlists: dict[str, str] = {}
        self.drm: ManifestDrm | None = None
        self.window: ManifestWindow | None = None
        if channel is None or channel.serving is None:
            return
        base = channel.spec.base_url or base_url
        self.host = base.partition("://")[2].partition("/")[0]
        self.prefix = f"{base}{channel.serving.path}"
        ladder = channel.serving.ladder
        self.playlists = {quality: f"{self.prefix}{ladder.playlist(quality, playlist)}.m3u8?" for quality in QUALITIES}
        if channel.spec.drm:
            self.drm = ManifestDrm(channel.spec.drm.key_id, channel.spec.drm.license_server)
        if window := channel.spec.availability:
            self.window = ManifestWindow(
                to_wire(window.starts_at) if window.starts_at else None,
                to_wire(window.ends_at) if window.ends_at else None,
            )

    def sign(self, signer: Signer, expires: int) -> None:
        """One signature per content and second: viewers of the same second share it. `expires` in Unix seconds."""
        if expires != self.expires:
            self.query = signer.sign(self.prefix, expires).query
            self.expires_at = to_wire(datetime.fromtimestamp(expires, UTC))
            self.expires = expires

    def answer(self, quality: str, entitlements: tuple[str, ...]) -> ManifestAnswer:
        """What a viewer is told; signed before."""
        return ManifestAnswer(
            self.playlists[quality] + self.query,
            self.expires_at,
            self.host,
            entitlements,
            self.policy,
            self.drm,
            self.window,
        )

    def written(self, quality: str) -> tuple[bytes, bytes]:
        """The same as JSON, before and behind the entitlements: nothing else is the viewer's own."""
        before, between, behind = _encode(self.answer(quality, ())).partition(_NO_ENTITLEMENTS)
        return before + between[:-2], behind
