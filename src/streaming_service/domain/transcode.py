"""What OME is told to make of a source: the ladder fitted to it, as an output profile.

The profile's shape and its rules are OME's (`TranscodeWebhook`, measured on v0.20 and v0.21): an unknown key, a file
name twice or a rung without bitrate voids the whole answer, and the stream stays without outputs for ever.
"""

from collections.abc import Mapping
from typing import Any

from streaming_service.domain.ladder import MASTER_PLAYLIST, Ladder, Rung

SMALLEST_PLAYLIST = "llhls"

_AUDIO = "aac_audio"
_AUDIO_KBPS = 128
_FLOOR_KBPS = 64
# OME's encoder names; what it calls slower, slow, medium and fast costs more than a channel may have.
_PRESET = "faster"
_RATES = (23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 100.0, 119.88, 120.0)
_RATE_TOLERANCE = 0.004
_MAX_RATE = 240.0
# Frames that wait for a later one when a source has B-frames: 2 with a pyramid (what x264 does by itself), else 1.
_REORDERED = (2, 1)


def fit(ladder: Ladder, width: int, height: int) -> tuple[Rung, ...]:
    """The rungs for a source of this size in pixels, as it is displayed; a size of 0 is unknown and changes nothing.

    A rung whose short side exceeds the source's is dropped: OME would scale up. Each other one keeps its short side
    and takes the source's shape, so a portrait source has its rungs turned and nothing is stretched. When none is
    left, the source's own size is the only rung; it is named as the ladder's smallest, so that every playlist that
    holds the smallest holds it. Sides are multiples of 4, because OME rounds up to those (measured, v0.21: 854 becomes
    856, upright too). A rung with fewer pixels than its preset has its bitrate lowered in proportion. Fitting again
    changes nothing.
    """
    if min(width, height) < 2:
        return ladder.rungs
    side = min(width, height)
    fitting = tuple(_shaped(rung, rung.short_side, width, height) for rung in ladder.rungs if rung.short_side <= side)
    return fitting or (_shaped(ladder.rungs[-1], side, width, height),)


def _shaped(rung: Rung, side: int, width: int, height: int) -> Rung:
    """`rung` with this short side in the shape of the source."""
    small, large = min(width, height), max(width, height)
    # Rounded up, as OME does itself, unless that is more than there is.
    short = min(-(-side // 4) * 4, _fours(small))
    long = min(int(short * large / small / 4 + 0.5) * 4 or short, _fours(large))
    share = min(1.0, short * long / (rung.width * rung.height))
    kbps = max(round(rung.bitrate_kbps * share), min(rung.bitrate_kbps, _FLOOR_KBPS))
    turned = height > width
    return Rung(rung.name, short if turned else long, long if turned else short, kbps)


def _fours(side: int) -> int:
    return side // 4 * 4 or 2


def frame_rate(measured: float, *, b_frames: bool) -> float | None:
    """Frames per second of a source, from what OME measured; None when that cannot be told.

    OME counts the frames of the first second. With B-frames one or two of the next second are among them: 25 is
    reported as 26 or 27, 29.97 as 31.97 (measured, v0.21). The usual rate that explains the measurement best is meant.
    """
    if not 1 <= measured <= _MAX_RATE:
        return None
    excess = _REORDERED if b_frames else (0,)
    found = min(
        (abs(measured - extra - rate) / rate, position, rate)
        for position, extra in enumerate(excess)
        for rate in _RATES
    )
    if found[0] <= _RATE_TOLERANCE:
        return found[2]
    return None if b_frames else round(measured, 3)


def output_profile(
    rungs: tuple[Rung, ...],
    *,
    audio: bool,
    framerate: float | None = None,
    playlist: str = MASTER_PLAYLIST,
    ladder: Ladder | None = None,
) -> dict[str, Any]:
    """One `outputProfile` for these rungs (best first) with sound if there is `audio`.

    Its playlists: `playlist` with every rung, one for each cap, named as `Ladder.playlist` names it, and `llhls` with
    the smallest. `ladder` is what the rungs were fitted from: caps of rungs that were dropped have their playlist
    too, so that whatever a viewer may be sent to exists. `framerate` in frames per second.
    """
    return {
        "name": "ladder",
        "outputStreamName": "${OriginStreamName}",
        "encodes": _encodes(rungs, audio=audio, framerate=framerate),
        "playlists": [
            {"name": name, "fileName": name, "renditions": [_rendition(rung, audio=audio) for rung in held]}
            for name, held in playlists(rungs, playlist, ladder).items()
        ],
    }


def playlists(
    rungs: tuple[Rung, ...], playlist: str = MASTER_PLAYLIST, ladder: Ladder | None = None
) -> Mapping[str, tuple[Rung, ...]]:
    """The file names (without `.m3u8`) of a stream's playlists, and the rungs in each."""
    names = [rung.name for rung in (ladder.rungs if ladder else rungs)]
    made = {playlist: rungs}
    for first in range(1, len(names)):
        below = set(names[first:])
        made.setdefault(f"max-{names[first]}", tuple(rung for rung in rungs if rung.name in below) or rungs[-1:])
    made.setdefault(SMALLEST_PLAYLIST, rungs[-1:])
    return made


def bypass_profile() -> dict[str, Any]:
    """The `outputProfile` of a stream that is passed on as it is: somebody else makes renditions of it."""
    return {
        "name": "bypass",
        "outputStreamName": "${OriginStreamName}",
        "encodes": {
            "videos": [{"name": "bypass_video", "bypass": True}],
            "audios": [{"name": "bypass_audio", "bypass": True}],
        },
    }


def _encodes(rungs: tuple[Rung, ...], *, audio: bool, framerate: float | None) -> dict[str, Any]:
    # One key frame a second: segments of 2 s end on one, whatever the rate. Without a rate OME does that by itself.
    pace = {"framerate": framerate, "keyFrameInterval": round(framerate)} if framerate else {}
    videos = [
        {
            "name": _video(rung),
            "codec": "h264",
            "bitrate": rung.bitrate_kbps * 1000,
            "width": rung.width,
            "height": rung.height,
            "preset": _PRESET,
            **pace,
        }
        for rung in rungs
    ]
    if not audio:
        return {"videos": videos}
    sound = {
        "name": _AUDIO,
        "codec": "aac",
        "bitrate": _AUDIO_KBPS * 1000,
        "samplerate": 48_000,
        "channel": 2,
        "bypassIfMatch": {"codec": "eq"},
    }
    return {"videos": videos, "audios": [sound]}


def _rendition(rung: Rung, *, audio: bool) -> dict[str, str]:
    return {"name": rung.name, "video": _video(rung), **({"audio": _AUDIO} if audio else {})}


def _video(rung: Rung) -> str:
    return f"video_{rung.name}"
