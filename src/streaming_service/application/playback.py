"""A viewer asks for a manifest: who is it, may it, and where does it go. The hot path of the service.

Everything that does not depend on the viewer is prepared once per content (application/titles.py).
"""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import structlog
from msgspec import Struct

from streaming_service.application.introspection import Introspector
from streaming_service.application.ports import ChannelStore
from streaming_service.application.title import Cookies, ManifestAnswer, ManifestPolicy, Route, Title
from streaming_service.application.titles import Titles
from streaming_service.domain.access import Refusal, Viewer, check_content, check_viewer
from streaming_service.domain.playable import Playable
from streaming_service.domain.signing.scheme import Signer
from streaming_service.errors import StoreError, UpstreamRejected, UpstreamUnavailable

log = structlog.get_logger(__name__)

_MILLISECOND = 0.001
# About a kilobyte each, for the second in which they are asked for.
_PAGES_KEPT = 4096
_encode = msgspec.json.Encoder().encode

NOT_READY_RETRY_AFTER = 2
UNAVAILABLE_RETRY_AFTER = 2


class Refused(Struct, frozen=True):
    """No manifest. `retry_after` in seconds where waiting helps."""

    refusal: Refusal
    retry_after: int | None = None


class SignedPlayback(Struct, rename="camel", omit_defaults=True):
    """The body of the internal route: where to play, without a viewer."""

    playback_url: str
    expires_at: str
    cdn: str
    cookies: Cookies = ()


class PlaybackPolicy(Struct, frozen=True):
    """`base_url` of the CDN, lifetimes in seconds; `patience` is how long a viewer of something known waits for the
    store."""

    base_url: str
    ttl: int
    playlist: str
    failover_base_url: str | None = None
    cache_control: str = "private, max-age=30, stale-while-revalidate=30"
    freshness: float = 1.0
    patience: float = 0.25
    capacity: int = 100_000
    entitlement_required: bool = False


_NOT_READY = Refused(Refusal.NOT_READY, NOT_READY_RETRY_AFTER)


def _never(_content_id: str, _viewer: str) -> bool:
    """There is no failover."""
    return False


