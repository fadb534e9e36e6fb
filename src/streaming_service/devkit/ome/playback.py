"""The LL-HLS publisher's port, configured as we recommend: origin mode, so URLs are the same for everyone."""

import asyncio
import re
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct

from streaming_service.devkit.ome.boxes import find_timescale
from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.inventory import VirtualHost
from streaming_service.devkit.ome.live import Segment
from streaming_service.devkit.ome.packager import Package
from streaming_service.devkit.ome.playlists import Chunk, Names, Variant, chunklist, multivariant
from streaming_service.devkit.ome.trim import trimmed
from streaming_service.devkit.ome.webhooks import Outputs, Webhook, admitted

MASTER_MAX_AGE = 5
CHUNKLIST_MAX_AGE = 1
CHUNKLIST_WITH_DIRECTIVES_MAX_AGE = 60
SEGMENT_MAX_AGE = 3600

_CHUNKLIST = re.compile(r"chunklist_(\d+)_(video|audio)_(\d+)_llhls\.m3u8")
_INIT = re.compile(r"init_(\d+)_(video|audio)_(\d+)(?:_(\d+))?_llhls\.m4s")
_SEGMENT = re.compile(r"seg_(\d+)_(\d+)_(video|audio)_(\d+)_llhls\.m4s")
_SERVER = {"Vary": "Origin", "Server": "OvenMediaEngine"}
_CORS = {
    **_SERVER,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "OPTIONS, GET, HEAD",
}
_LOOK_AGAIN = 0.05  # seconds between looks for the segment that a held answer waits for


class Asked(Struct, frozen=True):
    """A request for a file of a stream that exists."""

    file: str
    query: dict[str, str]
    names: Names
    channel: Channel
    outputs: Outputs


class Playback:
    """Serves one virtual host; `absolute` names chunklists with their whole path."""

    def __init__(
        self,
        vhost: Callable[[], VirtualHost],
        now: Callable[[], float],
        *,
        absolute: bool = False,
        admission: Webhook | None = None,
    ) -> None:
        self._admission = admission
        self._vhost = vhost
        self._now = now
        self._absolute = absolute

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_CORS, content_type="text/html")
        app, _, rest = request.raw_path.partition("?")[0].removeprefix("/").partition("/")
        application = self._vhost().applications.get(app)
        channels = application.channels if application else None
        if request.method not in {"GET", "HEAD"} or channels is None:
            return _refused(_SERVER)
        stream, _, file = rest.partition("/")
        channel = channels.stream(stream)
        outputs = channel.outputs if channel else None
        if channel is None or outputs is None or not outputs.playlists:
            return _refused(_CORS)
        if file.removesuffix(".m3u8") in outputs.playlists and not await self._admitted(request):
            return web.Response(status=401, headers=_CORS, content_type="text/html")
        query = dict(request.rel_url.query)
        legacy = query.get("_HLS_legacy") == "YES"
        names = Names.of(self._vhost().name, app, stream, absolute=self._absolute, legacy=legacy)
        answer = await self._serve(Asked(file, query, names, channel, outputs))
        if request.method == "GET" and isinstance(answer.body, bytes):
            channel.bytes_out += len(answer.body)
            channel.last_sent = self._now()
        return answer

    async def _admitted(self, request: web.BaseRequest) -> bool:
        """Asked on each fetch of a multivariant playlist only: the rest is open to whoever knows its name."""
        if self._admission is None:
            return True
        peer = request.transport.get_extra_info("peername") if request.transport else None
        address, port = (str(peer[0]), int(peer[1])) if peer else ("", 0)
        return await admitted(self._admission, (address, port), str(request.url), self._now())

    async def _serve(self, asked: Asked) -> web.Response:
        now = self._now()
        segments = asked.channel.segments(now)
        if not segments:
            empty = asked.file.removesuffix(".m3u8") in asked.outputs.playlists
            if empty and asked.channel.empty_answer(now):
                return web.Response(status=201, headers=_CORS, content_type="text/html")
            return _refused(_CORS)
        if asked.file.endswith(".m3u8"):
            found = _CHUNKLIST.fullmatch(asked.file)
            return await self._chunklist(asked, found) if found else _master(asked, segments[-1].package)
        return await self._media(asked)

    async def _chunklist(self, asked: Asked, found: re.Match[str]) -> web.Response:
        track, kind, channel = int(found[1]), found[2], asked.channel
        if found[3] != asked.names.key or not _has_track(asked, track, kind):
            return _refused(_CORS)
        wanted, part = asked.query.get("_HLS_msn", ""), asked.query.get("_HLS_part", "")
        if blocking := wanted.isdigit():
            await self._complete(channel, int(wanted), int(part) if part.isdigit() else 0)
        else:
            await self._hold(channel, lambda now: channel.begun(now) >= channel.first_chunklist)
        segments = channel.segments(self._now())
        chunks = [Chunk(item.number, item.start, item.duration, item.origin) for item in segments]
        text = chunklist(
            asked.names, track, kind, chunks, segments[-1].package.segment_seconds, ended=channel.window.concluded
        )
        return _playlist(text, CHUNKLIST_WITH_DIRECTIVES_MAX_AGE if blocking else CHUNKLIST_MAX_AGE)

    async def _complete(self, channel: Channel, number: int, part: int) -> None:
        """Blocking reload: once all of that segment is there, for our chunklists have no parts."""

        def reached(now: float) -> bool:
            last = channel.segments(now)[-1]
            has_part = part * channel.part_seconds < last.duration
            return last.number > number or (last.number == number and has_part)

        await self._hold(channel, reached)

    async def _hold(self, channel: Channel, reached: Callable[[float], bool]) -> None:
        """What never comes is never answered, deleted stream or not: the client has to give up, and is noticed."""
        while True:
            now = self._now()
            if reached(now) and not channel.gone(now):
                return
            await asyncio.sleep(_LOOK_AGAIN)

    async def _media(self, asked: Asked) -> web.Response:
        if found := _INIT.fullmatch(asked.file):
            package = asked.channel.window.origin(int(found[4] or 0))
            if package and found[3] == asked.names.key and _has_track(asked, int(found[1]), found[2]):
                return _media_bytes(found[2], await package.init(int(found[1])))
        elif found := _SEGMENT.fullmatch(asked.file):
            segment = asked.channel.find(int(found[2]), self._now())
            if segment and found[4] == asked.names.key and _has_track(asked, int(found[1]), found[3]):
                return _media_bytes(found[3], await read_segment(segment, int(found[1])))
        return _refused(_CORS)


