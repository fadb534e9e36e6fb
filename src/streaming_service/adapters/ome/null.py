"""An OME that is not there, for dry runs: the real client and origin talk to it as to a real one.

It answers in OME's own shapes and plays every channel at once, so that everything downstream runs.
"""

from urllib.parse import urlsplit

import msgspec

from streaming_service.adapters.http import Request, Response
from streaming_service.domain.ladder import Ladder

PLAYBACK_URL = "http://dry-run.invalid"  # a reserved name: nothing can ever be fetched from it
API_URL = "http://dry-run.invalid:8081"


# What it makes of every source.
_MADE = {
    "input": {"tracks": [{"type": "Video", "video": {"width": 1920, "height": 1080}}]},
    "outputs": [{"name": "dry run"}],
}


class NullOme:
    """A Transport. Remembers the names it was given, for as long as the process lives."""

    def __init__(self, ladders: dict[str, Ladder]) -> None:
        self._ladders = ladders
        self._channels: dict[str, set[str]] = {application: set() for application in ladders}

    async def send(self, request: Request) -> Response:
        """Answer as OME would."""
        parts = urlsplit(request.url)
        if parts.netloc == urlsplit(PLAYBACK_URL).netloc:
            return self._play(parts.path.strip("/").split("/"))
        if parts.path.endswith("/apps"):
            return _envelope(200, "OK", sorted(self._channels))
        return self._api(request, parts.path.split("/apps/")[-1].split("/"))

    def _api(self, request: Request, path: list[str]) -> Response:
        if path[-2:] == ["stats", "current"]:
            return _envelope(200, "OK", {})
        channels = self._channels.get(path[0])
        if len(path) == 3 and path[1] == "streams" and channels and path[2] in channels:
            return _envelope(200, "OK", {"name": path[2], **_MADE})  # and nothing is counted of it
        if len(path) < 2 or path[1] != "scheduledChannels" or channels is None:
            return _envelope(404, "Controller not found")
        if request.method == "POST":
            channels.add(msgspec.json.decode(request.body)["stream"]["name"])
            return _envelope(201, "Created")
        if len(path) == 2:
            return _envelope(200, "OK", sorted(channels))
        if path[2] not in channels:
            return _envelope(404, "Could not find the stream")
        if request.method == "DELETE":
            channels.discard(path[2])
            return _envelope(200, "OK")
        return _envelope(200, "OK", {"stream": {"name": path[2]}})

    def _play(self, path: list[str]) -> Response:
        application, stream, file = (*path, "", "", "")[:3]
        if stream not in self._channels.get(application, set()):
            return Response(404, {}, b"")
        if file.endswith(".m4s"):
            return Response(200, {"content-type": "video/mp4"}, b"dry run")
        lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
        if file.startswith("chunklist"):
            lines += ["#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0", "#EXTINF:2.0,", "seg_0.m4s"]
        else:
            for rung in self._ladders[application].rungs:
                size = f"RESOLUTION={rung.width}x{rung.height}"
                lines += [
                    f"#EXT-X-STREAM-INF:BANDWIDTH={rung.bitrate_kbps * 1000},{size}",
                    f"chunklist_{rung.name}.m3u8",
                ]
        return Response(200, {"content-type": "application/vnd.apple.mpegurl"}, "\n".join(lines).encode())


def _envelope(status: int, message: str, response: object = None) -> Response:
    body: dict[str, object] = {"statusCode": status, "message": message}
    if response is not None:
        body["response"] = response
    return Response(status, {"content-type": "application/json"}, msgspec.json.encode(body))
