"""A viewer asks for a manifest: who is it, may it, and where does it go. The hot path of the service.

Everything that does not depend on the viewer is prepared once per content and kept for at most `freshness` seconds,
so that a retired or blocked content stops being signed within that time in every process. When the store is down,
what is known keeps playing, and when it is silent too: nobody waits for it longer than `patience`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import structlog
from msgspec import Meta, Struct

from streaming_service.application.introspection import Introspector
from streaming_service.application.ports import ChannelStore
from streaming_service.application.titles import ManifestDrm, ManifestWindow, Route, Title
from streaming_service.domain.access import Refusal, Viewer, check_content, check_viewer
from streaming_service.domain.channel import Channel
from streaming_service.domain.signing.scheme import SignedCookie, Signer
from streaming_service.domain.state import Status
from streaming_service.errors import StoreError, UpstreamRejected, UpstreamUnavailable

log = structlog.get_logger(__name__)

# What each request needs beside the URL. Where the URL says it all there are none, and nothing is said of them.
Cookies = Annotated[
    tuple[SignedCookie, ...],
    Meta(description="To be sent with each request for manifest and media; only with the scheme cloud-cdn-cookie."),
]
NOT_READY_RETRY_AFTER = 2
UNAVAILABLE_RETRY_AFTER = 2


class Refused(Struct, frozen=True):
    """No manifest. `retry_after` in seconds where waiting helps."""

    refusal: Refusal
    retry_after: int | None = None


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


class SignedPlayback(Struct, rename="camel", omit_defaults=True):
    """The body of the internal route: where to play, without a viewer."""

    playback_url: str
    expires_at: str
    cdn: str
    cookies: Cookies = ()


class PlaybackPolicy(Struct, frozen=True):
    """`base_url` of the CDN, `failover_base_url` of another one; lifetimes in seconds; `patience` is how
    long a viewer of something known waits for the store."""

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
    """Signs manifests for viewers and for internal callers. `time` gives Unix seconds.

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
        leads_away: Callable[[str, str], bool] = _never,
    ) -> None:
        self._store = store
        self._leads_away = leads_away
        self._viewers = viewers
        self._signer = signer
        self._binds_session = signer.binds_session
        self._policy = policy
        self._time = time
        self._titles: OrderedDict[str, Title] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Title]] = {}
        self._store_answers = True
        self._policy_views = tuple(
            ManifestPolicy(policy.cache_control, policy.ttl, failover=failover) for failover in (False, True)
        )

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
        now = datetime.fromtimestamp(seconds, UTC)
        if refusal := check_viewer(viewer, now):
            return Refused(refusal)
        try:
            title = self._titles.get(content_id)
            if title is None or seconds - title.loaded_at >= self._policy.freshness:
                title = await self._title(content_id, seconds)
        except StoreError:
            return Refused(Refusal.STORE_UNAVAILABLE, UNAVAILABLE_RETRY_AFTER)
        channel = title.channel
        if channel is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        route = self._route(title, content_id, session or viewer.session_id or content_id)
        if (refused := self._check(channel, viewer, claimed_country, now)) or route is None:
            return refused or _NOT_READY
        self._sign(route, channel, int(seconds))
        return ManifestAnswer(
            self._for_session(route, quality, session)
            if session and self._binds_session
            else route.urls.get(quality) or route.url(quality),
            route.expires_at,
            route.host,
            viewer.entitlements,
            self._policy_views[route is title.failover],
            title.drm,
            title.window,
            route.cookies,
        )

    async def internal(self, content_id: str) -> SignedPlayback | Refused:
        """For callers that have no viewer: where all would go. Raises StoreError."""
        seconds = self._time()
        title = await self._title(content_id, seconds)
        channel = title.channel
        if channel is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        route = self._route(title, content_id, content_id)
        if (refused := _unplayable(channel)) or route is None:
            return refused or _NOT_READY
        window = channel.spec.availability
        if window and window.ends_at and seconds >= window.ends_at.timestamp():
            return Refused(Refusal.NO_LONGER_AVAILABLE)
        self._sign(route, channel, int(seconds))
        return SignedPlayback(route.url("auto"), route.expires_at, route.host, route.cookies)

    @property
    def warm(self) -> bool:
        """Something is known that can be signed while the store is down."""
        return bool(self._titles)

    def forget(self, content_id: str) -> None:
        """This process knows that the content changed."""
        self._titles.pop(content_id, None)

    def _check(self, channel: Channel, viewer: Viewer, country: str | None, now: datetime) -> Refused | None:
        if channel.status is Status.RETIRED:
            return Refused(Refusal.RETIRED)
        spec = channel.spec
        refusal = check_content(
            spec.content_id,
            spec.availability,
            spec.geo,
            viewer,
            country,
            now,
            entitlement_required=self._policy.entitlement_required,
        )
        if refusal is Refusal.NOT_YET_AVAILABLE and spec.availability and spec.availability.starts_at:
            return Refused(refusal, max(1, int((spec.availability.starts_at - now).total_seconds()) + 1))
        return Refused(refusal) if refusal else _unplayable(channel)

    def _route(self, title: Title, content_id: str, viewer: str) -> Route | None:
        """The way that this viewer goes; None when nothing is served."""
        if title.failover is not None and self._leads_away(content_id, viewer):
            return title.failover
        return title.primary

    def _sign(self, route: Route, channel: Channel, now: int) -> None:
        """One signature per content, origin and second: viewers of the same second share it."""
        expires = now + self._policy.ttl
        window = channel.spec.availability
        if window and window.ends_at:
            # A URL must not outlive the permission it stands for.
            expires = min(expires, int(window.ends_at.timestamp()))
        if expires != route.expires:
            route.granted(self._signer.sign(route.prefix, expires), expires)

    def _for_session(self, route: Route, quality: str, session: str) -> str:
        """What only one player may use cannot be shared, so that this is signed each time."""
        return self._signer.sign(route.prefix, route.expires, session).url(route.playlists[quality])

    async def _title(self, content_id: str, now: float) -> Title:
        title = self._titles.get(content_id)
        if title is not None and now - title.loaded_at < self._policy.freshness:
            return title
        # One question at a time to a store that does not answer: it is not helped by every viewer knocking.
        if title is not None and self._loading and not self._store_answers:
            return title
        task = self._loading.get(content_id)
        if task is None:
            task = asyncio.create_task(self._load(content_id))
            self._loading[content_id] = task
            task.add_done_callback(partial(self._loaded, content_id))
        if title is None:
            return await asyncio.shield(task)
        await asyncio.wait({task}, timeout=self._policy.patience)
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        if not task.done():
            self._heard_of_store("is silent")
        return title

    def _loaded(self, content_id: str, task: asyncio.Task[Title]) -> None:
        self._loading.pop(content_id, None)
        if task.cancelled():
            return
        error = task.exception()
        self._heard_of_store(None if error is None else str(error))
        if error is not None and (title := self._titles.get(content_id)):
            title.loaded_at = self._time()  # asked again only after a while

    def _heard_of_store(self, problem: str | None) -> None:
        if problem and self._store_answers:
            log.warning("store does not answer, using what is known", reason=problem)
        elif not problem and not self._store_answers:
            log.info("store answers again")
        self._store_answers = problem is None

    async def _load(self, content_id: str) -> Title:
        asked_at = self._time()
        channel = await self._store.get(content_id)
        known = self._titles.get(content_id)
        if known and known.channel and channel and known.channel.version == channel.version:
            known.loaded_at = asked_at
            return known
        title = Title(channel, self._policy.base_url, self._policy.failover_base_url, self._policy.playlist, asked_at)
        if channel is None:
            # Unknown ids are not kept: whoever guesses them must not push out what is watched.
            self._titles.pop(content_id, None)
            return title
        self._titles[content_id] = title
        self._titles.move_to_end(content_id)
        while len(self._titles) > self._policy.capacity:
            self._titles.popitem(last=False)
        return title


def _unplayable(channel: Channel) -> Refused | None:
    if channel.status is Status.RETIRED:
        return Refused(Refusal.RETIRED)
    return _NOT_READY if channel.serving is None else None
