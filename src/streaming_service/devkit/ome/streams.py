"""`/v1/vhosts/{vhost}/apps/{app}/streams`: what is on air, with its tracks, outputs and playlists."""

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.channel import Channel
from streaming_service.devkit.ome.ffmpeg_command import AUDIO_BITRATE, encoded_size
from streaming_service.devkit.ome.ingest_stream import IngestStream
from streaming_service.devkit.ome.inventory import Inventory, Json
from streaming_service.devkit.ome.rest import Call, Reply, Router, ok
from streaming_service.devkit.ome.schedule import timestamp
from streaming_service.devkit.ome.webhooks import Outputs
from streaming_service.domain.ladder import Ladder

_PATH = "/v1/vhosts/{vhost}/apps/{app}/streams"


class Streams:
    """`path_depth` is what the playlist option hlsChunklistPathDepth is set to."""

    def __init__(self, inventory: Inventory, path_depth: int = 0) -> None:
        self._inventory = inventory
        self._path_depth = path_depth

    def register(self, router: Router) -> None:
        router.add("GET", _PATH, self.index)
        router.add("GET", f"{_PATH}/{{stream}}", self.show)
        router.add("DELETE", f"{_PATH}/{{stream}}", self.delete)

    def index(self, call: Call) -> Reply:
        channels = self._inventory.application(*call.params).channels
        return ok(channels.streams() if channels else [])

    def show(self, call: Call) -> Reply:
        channel, now = self._find(*call.params)
        outputs = channel.outputs
        facts = channel.source_facts(now)
        stream: Json = {
            "name": call.params[2],
            "input": {
                "createdTime": timestamp(channel.appears),
                "sourceType": channel.source_type,
                **({"sourceUrl": channel.source_url} if channel.source_url else {}),
                "tracks": _input_tracks(facts, audio=channel.audio, live=bool(channel.source_url)) if facts else [],
            },
            "outputs": [],
        }
        if facts and outputs and channel.has_outputs(now):
            stream["outputs"] = [
                {
                    "name": call.params[2],
                    "playlists": _playlists(outputs, self._path_depth, audio=channel.audio),
                    "tracks": _output_tracks(facts, outputs.ladder, audio=channel.audio),
                }
            ]
        return ok(stream)

    def delete(self, call: Call) -> Reply:
        """A publisher is cut off. A scheduled channel is deleted through `scheduledChannels` only: 200, and nothing."""
        stream, _ = self._find(*call.params)
        if isinstance(stream, IngestStream):
            stream.kick()
        return ok()

    def _find(self, vhost: str, app: str, name: str) -> tuple[Channel, float]:
        application = self._inventory.application(vhost, app)
        channel = application.channels.stream(name) if application.channels else None
        if channel is None or application.channels is None:
            raise self._inventory.stream_missing(application, name)
        return channel, application.channels.now()


def _playlists(outputs: Outputs, path_depth: int, *, audio: bool) -> list[Json]:
    sound: Json = {"audioVariantName": "aac_audio"} if audio else {}
    lists: list[Json] = []
    ladder = outputs.ladder
    for file_name, rungs in outputs.playlists.items():
        names = [ladder.rungs[rung].name for rung in rungs]
        renditions = [{"name": name, "videoVariantName": f"video_{name}", **sound} for name in names]
        options = {"enableTsPackaging": False, "hlsChunklistPathDepth": path_depth, "webrtcAutoAbr": True}
        lists.append({"fileName": file_name, "name": file_name, "options": options, "renditions": renditions})
    # Every output has one for WebRTC, which the HLS port does not serve.
    options = {"enableTsPackaging": False, "hlsChunklistPathDepth": -1, "webrtcAutoAbr": False}
    renditions = [{"name": "default", "videoVariantName": f"video_{ladder.rungs[0].name}"}]
    webrtc = "webrtc_default"
    return [*lists, {"fileName": webrtc, "name": webrtc, "options": options, "renditions": renditions}]


def _input_tracks(facts: MediaFacts, *, audio: bool, live: bool) -> list[Json]:
    """A publisher says what its bitrates are and counts its tracks from 0, in milliseconds."""
    said: Json = {"timebase": {"den": 1000, "num": 1}} if live else {"bitrateConf": 0}
    video = _video(facts.width, facts.height, facts.bitrate_kbps * 1000, facts.framerate)
    tracks: list[Json] = [{"id": 0, "name": "Video", "type": "Video", "video": {**video, **said}}]
    step = 1 if live else 100
    if audio and facts.audio:
        tracks.append({"id": step, "name": "Audio", "type": "Audio", "audio": {**_audio(), **said}})
    return [*tracks, {"id": 2 * step, "name": "Data", "type": "Data", "data": {"codec": "None"}}]


def _output_tracks(facts: MediaFacts, ladder: Ladder, *, audio: bool) -> list[Json]:
    tracks: list[Json] = []
    for track, rung in enumerate(ladder.rungs):
        width, height = encoded_size(rung.width, rung.height)
        video = _video(width, height, rung.bitrate_kbps * 1000, facts.framerate)
        encoder = {"codecModule": "openh264", "codecStatus": "Ready"}
        tracks.append({"id": track, "name": f"video_{rung.name}", "type": "Video", "video": {**video, **encoder}})
    if audio and facts.audio:
        encoder = {"codecModule": "fdkaac", "codecStatus": "Ready"}
        tracks.append({"id": len(tracks), "name": "aac_audio", "type": "Audio", "audio": {**_audio(), **encoder}})
    return [*tracks, {"id": len(tracks), "name": "Data", "type": "Data", "data": {"codec": "None"}}]


def _video(width: int, height: int, bitrate: int, framerate: float) -> Json:
    return {
        **_rates("bitrate", bitrate),
        **_rates("framerate", framerate),
        **_rates("keyFrameInterval", framerate),
        "codec": "H264",
        "codecModule": "none",
        "width": width,
        "height": height,
        "maxWidth": width,
        "maxHeight": height,
        "maxFramerate": framerate,
        "bypass": False,
        "hasBframes": False,
        "configChangeCount": 0,
        "deltaFramesSinceLastKeyFrame": 0,
        "timebase": {"den": 90000, "num": 1},
    }


def _audio() -> Json:
    return {
        **_rates("bitrate", AUDIO_BITRATE),
        "codec": "AAC",
        "codecModule": "none",
        "channel": 2,
        "samplerate": 48000,
        "bypass": False,
        "configChangeCount": 0,
        "timebase": {"den": 90000, "num": 1},
    }


def _rates(name: str, value: float) -> Json:
    """OME shows each rate as it is, on average, as configured, and for the last second."""
    return {name: value, f"{name}Avg": value, f"{name}Conf": value, f"{name}Latest": value}
