"""Following a stream from its outputs to media bytes, whatever the playlists are called."""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import m3u8

from streaming_service.devkit.media import run_ffmpeg
from tests.contract.ome.target import APP, Answer, Target


async def ladder_path(ome: Target, name: str) -> str:
    """Path of the playlist with the most renditions among those that the HLS port serves."""
    found = await ome.until(
        lambda: ome.ask("GET", ome.streams(name)),
        lambda answer: bool(answer.status == 200 and answer.response["outputs"]),
    )
    # Those two belong to other publishers.
    lists: list[dict[str, Any]] = [
        playlist
        for output in found.response["outputs"]
        if output["name"] == name
        for playlist in output["playlists"]
        if playlist["name"] not in {"webrtc_default", "hls_default"}
    ]
    best = max(lists, key=lambda playlist: len(playlist["renditions"]))
    return path_of(name, best["fileName"])


def path_of(name: str, playlist: str) -> str:
    return f"/{APP}/{name}/{playlist}.m3u8"


async def playable(ome: Target, name: str) -> tuple[str, m3u8.M3U8, set[int]]:
    """URL and content of the ladder once it plays, and every status seen on the way."""
    path = await ladder_path(ome, name)
    seen: set[int] = set()

    async def look() -> Answer:
        answer = await ome.fetch(path)
        seen.add(answer.status)
        assert answer.status == 200 or not answer.content, "an answer that is not 200 has no body"
        return answer

    answer = await ome.until(look, lambda found: found.status == 200)
    return ome.playback_url + path, m3u8.loads(answer.text), seen


async def chunklist(ome: Target, base: str, uri: str | None, *, segments: int = 1) -> tuple[str, m3u8.M3U8]:
    """URL and content of a media playlist with at least so many segments."""
    assert uri
    answer = await ome.until(
        lambda: ome.fetch(uri, base),
        lambda found: found.status == 200 and len(whole_segments(found.text).segments) >= segments,
    )
    return urljoin(base, uri), whole_segments(answer.text)


async def unanswered(ome: Target, uri: str, base: str, *, seconds: float = 1.5) -> bool:
    """Whether a request is held for so long at least; OME holds what never comes until the client gives up."""
    try:
        async with asyncio.timeout(seconds):
            await ome.fetch(uri, base)
    except TimeoutError:
        return True
    return False


def whole_segments(text: str) -> m3u8.M3U8:
    """A chunklist without the segment at its end that so far consists of parts only."""
    playlist = m3u8.loads(text)
    playlist.segments[:] = [segment for segment in playlist.segments if segment.uri]
    return playlist


async def media(ome: Target, base: str, playlist: m3u8.M3U8, count: int = 1) -> bytes:
    """The init segment and the first segments as one file."""
    uris = [playlist.segment_map[0].uri, *(segment.uri for segment in playlist.segments[:count])]
    parts: list[bytes] = []
    for uri in uris:
        assert uri
        answer = await ome.fetch(uri, base)
        assert answer.status == 200, uri
        assert answer.headers["Content-Type"] in {"video/mp4", "audio/mp4"}
        parts.append(answer.content)
    return b"".join(parts)


def seconds(playlist: m3u8.M3U8) -> float:
    """What the listed segments last together."""
    return sum(segment.duration or 0.0 for segment in playlist.segments)


def bandwidth(variant: m3u8.Playlist) -> int:
    return variant.stream_info.bandwidth or 0


async def decoded_frames(path: Path, content: bytes) -> int:
    """How many pictures or pieces of sound ffmpeg decodes from it; one decoding error fails."""
    checksums = path.with_suffix(".crc")
    await asyncio.to_thread(path.write_bytes, content)
    errors = await run_ffmpeg(
        ["-loglevel", "error", "-xerror", "-y", "-i", str(path), "-f", "framecrc", str(checksums)]
    )
    assert not errors.strip(), errors
    return len(re.findall(r"^\d", await asyncio.to_thread(checksums.read_text), re.MULTILINE))
