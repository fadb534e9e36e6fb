"""Does a channel really play? Its playback side is asked as by a player, its API for what was made of the source."""

import asyncio
from collections.abc import Mapping

from streaming_service.adapters.http import Caller, Request, Response
from streaming_service.adapters.ome.client import OmeClient
from streaming_service.adapters.ome.models import StreamState
from streaming_service.adapters.ome.playlist import Multivariant, end_of_media, first_media, parse_multivariant
from streaming_service.application.ports import Playability, PlayabilityReport
from streaming_service.domain.ladder import Rung
from streaming_service.domain.placement import Placement
from streaming_service.domain.transcode import fit, playlists
from streaming_service.errors import NotFound, UpstreamUnavailable

_FIRST_BYTES = 64 * 1024 * 1024  # a whole segment of the largest rung fits; more is not a segment

_STAYING: Mapping[str, str] = {}
# OME counts whoever has fetched a manifest as a viewer until the connection is closed.
_LEAVING = {"connection": "close"}


class OmeWatcher:
    """`playback` fetches what viewers fetch, from `playback_url`; `timeout` in seconds.

    `fitted`: OME asks us for its ladders, and gets them fitted to the source (the transcode webhook).
    """

    def __init__(
        self,
        client: OmeClient,
        playback: Caller,
        playback_url: str,
        *,
        playlist: str,
        timeout: float,
        fitted: bool = False,
    ) -> None:
        self._client = client
        self._playback = playback
        self._playback_url = playback_url
        self._playlist = playlist
        self._timeout = timeout
        self._fitted = fitted

    async def playability(self, placement: Placement) -> PlayabilityReport:
        """Playable means: exactly 200, every rung listed, the best rung's first segment downloads, and OME has the
        playlists that it was told to make."""
        url = f"{self._playback_url}{placement.path}{self._playlist}.m3u8"
        answer = await self._fetch(url)
        if answer.status != 200:
            return PlayabilityReport(Playability.NOT_YET, f"manifest answers {answer.status}")
        manifest = parse_multivariant(_text(answer), url)
        if manifest is None or not manifest.variants:
            return PlayabilityReport(Playability.MALFORMED, "manifest is no multivariant playlist")
        missing = manifest.missing(placement.rungs)
        if missing and not self._fitted:
            return PlayabilityReport(Playability.INCOMPLETE, f"manifest lacks {', '.join(missing)}")
        report = await self._media(manifest.variants[0][0])
        return report if report.verdict is not Playability.PLAYABLE else await self.appearance(placement, manifest)

    async def position(self, application: str, stream: str) -> float | None:
        """How far the best rung's playlist goes, in seconds of the stream's own clock; None without such a playlist."""
        url = f"{self._playback_url}/{application}/{stream}/{self._playlist}.m3u8"
        answer = await self._fetch(url, _LEAVING)
        manifest = parse_multivariant(_text(answer), url) if answer.status == 200 else None
        if manifest is None or not manifest.variants:
            return None
        answer = await self._fetch(manifest.variants[0][0], _LEAVING)
        return end_of_media(_text(answer)) if answer.status == 200 else None

    async def appearance(self, placement: Placement, manifest: Multivariant | None = None) -> PlayabilityReport:
        """What OME made of the source, and whether `manifest` shows it. A stream keeps for ever what it was told when
        it began."""
        try:
            state = await self._client.stream(placement.application, placement.stream)
        except NotFound:
            return PlayabilityReport(Playability.NOT_YET, "OME does not list the stream")
        if not state.outputs or not all(state.source_size):
            return PlayabilityReport(Playability.NOT_YET, "OME has made nothing of the stream so far")
        rungs = self._rungs(placement, state)
        lacking = manifest.missing(rungs) if manifest else []
        if self._fitted:
            held = {item.file_name.removesuffix(".m3u8") for output in state.outputs for item in output.playlists}
            lacking += [name for name in playlists(rungs, self._playlist, placement.ladder) if name not in held]
        if lacking:
            detail = f"OME made other playlists than it was told to, without {', '.join(lacking)}"
            return PlayabilityReport(Playability.INCOMPLETE, detail)
        return PlayabilityReport(Playability.PLAYABLE, fitted=rungs, appeared=state.appeared)

    def _rungs(self, placement: Placement, state: StreamState) -> tuple[Rung, ...]:
        """Those that the transcode webhook answers for the source as OME sees it. What is pushed to a live channel may
        be larger than its slate, so that is not fitted."""
        return fit(placement.ladder, *state.source_size) if self._fitted and not placement.live else placement.rungs

    async def _media(self, url: str) -> PlayabilityReport:
        answer = await self._fetch(url)
        media = first_media(_text(answer), url) if answer.status == 200 else None
        if media is None:
            return PlayabilityReport(Playability.NO_MEDIA, f"variant answers {answer.status} without a segment")
        for fetched in await asyncio.gather(*(self._fetch(part) for part in media if part)):
            if fetched.status != 200 or not fetched.body:
                return PlayabilityReport(Playability.NO_MEDIA, f"segment answers {fetched.status}")
        return PlayabilityReport(Playability.PLAYABLE)

    async def _fetch(self, url: str, headers: Mapping[str, str] = _STAYING) -> Response:
        answer = await self._playback.call(Request("GET", url, headers, timeout=self._timeout, max_body=_FIRST_BYTES))
        if answer.status >= 500:
            raise UpstreamUnavailable("ome-playback", f"GET {url} answered {answer.status}", status=answer.status)
        return answer


def _text(answer: Response) -> str:
    return answer.body.decode("utf-8", errors="replace")
