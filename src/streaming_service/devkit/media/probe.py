"""What a media file holds, read from what `ffmpeg -i` says about it (the wheel has no ffprobe)."""

import re
from pathlib import Path

from msgspec import Struct

from streaming_service.devkit.media.ffmpeg import run_ffmpeg

_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_VIDEO = re.compile(r"Stream #\S+.*?: Video: (?!.*attached pic).*?, (\d{2,5})x(\d{2,5})[ ,]")
_FRAMERATE = re.compile(r", (\d+(?:\.\d+)?)(k?) fps")
_AUDIO = re.compile(r"Stream #\S+.*?: Audio: ")
_BITRATE = re.compile(r"bitrate: (\d+) kb/s")


class MediaFacts(Struct, frozen=True, kw_only=True):
    """Duration in seconds, size in pixels, frames per second, whole bitrate in kbit/s. No video: width 0."""

    duration: float
    width: int = 0
    height: int = 0
    framerate: float = 25.0
    bitrate_kbps: int = 1000
    audio: bool = True

    @property
    def video(self) -> bool:
        return self.width > 0


async def probe(path: Path) -> MediaFacts | None:
    """Facts of the file, or None when ffmpeg finds no media in it."""
    return parse_facts(await run_ffmpeg(["-i", str(path)], check=False))


def parse_facts(text: str) -> MediaFacts | None:
    """Facts from ffmpeg's description of an input."""
    duration = _DURATION.search(text)
    video = _VIDEO.search(text)
    audio = _AUDIO.search(text) is not None
    if duration is None or not (video or audio):
        return None
    hours, minutes, seconds = duration.groups()
    bitrate = _BITRATE.search(text)
    return MediaFacts(
        duration=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        width=int(video[1]) if video else 0,
        height=int(video[2]) if video else 0,
        framerate=_framerate(text),
        bitrate_kbps=int(bitrate[1]) if bitrate else 1000,
        audio=audio,
    )


def _framerate(text: str) -> float:
    found = _FRAMERATE.search(text)
    if not found:
        return 25.0
    return float(found[1]) * (1000 if found[2] else 1)