async def read_segment(segment: Segment, track: int) -> bytes:
    """The bytes of one track of a segment, with no more in it than what it lasts."""
    body = await segment.package.segment(track, segment.index, segment.shift)
    if not segment.cut:
        return body
    scale = find_timescale(await segment.package.init(track))
    return trimmed(body, round(segment.duration * scale)) if scale else body


def _master(asked: Asked, package: Package) -> web.Response:
    text = master(asked.file, asked.names, asked.outputs, package, audio=asked.channel.audio)
    return _refused(_CORS) if text is None else _playlist(text, MASTER_MAX_AGE)


def master(file: str, names: Names, outputs: Outputs, package: Package, *, audio: bool) -> str | None:
    """The multivariant playlist with that file name; None when the output has none."""
    rungs = outputs.playlists.get(file.removesuffix(".m3u8"))
    if rungs is None:
        return None
    framerate = package.facts.framerate if package.facts else 25.0
    variants = [Variant(rung, outputs.ladder.rungs[rung], package.codec(rung), framerate) for rung in rungs]
    return multivariant(names, variants, len(outputs.ladder.rungs) if audio else None)


def _has_track(asked: Asked, track: int, kind: str) -> bool:
    rungs = len(asked.outputs.ladder.rungs)
    return track < rungs if kind == "video" else track == rungs and asked.channel.audio


def _playlist(text: str, max_age: int) -> web.Response:
    headers = {**_CORS, "Cache-Control": f"max-age={max_age}", "Content-Encoding": "identity"}
    return web.Response(body=text.encode(), headers=headers, content_type="application/vnd.apple.mpegurl")


def _media_bytes(kind: str, body: bytes) -> web.Response:
    headers = {**_CORS, "Cache-Control": f"max-age={SEGMENT_MAX_AGE}"}
    return web.Response(body=body, headers=headers, content_type=f"{kind}/mp4")


def _refused(headers: dict[str, str]) -> web.Response:
    return web.Response(status=404, headers=headers, content_type="text/html")
