"""Follow a signed manifest to a variant and a first segment, as a player would, and say what is wrong on the way."""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.adapters.ome.playlist import Multivariant, parse_multivariant
from streaming_service.adapters.probing.playlists import max_age, parse_media
from streaming_service.application.ports import Clock
from streaming_service.domain.hls import MediaPlaylist
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.domain.probe_journey import Finding, Journey
from streaming_service.domain.probe_rules import (
    LONGEST_WAIT,
    Look,
    hole_in,
    is_slow,
    is_stale,
    judge_silence,
    judge_status,
    lacking,
    longest_pause,
    looked,
    segment_limit,
    went_back,
)
from streaming_service.errors import UpstreamUnavailable

# A whole segment of the largest rung fits; more is not a segment.
_LARGEST_SEGMENT = 64 * 1024 * 1024
_LARGEST_PLAYLIST = 4 * 1024 * 1024
_SHORTEST_WAIT = 0.2
_PATH_GRANT = re.compile(r"/edge-cache-token=[^/]*")


class HttpProber:
    """Follows journeys over one transport, without retries and without a breaker: what it meets is the result.

    `monotonic` is a clock in seconds. The last `memory` live playlists are remembered, to see whether they advance.
    """

    def __init__(
        self, transport: Transport, *, clock: Clock, monotonic: Callable[[], float], memory: int = 10_000
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._looks: OrderedDict[tuple[str, str | None], Look] = OrderedDict()
        self._memory = memory

    async def follow(self, journey: Journey, edge: str | None = None) -> Finding:
        """Raises nothing for what the other side does. `edge`: go there instead of to the URL's own host, and name
        that host in the handshake and in the request."""
        return await _Walk(self, self._transport, self._clock, self._monotonic, journey, edge).go()

    def look(self, url: str, edge: str | None, playlist: MediaPlaylist) -> tuple[Look, bool]:
        """Remember how far a live playlist goes. Gives since when, and whether it went back."""
        key = (_without_grant(url), edge)
        before = self._looks.pop(key, None)
        found = looked(before, playlist, self._monotonic())
        self._looks[key] = found
        while len(self._looks) > self._memory:
            self._looks.popitem(last=False)
        return found, went_back(before, playlist)


class _Fetched(Struct, frozen=True):
    answer: Response
    seconds: float


class _Wrong(Exception):
    """The journey ends here."""

    def __init__(self, verdict: ProbeVerdict, detail: str) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.detail = detail


class _Walk:
    """One journey."""

    def __init__(
        self,
        prober: HttpProber,
        transport: Transport,
        clock: Clock,
        monotonic: Callable[[], float],
        journey: Journey,
        edge: str | None,
    ) -> None:
        self._prober = prober
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._journey = journey
        self._edge = edge
        self._base = _base(journey.url)
        self._status: int | None = None
        self._paused = 0.0

    async def go(self) -> Finding:
        began = self._monotonic()
        try:
            await self._follow()
        except _Wrong as wrong:
            verdict, detail = wrong.verdict, wrong.detail
        else:
            verdict, detail = ProbeVerdict.OK, ""
        latency = (self._monotonic() - began - self._paused) * 1000
        return Finding(verdict, round(latency, 1), self._status, detail)

    async def _follow(self) -> None:
        journey = self._journey
        manifest = await self._playlist(journey.url, "manifest")
        variants = _variants(manifest.answer, journey.url)
        if missing := lacking(journey.rungs, [(width, height) for _, width, height in variants]):
            raise _Wrong(ProbeVerdict.INCOMPLETE, f"the manifest lacks {', '.join(missing)}")
        url = variants[0][0]
        fetched = await self._playlist(url, "variant")
        playlist = self._checked(url, fetched.answer)
        segment = playlist.first_played
        took = 0.0
        for part in filter(None, (segment.init, segment.url)):
            took += (await self._segment(part, segment.seconds)).seconds
        waited = manifest.seconds + fetched.seconds
        if is_slow(waited, journey.timeout, took, segment.seconds):
            detail = f"the playlists took {waited:.1f} s, {segment.seconds:.1f} s of media {took:.1f} s"
            raise _Wrong(ProbeVerdict.SLOW, detail)
        if journey.patient and not playlist.ended:
            await self._see_it_advance(url, playlist, max_age(fetched.answer))

    def _checked(self, url: str, answer: Response) -> MediaPlaylist:
        """The playlist of a rendition, when nothing is wrong with it. Raises _Wrong."""
        playlist = parse_media(_text(answer), url)
        if playlist is None:
            raise _Wrong(ProbeVerdict.MALFORMED, "the variant is no media playlist, or has no segment")
        if hole := hole_in(playlist):
            raise _Wrong(ProbeVerdict.GAP, hole)
        if not playlist.ended:
            look, back = self._prober.look(url, self._edge, playlist)
            if back:
                raise _Wrong(ProbeVerdict.GAP, "the playlist began anew under the same name")
            if is_stale(look, playlist, max_age(answer), self._monotonic()):
                stood = self._monotonic() - look.since
                raise _Wrong(ProbeVerdict.STALE, f"the playlist has not advanced for {stood:.0f} s")
        return playlist

    async def _see_it_advance(self, url: str, first: MediaPlaylist, age: float) -> None:
        """Look again until it advanced, or should have. Raises _Wrong."""
        until = self._monotonic() + min(longest_pause(first, age) + _SHORTEST_WAIT, LONGEST_WAIT)
        playlist = first
        while playlist.head <= first.head and self._monotonic() < until:
            pause = max(_SHORTEST_WAIT, min(first.target / 2, until - self._monotonic()))
            began = self._monotonic()
            try:
                await self._clock.sleep(pause)
                playlist = self._checked(url, (await self._playlist(url, "variant")).answer)
            finally:
                self._paused += self._monotonic() - began
            if playlist.ended:
                return

    async def _playlist(self, url: str, what: str) -> _Fetched:
        return await self._fetch(url, what, self._journey.timeout, _LARGEST_PLAYLIST)

    async def _segment(self, url: str, duration: float) -> _Fetched:
        timeout = segment_limit(self._journey.timeout, duration)
        fetched = await self._fetch(url, "segment", timeout, _LARGEST_SEGMENT, listed=True)
        if not fetched.answer.body:
            raise _Wrong(ProbeVerdict.MALFORMED, "the segment is empty")
        return fetched

    async def _fetch(self, url: str, what: str, timeout: float, limit: int, *, listed: bool = False) -> _Fetched:
        request = self._request(url, timeout, limit)
        began = self._monotonic()
        try:
            answer = await self._transport.send(request)
        except UpstreamUnavailable as error:
            self._status = error.status
            seconds = self._monotonic() - began
            verdict = judge_silence(error.status, seconds, timeout)
            raise _Wrong(verdict, f"{what}: {error.detail}") from error
        self._status = answer.status
        if verdict := judge_status(answer.status, listed=listed):
            raise _Wrong(verdict, f"{what} answers {answer.status}")
        return _Fetched(answer, self._monotonic() - began)

    def _request(self, url: str, timeout: float, limit: int) -> Request:
        """An answer must not choose our next host: everything lies where the manifest lies."""
        if _base(url) != self._base:
            raise _Wrong(ProbeVerdict.MALFORMED, "a playlist leads to another host")
        address = url.partition("#")[0]
        grant = self._journey.grant
        if grant and grant not in address:  # some edges hand it on by themselves, others leave that to players
            address = f"{address}{'&' if '?' in address else '?'}{grant}"
        headers = {"cookie": self._journey.cookie} if self._journey.cookie else {}
        if self._edge is None:
            return Request("GET", address, headers, timeout=timeout, max_body=limit, peer="cdn")
        # As the region's viewers would: the CDN's name, in the handshake and in the request, and its certificate.
        parts, place = urlsplit(url), self._edge + address.removeprefix(self._base)
        name = parts.hostname if place.startswith("https:") else None
        own = {**headers, "host": parts.netloc}
        return Request("GET", place, own, timeout=timeout, max_body=limit, tls_name=name, peer="cdn")


def _variants(answer: Response, url: str) -> Sequence[tuple[str, int, int]]:
    manifest: Multivariant | None = parse_multivariant(_text(answer), url)
    if manifest is None or not manifest.variants:
        raise _Wrong(ProbeVerdict.MALFORMED, "the manifest is no multivariant playlist")
    return manifest.variants


def _without_grant(url: str) -> str:
    """The address that stays the same: grants, in the query or as a part of the path, change each second."""
    return _PATH_GRANT.sub("", url.partition("?")[0])


def _base(url: str) -> str:
    """Scheme and host; empty when it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are no IPv6 address
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _text(answer: Response) -> str:
    return answer.body.decode("utf-8", errors="replace")
