"""Contents as playback keeps them: everything that does not depend on the viewer, prepared once."""

from datetime import UTC, datetime

from msgspec import Struct

from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.ladder import QUALITIES
from streaming_service.domain.placement import Placement
from streaming_service.domain.signing.scheme import Grant, SignedCookie, on_the_wire


class ManifestDrm(Struct, rename="camel"):
    """Where a player gets its key."""

    key_id: str
    license_server: str


class ManifestWindow(Struct, rename="camel", omit_defaults=True):
    """When the content may be watched; an open end is left out."""

    starts_at: str | None = None
    ends_at: str | None = None


class Route:
    """One way to a content: where its playlists lie, and what viewers are granted in this second."""

    __slots__ = ("cookies", "expires", "expires_at", "grant", "host", "playlists", "prefix", "urls")

    def __init__(self, base: str, serving: Placement, playlist: str) -> None:
        self.expires = 0
        self.expires_at = ""
        self.grant: Grant | None = None
        self.cookies: tuple[SignedCookie, ...] = ()
        self.urls: dict[str, str] = {}
        self.host = base.partition("://")[2].partition("/")[0]
        self.prefix = f"{base}{serving.path}"
        self.playlists = {quality: f"{serving.ladder.playlist(quality, playlist)}.m3u8" for quality in QUALITIES}

    def granted(self, grant: Grant, expires: int) -> None:
        """From now on this is what viewers get."""
        self.grant = grant
        self.urls = {}
        self.expires = expires
        self.expires_at = to_wire(datetime.fromtimestamp(expires, UTC))
        self.cookies = on_the_wire(grant.cookies, self.expires_at)

    def url(self, quality: str) -> str:
        """The signed address of the quality's playlist, made for the first who asks for it."""
        url = self.urls.get(quality)
        if url is None:
            if self.grant is None:
                raise RuntimeError("nothing has been granted yet")
            url = self.urls[quality] = self.grant.url(self.playlists[quality])
        return url


class Title:
    """One content, prepared for signing; without routes when nothing is served."""

    __slots__ = ("channel", "drm", "failover", "loaded_at", "primary", "window")

    def __init__(
        self, channel: Channel | None, base_url: str, failover_base_url: str | None, playlist: str, loaded_at: float
    ) -> None:
        self.channel = channel
        self.loaded_at = loaded_at
        self.primary: Route | None = None
        self.failover: Route | None = None
        self.drm: ManifestDrm | None = None
        self.window: ManifestWindow | None = None
        if channel is None or channel.serving is None:
            return
        self.primary = Route(channel.spec.base_url or base_url, channel.serving, playlist)
        if failover_base_url:
            self.failover = Route(failover_base_url, channel.serving, playlist)
        if channel.spec.drm:
            self.drm = ManifestDrm(channel.spec.drm.key_id, channel.spec.drm.license_server)
        if window := channel.spec.availability:
            self.window = ManifestWindow(
                to_wire(window.starts_at) if window.starts_at else None,
                to_wire(window.ends_at) if window.ends_at else None,
            )
