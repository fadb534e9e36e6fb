"""One OME as an origin: the application's Origin port on top of the client."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from streaming_service.adapters.http import Caller, Request, Response
from streaming_service.adapters.ome.client import AlreadyExists, OmeClient, OmeError
from streaming_service.adapters.ome.models import (
    FallbackProgram,
    Program,
    ProgramItem,
    ScheduledChannel,
    ScheduledStream,
    ome_time,
)
from streaming_service.adapters.ome.playlist import first_media, parse_multivariant
from streaming_service.application.ports import Playability, PlayabilityReport
from streaming_service.domain.ladder import Rung
from streaming_service.domain.placement import Placement
from streaming_service.domain.transcode import fit
from streaming_service.errors import NotFound, UpstreamUnavailable

log = structlog.get_logger(__name__)

_PROGRAM = "main"
_LOOKS = 20
_LOOK_PAUSE = 0.25
_FIRST_BYTES = 64 * 1024 * 1024  # a whole segment of the largest rung fits; more is not a segment


class OmeOrigin:
    """`playback` fetches what viewers fetch, from `playback_url`; seconds throughout.

    `fitted`: OME asks us for its ladders, and gets them fitted to the source (the transcode webhook).
    """

    def __init__(
        self,
        name: str,
        client: OmeClient,
        playback: Caller,
        playback_url: str,
        *,
        playlist: str,
        timeout: float,
        sleep: Callable[[float], Awaitable[None]],
        fitted: bool = False,
    ) -> None:
        self.name = name
        self._client = client
        self._playback = playback
        self._playback_url = playback_url
        self._playlist = playlist
        self._timeout = timeout
        self._sleep = sleep
        self._fitted = fitted

    async def start(self, placement: Placement, now: datetime) -> None:
        """Create the scheduled channel, looping from its beginning now."""
        item = ProgramItem(url=f"file://{placement.media_path}")
        channel = ScheduledChannel(
            stream=ScheduledStream(name=placement.stream, audio_track=placement.audio),
            programs=[Program(name=_PROGRAM, scheduled=ome_time(now), repeat=True, items=[item])],
            fallback_program=FallbackProgram([item]),
        )
        try:
            await self._client.create_scheduled_channel(placement.application, channel)
        except AlreadyExists:
            # Stream names are used once: one that exists is our own, from before a crash or a lost answer.
            log.info("stream exists already", stream=placement.stream, origin=self.name)
        except NotFound as error:
            raise OmeError("ome", _no_application(placement.application, self.name), status=404) from error

    async def stop(self, application: str, stream: str) -> bool:
        """Ask once for it to go, and watch it go: OME takes up to three seconds."""
        try:
            await self._client.delete_scheduled_channel(application, stream)
            for _ in range(_LOOKS):
                await self._client.scheduled_channel(application, stream)
                await self._sleep(_LOOK_PAUSE)
        except NotFound:
            return True
        return False

    async def streams(self, application: str) -> frozenset[str]:
        """Raises OmeError with what to do when Server.xml lacks the application."""
        try:
            return frozenset(await self._client.scheduled_channels(application))
        except NotFound as error:
            raise OmeError("ome", _no_application(application, self.name), status=404) from error

    async def playability(self, placement: Placement) -> PlayabilityReport:
        """Playable means: exactly 200, every rung listed, and the best rung's first segment downloads."""
        url = f"{self._playback_url}{placement.path}{self._playlist}.m3u8"
        answer = await self._fetch(url)
        if answer.status != 200:
            return PlayabilityReport(Playability.NOT_YET, f"manifest answers {answer.status}")
        manifest = parse_multivariant(_text(answer), url)
        if manifest is None or not manifest.variants:
            return PlayabilityReport(Playability.MALFORMED, "manifest is no multivariant playlist")
        missing = manifest.missing(placement.rungs)
        if missing and self._fitted:
            missing = manifest.missing(await self._fitting(placement))
        if missing:
            return PlayabilityReport(Playability.INCOMPLETE, f"manifest lacks {', '.join(missing)}")
        return await self._media(manifest.variants[0][0])

    async def starved_of_audio(self, placement: Placement) -> bool:
        """OME waits for ever at position 0 for audio that the file does not have."""
        try:
            state = await self._client.scheduled_channel(placement.application, placement.stream)
        except NotFound:
            return False
        program = state.current_program
        item = program.current_item if program else None
        return bool(program and program.state == "onair" and item and item.current_position == 0)

    async def _fitting(self, placement: Placement) -> tuple[Rung, ...]:
        """The rungs that the transcode webhook answers for the source as OME sees it: it never scales up."""
        try:
            state = await self._client.stream(placement.application, placement.stream)
        except NotFound:
            return placement.rungs
        width, height = state.source_size
        return fit(placement.ladder, width, height)

    async def _media(self, url: str) -> PlayabilityReport:
        answer = await self._fetch(url)
        media = first_media(_text(answer), url) if answer.status == 200 else None
        if media is None:
            return PlayabilityReport(Playability.NO_MEDIA, f"variant answers {answer.status} without a segment")
        for fetched in await asyncio.gather(*(self._fetch(part) for part in media if part)):
            if fetched.status != 200 or not fetched.body:
                return PlayabilityReport(Playability.NO_MEDIA, f"segment answers {fetched.status}")
        return PlayabilityReport(Playability.PLAYABLE)

    async def _fetch(self, url: str) -> Response:
        answer = await self._playback.call(Request("GET", url, timeout=self._timeout, max_body=_FIRST_BYTES))
        if answer.status >= 500:
            raise UpstreamUnavailable("ome-playback", f"GET {url} answered {answer.status}", status=answer.status)
        return answer


def _text(answer: Response) -> str:
    return answer.body.decode("utf-8", errors="replace")


def _no_application(application: str, origin: str) -> str:
    return (
        f"application {application!r} does not exist on {origin}: "
        "declare it in Server.xml with a Schedule provider, or correct OME_*_APPLICATION"
    )