class Playback:
    """Signs manifests for viewers and for internal callers.

    `time` gives Unix seconds, `running` seconds by a clock that nobody sets.

    `leads_away` says whether a viewer of a content is sent to the failover; from memory, it is asked for each viewer.
    """

    def __init__(
        self,
        *,
        store: ChannelStore,
        viewers: Introspector,
        signer: Signer,
        policy: PlaybackPolicy,
        time: Callable[[], float],
        running: Callable[[], float],
        leads_away: Callable[[str, str], bool] = _never,
    ) -> None:
        self._leads_away = leads_away
        self._viewers = viewers
        self._signer = signer
        self._binds_session = signer.binds_session
        self._policy = policy
        self._bases = (policy.base_url, policy.failover_base_url)
        self._time = time
        self.titles = Titles(
            store,
            self._prepare,
            running,
            playlist=policy.playlist,
            freshness=policy.freshness,
            patience=policy.patience,
            capacity=policy.capacity,
        )
        self._policies = tuple(
            ManifestPolicy(policy.cache_control, policy.ttl, failover=failover) for failover in (False, True)
        )
        self._pages: dict[tuple[Route, str], tuple[bytes, bytes]] = {}
        self._pages_of = 0
        self._moment_at = 0.0
        self._now = datetime.fromtimestamp(0, UTC)

    async def manifest(
        self,
        content_id: str,
        token: str | None,
        quality: str,
        claimed_country: str | None,
        correlation_id: str,
        session: str | None = None,
    ) -> ManifestAnswer | Refused:
        """Decide and sign, for this session alone where the scheme can. Raises nothing: whatever fails is a refusal.

        Viewers with the same `session` are sent to the same origin; without one it is that of the token, or all of a
        content go together.
        """
        if not token:
            return Refused(Refusal.NO_TOKEN)
        try:
            viewer = await self._viewers.viewer(token, correlation_id)
        except UpstreamUnavailable as error:
            pause = max(1, round(error.retry_after or UNAVAILABLE_RETRY_AFTER))
            return Refused(Refusal.TOKEN_SERVICE_UNAVAILABLE, pause)
        except UpstreamRejected as error:
            log.error("token service refuses us", reason=str(error))
            return Refused(Refusal.TOKEN_SERVICE_FAILED, UNAVAILABLE_RETRY_AFTER)
        if viewer is None:
            return Refused(Refusal.INACTIVE_TOKEN)
        seconds = self._time()
        now = self._moment(seconds)
        if refusal := check_viewer(viewer, now):
            return Refused(refusal)
        try:
            title = await self.titles.get(content_id)
        except StoreError:
            return Refused(Refusal.STORE_UNAVAILABLE, UNAVAILABLE_RETRY_AFTER)
        if title is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        route = self._route(title, content_id, session or viewer.session_id or content_id)
        if (refused := self._check(title, viewer, claimed_country, now)) or route is None:
            return refused or _NOT_READY
        self._sign(route, title, int(seconds))
        own = self._signer.sign(route.prefix, route.expires, session) if session and self._binds_session else None
        return title.answer(route, quality, viewer.entitlements, own)

    def known(
        self,
        content_id: str,
        token: str | None,
        quality: str,
        claimed_country: str | None,
        session: str | None = None,
    ) -> bytes | Refused | None:
        """The same at once: the answer's JSON, or None when somebody has to be asked first, or it is for this session
        alone. Raises nothing."""
        if not token:
            return Refused(Refusal.NO_TOKEN)
        if session and self._binds_session:
            return None
        seconds = self._time()
        title = self.titles.at_once(content_id)
        known = None if title is None else self._viewers.known(token, seconds)
        if title is None or known is None:
            return None
        viewer = known.viewer
        if viewer is None:
            return Refused(Refusal.INACTIVE_TOKEN)
        now, second = self._moment(seconds), int(seconds)
        if refusal := check_viewer(viewer, now):
            return Refused(refusal)
        route = self._route(title, content_id, session or viewer.session_id or content_id)
        if (refused := self._check(title, viewer, claimed_country, now)) or route is None:
            return refused or _NOT_READY
        if second != route.signed_at:
            self._sign(route, title, second)
        before, behind = self._page(title, route, quality, second)
        entitlements = viewer.entitlements
        return b"%b%b%b" % (before, _encode(entitlements) if entitlements else b"[]", behind)

    def recognises(self, content_id: str, token: str) -> bool:
        """This token is active and this content exists, and nobody has to be asked to know it."""
        known = self._viewers.known(token, self._time())
        return known is not None and known.viewer is not None and self.titles.at_once(content_id) is not None

    async def internal(self, content_id: str) -> SignedPlayback | Refused:
        """For callers that have no viewer: where all would go. Raises StoreError."""
        seconds = self._time()
        title = await self.titles.get(content_id)
        if title is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        route = self._route(title, content_id, content_id)
        if title.facts.retired:
            return Refused(Refusal.RETIRED)
        if route is None:
            return _NOT_READY
        if title.ends is not None and seconds >= title.ends:
            return Refused(Refusal.NO_LONGER_AVAILABLE)
        self._sign(route, title, int(seconds))
        return SignedPlayback(route.url("auto"), route.expires_at, route.host, route.cookies)

    @property
    def cache_control(self) -> str:
        """How long a viewer may keep its answer."""
        return self._policy.cache_control

    def _prepare(self, content_id: str, facts: Playable) -> Title:
        return Title(content_id, facts, self._bases, self._policies)

    def _moment(self, seconds: float) -> datetime:
        """Unix seconds as the rules compare them; made anew every millisecond, not for each of its requests."""
        if not 0.0 <= seconds - self._moment_at < _MILLISECOND:
            self._moment_at = seconds
            self._now = datetime.fromtimestamp(seconds, UTC)
        return self._now

    def _check(self, title: Title, viewer: Viewer, country: str | None, now: datetime) -> Refused | None:
        facts = title.facts
        if facts.retired:
            return Refused(Refusal.RETIRED)
        window = facts.availability
        refusal = check_content(
            title.content_id,
            window,
            facts.geo,
            viewer,
            country,
            now,
            entitlement_required=self._policy.entitlement_required,
        )
        if refusal is Refusal.NOT_YET_AVAILABLE and window and window.starts_at:
            return Refused(refusal, max(1, int((window.starts_at - now).total_seconds()) + 1))
        return Refused(refusal) if refusal else None

    def _route(self, title: Title, content_id: str, viewer: str) -> Route | None:
        """The way that this viewer goes; None when nothing is served."""
        if title.failover is not None and self._leads_away(content_id, viewer):
            return title.failover
        return title.primary

    def _sign(self, route: Route, title: Title, now: int) -> None:
        expires = now + self._policy.ttl
        if title.ends is not None:
            # A URL must not outlive the permission it stands for.
            expires = min(expires, int(title.ends))
        route.sign(self._signer, expires)
        route.signed_at = now

    def _page(self, title: Title, route: Route, quality: str, second: int) -> tuple[bytes, bytes]:
        """What all viewers of a title who go the same way are told in the same second is written once."""
        if second != self._pages_of:
            self._pages_of = second
            self._pages.clear()
        page = self._pages.get((route, quality))
        if page is None:
            if len(self._pages) >= _PAGES_KEPT:
                self._pages.clear()
            page = self._pages[route, quality] = title.written(route, quality)
        return page
