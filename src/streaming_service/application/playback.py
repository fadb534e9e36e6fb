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

import msgspec
import structlog
from msgspec import Struct

from streaming_service.application.introspection import Introspector
from streaming_service.application.ports import ChannelStore
from streaming_service.application.title import ManifestAnswer, ManifestPolicy, Title
from streaming_service.domain.access import Refusal, Viewer, check_content, check_viewer
from streaming_service.domain.channel import Channel
from streaming_service.domain.signing.scheme import Signer
from streaming_service.domain.state import Status
from streaming_service.errors import StoreError, UpstreamRejected, UpstreamUnavailable

log = structlog.get_logger(__name__)

_MILLISECOND = 0.001
# From this share of its freshness on a title is read again while it is still used.
_AHEAD = 0.8
# About a kilobyte each, for the second in which they are asked for.
_PAGES_KEPT = 4096
_encode = msgspec.json.Encoder().encode

NOT_READY_RETRY_AFTER = 2
UNAVAILABLE_RETRY_AFTER = 2


class Refused(Struct, frozen=True):
    """No manifest. `retry_after` in seconds where waiting helps."""

    refusal: Refusal
    retry_after: int | None = None


class SignedPlayback(Struct, rename="camel"):
    """The body of the internal route: where to play, without a viewer."""

    playback_url: str
    expires_at: str
    cdn: str


class PlaybackPolicy(Struct, frozen=True):
    """`base_url` of the CDN, lifetimes in seconds; `patience` is how long a viewer of something known waits for the
    store."""

    base_url: str
    ttl: int
    playlist: str
    cache_control: str = "private, max-age=30, stale-while-revalidate=30"
    freshness: float = 1.0
    patience: float = 0.25
    capacity: int = 100_000
    entitlement_required: bool = False


