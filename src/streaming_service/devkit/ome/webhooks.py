"""The webhooks that OME sends, and what it makes of the answers, as recorded.

A transcode question is asked once per creation. An answer that is refused, or that breaks one of OME's rules, leaves
the stream on air without outputs for ever; without any answer the profiles of `Server.xml` are used.
"""

import json
from typing import Annotated, Any

import aiohttp
import msgspec
from msgspec import Meta, Struct

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.playlists import playlist_rungs
from streaming_service.devkit.ome.schedule import timestamp
from streaming_service.domain.ladder import Ladder, Rung
from streaming_service.domain.ome_webhook import sign

_PRESETS = {"", "slower", "slow", "medium", "fast", "faster"}
_OME_TIMEOUT = 1.5


class Outputs(Struct, frozen=True):
    """What a stream is served as: its renditions, and the positions of those that each playlist holds."""

    ladder: Ladder
    playlists: dict[str, tuple[int, ...]]
    audio: bool = True


def local_outputs(ladder: Ladder) -> Outputs:
    """The profile of `Server.xml`."""
    return Outputs(ladder, playlist_rungs(ladder))


def no_outputs(ladder: Ladder) -> Outputs:
    """On air, and nothing to fetch. The smallest rung is there for the clock to run on."""
    return Outputs(Ladder(ladder.rungs[-1:]), {})


class Webhook(Struct, frozen=True):
    """Where OME asks, and the secret that it signs with. `timeout` in seconds."""

    url: str
    secret: str
    timeout: float = _OME_TIMEOUT

    async def ask(self, body: bytes) -> tuple[int, bytes] | None:
        """Status and body of the answer; None when there is none in time."""
        headers = {"content-type": "application/json", "x-ome-signature": sign(body, self.secret)}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.timeout)) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


async def transcode(
    hook: Webhook,
    ladder: Ladder,
    place: tuple[str, str, str],
    created: float,
    facts: MediaFacts,
    *,
    audio: bool,
    source: tuple[str, str] = ("Scheduled", ""),
) -> Outputs:
    """Ask about a stream at (vhost, application, name), created then (seconds since the epoch).

    `source` is the type and the URL of what comes in.
    """
    vhost, application, name = place
    source_type, source_url = source
    step = 1 if source_url else 100
    video = {"codec": "H264", "width": facts.width, "height": facts.height, "framerate": facts.framerate}
    tracks: list[dict[str, Any]] = [{"id": 0, "name": "Video", "type": "Video", "video": video}]
    if audio and facts.audio:
        sound = {"codec": "AAC", "channel": 2, "samplerate": 48000}
        tracks.append({"id": step, "name": "Audio", "type": "Audio", "audio": sound})
    tracks.append({"id": 2 * step, "name": "Data", "type": "Data", "data": {"codec": "None"}})
    stream = {
        "application": application,
        "createdTime": timestamp(created),
        "name": name,
        "sourceType": source_type,
        **({"sourceUrl": source_url} if source_url else {}),
        "tracks": tracks,
        "virtualHost": vhost,
    }
    question = json.dumps({"source": source_url, "stream": stream}, indent="\t", separators=(",", " : "))
    answer = await hook.ask(f"{question}\n".encode())
    if answer is None:
        return local_outputs(ladder)
    status, body = answer
    return (profile_outputs(body, facts) if status == 200 else None) or no_outputs(ladder)


class Admission(Struct, frozen=True):
    """What OME asks about a client at (address, port) that comes, and tells when it goes."""

    peer: tuple[str, int]
    direction: str
    protocol: str
    url: str

    def body(self, status: str, now: float, new_url: str = "") -> bytes:
        """As OME sends it at that moment: compact, with its keys in alphabetical order."""
        address, port = self.peer
        request = {
            "direction": self.direction,
            **({"new_url": new_url} if new_url else {}),
            "protocol": self.protocol,
            "status": status,
            "time": timestamp(now),
            "url": self.url,
        }
        client = {"address": address, "port": port, "real_ip": address}
        return json.dumps({"client": client, "request": request}, separators=(",", ":")).encode()


class Admitted(Struct, frozen=True):
    """What OME obeys of an answer: another URL than the one asked for ("": none), and seconds until it is cut off."""

    new_url: str = ""
    lifetime: float | None = None


