"""Fetch a manifest, its variants and their first segments, as players will, so that caches on the way keep them."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from streaming_service.adapters.http import Response, Transport
from streaming_service.adapters.ome.playlist import parse_multivariant
from streaming_service.adapters.probing.playlists import parse_media
from streaming_service.adapters.probing.way import Way, base_of, without_grant
from streaming_service.application.ports import Listed
from streaming_service.domain.warming import Errand, Missed, Warmed, beginning
from streaming_service.errors import UpstreamUnavailable

# A whole segment of the largest rung fits; more is not a segment.
_LARGEST_SEGMENT = 64 * 1024 * 1024
_LARGEST_PLAYLIST = 4 * 1024 * 1024
_LATE = "there was no time left for it"


class HttpWarmer:
    """Runs errands over one transport, without retries and without a breaker: the outbox has both.

    Of all errands together at most `concurrency` requests are under way at a time. `monotonic` is a clock in seconds.
    """

    def __init__(self, transport: Transport, *, monotonic: Callable[[], float], concurrency: int) -> None:
        self._transport = transport
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(concurrency)

    async def fetch(self, errand: Errand, edge: str | None = None) -> Warmed:
        """All of it. `edge`: go there instead of to the URL's own host. Raises nothing for what the other side does."""
        walk = self._walk(errand, edge, fetches=True)
        await walk.go()
        return Warmed(tuple(map(_path, walk.done)), tuple(walk.missed))

    async def list(self, errand: Errand) -> Listed:
        """The playlists only; what the segments are is listed. The manifest is, whether it answers or not."""
        walk = self._walk(errand, None, fetches=False)
        await walk.go()
        return Listed(tuple(dict.fromkeys((errand.url, *walk.done))), tuple(walk.missed))

    def _walk(self, errand: Errand, edge: str | None, *, fetches: bool) -> "_Walk":
        return _Walk(self._transport, self._monotonic, self._slots, errand, edge, fetches=fetches)


class _Miss(Exception):
    def __init__(self, url: str, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.missed = Missed(_path(url), reason, status)


class _Walk:
    """One errand. `done` are signed addresses, in the order in which they came."""

    def __init__(
        self,
        transport: Transport,
        monotonic: Callable[[], float],
        slots: asyncio.Semaphore,
        errand: Errand,
        edge: str | None,
        *,
        fetches: bool,
    ) -> None:
        self._transport = transport
        self._monotonic = monotonic
        self._slots = slots
        self._errand = errand
        self._fetches = fetches
        self._way = Way(base_of(errand.url), errand.grant, errand.cookie, edge)
        self._until = monotonic() + errand.seconds
        self.done: list[str] = []
        self.missed: list[Missed] = []

    async def go(self) -> None:
        url = self._errand.url
        manifest = await self._get(url, _LARGEST_PLAYLIST)
        if manifest is None:
            return
        found = parse_multivariant(_text(manifest), url)
        if found is None or not found.variants:
            self.missed.append(Missed(_path(url), "it is no multivariant playlist", manifest.status))
            return
        await asyncio.gather(*(self._variant(variant) for variant in dict.fromkeys(item[0] for item in found.variants)))

    async def _variant(self, url: str) -> None:
        answer = await self._get(url, _LARGEST_PLAYLIST)
        if answer is None or not self._errand.segments:
            return
        playlist = parse_media(_text(answer), url)
        if playlist is None:
            self.missed.append(Missed(_path(url), "it is no media playlist, or has no segment", answer.status))
            return
        await asyncio.gather(*(self._media(item) for item in beginning(playlist, self._errand.segments)))

    async def _media(self, url: str) -> None:
        if self._fetches:
            await self._get(url, _LARGEST_SEGMENT)
        elif (address := self._way.address(url)) is not None:
            self.done.append(address)
        else:
            self.missed.append(_elsewhere(url))

    async def _get(self, url: str, limit: int) -> Response | None:
        """None: it is among the missed."""
        address = self._way.address(url)
        if address is None:
            self.missed.append(_elsewhere(url))
            return None
        try:
            answer = await self._send(url, limit)
        except _Miss as miss:
            self.missed.append(miss.missed)
            return None
        self.done.append(address)
        return answer

    async def _send(self, url: str, limit: int) -> Response:
        """Raises _Miss."""
        try:
            async with asyncio.timeout(self._left):
                await self._slots.acquire()
        except TimeoutError:
            raise _Miss(url, _LATE) from None
        try:
            left = self._left
            request = self._way.request(url, min(self._errand.timeout, left), limit) if left > 0 else None
            if request is None:
                raise _Miss(url, _LATE)
            answer = await self._transport.send(request)
        except UpstreamUnavailable as error:
            raise _Miss(url, error.detail, error.status) from error
        finally:
            self._slots.release()
        if answer.status != 200:
            raise _Miss(url, f"answers {answer.status}", answer.status)
        return answer

    @property
    def _left(self) -> float:
        return max(0.0, self._until - self._monotonic())


def _elsewhere(url: str) -> Missed:
    return Missed(_path(url), "it is on another host than its manifest")


def _path(url: str) -> str:
    """Without host and grant: what the analytics are told."""
    try:
        return without_grant(urlsplit(url).path)
    except ValueError:
        return "?"


def _text(answer: Response) -> str:
    return answer.body.decode("utf-8", errors="replace")