class Playback:
    """Signs manifests for viewers and for internal callers. `time` gives Unix seconds."""

    def __init__(
        self,
        *,
        store: ChannelStore,
        viewers: Introspector,
        signer: Signer,
        policy: PlaybackPolicy,
        time: Callable[[], float],
    ) -> None:
        self._store = store
        self._viewers = viewers
        self._signer = signer
        self._policy = policy
        self._time = time
        self._titles: OrderedDict[str, Title] = OrderedDict()
        self._loading: dict[str, asyncio.Task[Title]] = {}
        self._store_answers = True
        self._ahead = policy.freshness * _AHEAD
        self._policy_view = ManifestPolicy(policy.cache_control, policy.ttl, failover=False)
        self._pages: dict[tuple[Title, str], tuple[bytes, bytes]] = {}
        self._pages_of = 0
        self._moment_at = 0.0
        self._now = datetime.fromtimestamp(0, UTC)

    async def manifest(
        self, content_id: str, token: str | None, quality: str, claimed_country: str | None, correlation_id: str
    ) -> ManifestAnswer | Refused:
        """Decide and sign. Raises nothing: whatever fails is a refusal."""
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
            title = await self._title(content_id, seconds)
        except StoreError:
            return Refused(Refusal.STORE_UNAVAILABLE, UNAVAILABLE_RETRY_AFTER)
        channel = title.channel
        if channel is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        if refused := self._check(channel, viewer, claimed_country, now):
            return refused
        self._sign(title, channel, int(seconds))
        return title.answer(quality, viewer.entitlements)

    def known(
        self, content_id: str, token: str | None, quality: str, claimed_country: str | None
    ) -> bytes | Refused | None:
        """The same at once: the answer's JSON, or None when somebody has to be asked first. Raises nothing."""
        if not token:
            return Refused(Refusal.NO_TOKEN)
        seconds = self._time()
        title = self._titles.get(content_id)
        if title is None:
            return None
        age = seconds - title.loaded_at
        if age >= self._ahead and not self._read_ahead(content_id, age):
            return None
        known = self._viewers.known(token, seconds)
        if known is None:
            return None
        viewer, channel = known.viewer, title.channel
        if viewer is None:
            return Refused(Refusal.INACTIVE_TOKEN)
        now, second = self._moment(seconds), int(seconds)
        if refusal := check_viewer(viewer, now):
            return Refused(refusal)
        if channel is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        if refused := self._check(channel, viewer, claimed_country, now):
            return refused
        if second != title.signed_at:
            self._sign(title, channel, second)
        before, behind = self._page(title, quality, second)
        entitlements = viewer.entitlements
        return b"%b%b%b" % (before, _encode(entitlements) if entitlements else b"[]", behind)

    async def internal(self, content_id: str) -> SignedPlayback | Refused:
        """For callers that have no viewer. Raises StoreError."""
        seconds = self._time()
        title = await self._title(content_id, seconds)
        channel = title.channel
        if channel is None:
            return Refused(Refusal.UNKNOWN_CONTENT)
        if refused := _unplayable(channel):
            return refused
        window = channel.spec.availability
        if window and window.ends_at and seconds >= window.ends_at.timestamp():
            return Refused(Refusal.NO_LONGER_AVAILABLE)
        self._sign(title, channel, int(seconds))
        return SignedPlayback(title.playlists["auto"] + title.query, title.expires_at, title.host)

    @property
    def cache_control(self) -> str:
        """How long a viewer may keep its answer."""
        return self._policy.cache_control

    @property
    def warm(self) -> bool:
        """Something is known that can be signed while the store is down."""
        return bool(self._titles)

    def forget(self, content_id: str) -> None:
        """This process knows that the content changed."""
        self._titles.pop(content_id, None)

    def _read_ahead(self, content_id: str, age: float) -> bool:
        """Whether what is known still counts: then it is read again, so that who watches all the time never waits."""
        if age >= self._policy.freshness:
            return False
        if self._store_answers or not self._loading:
            self._reading(content_id)
        return True

    def _moment(self, seconds: float) -> datetime:
        """Unix seconds as the rules compare them; made anew every millisecond, not for each of its requests."""
        if not 0.0 <= seconds - self._moment_at < _MILLISECOND:
            self._moment_at = seconds
            self._now = datetime.fromtimestamp(seconds, UTC)
        return self._now

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

    def _sign(self, title: Title, channel: Channel, now: int) -> None:
        expires = now + self._policy.ttl
        window = channel.spec.availability
        if window and window.ends_at:
            # A URL must not outlive the permission it stands for.
            expires = min(expires, int(window.ends_at.timestamp()))
        title.sign(self._signer, expires)
        title.signed_at = now

    def _page(self, title: Title, quality: str, second: int) -> tuple[bytes, bytes]:
        """What all viewers of a title are told in the same second is written once."""
        if second != self._pages_of:
            self._pages_of = second
            self._pages.clear()
        page = self._pages.get((title, quality))
        if page is None:
            if len(self._pages) >= _PAGES_KEPT:
                self._pages.clear()
            page = self._pages[title, quality] = title.written(quality)
        return page

    async def _title(self, content_id: str, now: float) -> Title:
        title = self._titles.get(content_id)
        if title is not None and now - title.loaded_at < self._policy.freshness:
            return title
        # One question at a time to a store that does not answer: it is not helped by every viewer knocking.
        if title is not None and self._loading and not self._store_answers:
            return title
        task = self._reading(content_id)
        if title is None:
            return await asyncio.shield(task)
        await asyncio.wait({task}, timeout=self._policy.patience)
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        if not task.done():
            self._heard_of_store("is silent")
        return title

    def _reading(self, content_id: str) -> asyncio.Task[Title]:
        """Single flight: one question at a time about a content."""
        task = self._loading.get(content_id)
        if task is None:
            task = asyncio.create_task(self._load(content_id))
            self._loading[content_id] = task
            task.add_done_callback(partial(self._loaded, content_id))
        return task

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
        title = Title(channel, self._policy.base_url, self._policy.playlist, self._policy_view, asked_at)
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
    if channel.serving is None:
        return Refused(Refusal.NOT_READY, NOT_READY_RETRY_AFTER)
    return None