async def admit(hook: Webhook, admission: Admission, now: float) -> Admitted | None:
    """Ask whether this client may; None for every answer but a plain yes."""
    answer = await hook.ask(admission.body("opening", now))
    if answer is None or answer[0] != 200:
        return None
    try:
        said = _json(answer[1])
    except msgspec.DecodeError:
        return None
    if said.get("allowed") is not True:
        return None
    new_url, lifetime = said.get("new_url"), said.get("lifetime")
    limit = lifetime / 1000 if isinstance(lifetime, int) and lifetime > 0 else None
    return Admitted(new_url if isinstance(new_url, str) else "", limit)


async def admitted(hook: Webhook, peer: tuple[str, int], url: str, now: float) -> bool:
    """Ask whether this client may play that URL."""
    return await admit(hook, Admission(peer, "outgoing", "LLHLS", url), now) is not None


# -- what OME accepts as a profile ------------------------------------------------------------------------------------

_Name = Annotated[str, Meta(min_length=1)]


class _Strict(Struct, forbid_unknown_fields=True, rename="camel"):
    """An unknown key voids the whole answer."""


class _Video(_Strict):
    name: _Name
    codec: str = ""
    bitrate: int = 0
    width: int = 0
    height: int = 0
    framerate: float = 0.0
    key_frame_interval: float = 0.0
    key_frame_interval_type: str = ""
    b_frames: int = 0
    preset: str = ""
    bypass: bool = False


class _Audio(_Strict):
    name: _Name
    codec: str = ""
    bitrate: int = 0
    samplerate: int = 0
    channel: int = 0
    bypass: bool = False
    bypass_if_match: dict[str, str] = {}


class _Encodes(_Strict):
    videos: list[_Video] = []
    audios: list[_Audio] = []


class _Rendition(_Strict):
    name: _Name
    video: str = ""
    audio: str = ""


class _Playlist(_Strict):
    name: _Name
    file_name: _Name
    renditions: list[_Rendition]
    options: dict[str, Any] = {}


class _Profile(_Strict):
    name: _Name
    output_stream_name: _Name
    encodes: _Encodes
    playlists: list[_Playlist] = []


class _Profiles(_Strict):
    output_profile: Annotated[list[_Profile], Meta(min_length=1)]


def profile_outputs(answer: bytes, facts: MediaFacts) -> Outputs | None:
    """The outputs that the first profile of an answer makes of a source; None when OME would have none of it."""
    try:
        said = _json(answer)
        if said.get("allowed") is not True:
            return None
        # Numbers may be strings; everything else has to be exact.
        profile = msgspec.convert(said.get("outputProfiles"), _Profiles, strict=False).output_profile[0]
    except msgspec.DecodeError:
        return None
    videos, audios = profile.encodes.videos, profile.encodes.audios
    if not videos or not all(_encodable(item) for item in videos) or not all(_audible(item) for item in audios):
        return None
    ladder = Ladder(tuple(_rung(video, facts) for video in videos))
    positions = {video.name: position for position, video in enumerate(videos)}
    sounds = {audio.name for audio in audios}
    playlists: dict[str, tuple[int, ...]] = {}
    for playlist in profile.playlists:
        known = all(item.video in positions and item.audio in {"", *sounds} for item in playlist.renditions)
        if playlist.file_name in playlists or not known:
            return None
        playlists[playlist.file_name] = tuple(positions[item.video] for item in playlist.renditions)
    playlists.setdefault("llhls", (len(videos) - 1,))
    return Outputs(ladder, dict(sorted(playlists.items())), audio=bool(audios))


def _encodable(video: _Video) -> bool:
    return video.bypass or (video.codec == "h264" and video.bitrate > 0 and video.preset in _PRESETS)


def _audible(audio: _Audio) -> bool:
    return audio.bypass or (bool(audio.codec) and audio.bitrate > 0)


def _rung(video: _Video, facts: MediaFacts) -> Rung:
    """A side that is not given follows from the source; one that is given is taken, stretched or scaled up."""
    width, height = video.width, video.height
    if not width and not height:
        width, height = facts.width, facts.height
    width = width or round(height * facts.width / facts.height)
    height = height or round(width * facts.height / facts.width)
    return Rung(video.name.removeprefix("video_"), width, height, (video.bitrate or facts.bitrate_kbps * 1000) // 1000)


def _json(body: bytes) -> dict[str, Any]:
    """Raises DecodeError for what is no JSON object."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
