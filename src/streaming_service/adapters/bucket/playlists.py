"""The playlists of a dump: read with a player's eyes, changed line by line, so that what is right stays as it is."""

import math
import re
from collections.abc import Collection

import m3u8
from msgspec import Struct

_VARIANT = "#EXT-X-STREAM-INF:"
_DURATION = "#EXTINF:"
_TARGET = "#EXT-X-TARGETDURATION:"
_END = "#EXT-X-ENDLIST"
# What a URI in a dump may be: a file beside the playlist, and nothing that leads anywhere else.
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}")
_MAX_SECONDS = 1e6


class MalformedPlaylist(Exception):
    """This is not a playlist as OME dumps them; the text says what is wrong."""


class UnfinishedPlaylist(Exception):
    """It may be only half written; the text says what is missing."""


class Variant(Struct, frozen=True):
    """A rendition's chunklist, picture size in pixels, and the group of its audio."""

    uri: str
    size: tuple[int, int]
    audio: str


class Master(Struct, frozen=True):
    """A multivariant playlist: `audio` are the groups that have a chunklist, `chunklists` all there are."""

    text: str
    variants: tuple[Variant, ...]
    audio: frozenset[str]
    chunklists: tuple[str, ...]


class Chunklist(Struct, frozen=True):
    """A media playlist: its files, its segments' seconds, and the last segment with its init segment."""

    text: str
    files: frozenset[str]
    seconds: tuple[float, ...]
    target: int
    last: str
    last_init: str


def parse_master(text: str) -> Master:
    """Raises MalformedPlaylist or UnfinishedPlaylist."""
    if not text.endswith("\n"):
        raise UnfinishedPlaylist("is cut off")
    playlist = _parse(text)
    if not playlist.is_variant or not playlist.playlists:
        raise UnfinishedPlaylist("lists no variants")
    if _count(text, _VARIANT) != len(playlist.playlists):
        raise UnfinishedPlaylist("has a variant without a URI")
    variants = tuple(
        Variant(_file(item.uri), item.stream_info.resolution or (0, 0), item.stream_info.audio or "")
        for item in playlist.playlists
    )
    media = [item for item in playlist.media if item.uri]
    files = dict.fromkeys([variant.uri for variant in variants] + [_file(item.uri) for item in media])
    audio = frozenset(item.group_id or "" for item in media if item.type == "AUDIO")
    return Master(text, variants, audio, tuple(files))


def parse_chunklist(text: str) -> Chunklist:
    """Raises MalformedPlaylist or UnfinishedPlaylist."""
    if not text.rstrip().endswith(_END):
        raise UnfinishedPlaylist("is cut off")
    playlist = _parse(text)
    if playlist.is_variant or not playlist.segments:
        raise MalformedPlaylist("lists no segments")
    if not playlist.target_duration:
        raise MalformedPlaylist("has no target duration")
    files: set[str] = set()
    seconds: list[float] = []
    init = last = ""
    for segment in playlist.segments:
        section = segment.init_section
        if section is None:
            raise MalformedPlaylist("has a segment without an init segment")
        last, init = _file(segment.uri), _file(section.uri)
        files.update((last, init))
        seconds.append(_seconds(segment.duration))
    return Chunklist(text, frozenset(files), tuple(seconds), int(playlist.target_duration), last, init)


def with_variants(text: str, keep: Collection[int]) -> str:
    """A multivariant playlist with only some of its variants, counted from 0; everything else stays."""
    lines: list[str] = []
    index, keeping, inside = -1, True, False
    for line in text.splitlines(keepends=True):
        content = line.strip()
        if content.startswith(_VARIANT):
            index += 1
            inside, keeping = True, index in keep
        if keeping or not inside:
            lines.append(line)
        if inside and content and not content.startswith("#"):
            inside = False
    return "".join(lines)


def with_last_duration(text: str, seconds: float) -> str:
    """A media playlist with another duration of its last segment."""
    lines = text.splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines) if line.strip().startswith(_DURATION))
    lines[last] = re.sub(r"(?<=#EXTINF:)[^,\s]*", f"{seconds:.6f}", lines[last], count=1)
    return "".join(lines)


def with_target(text: str, seconds: int) -> str:
    """A media playlist with another target duration."""
    return "".join(
        re.sub(r"(?<=#EXT-X-TARGETDURATION:)\S*", str(seconds), line, count=1)
        if line.strip().startswith(_TARGET)
        else line
        for line in text.splitlines(keepends=True)
    )


def _count(text: str, tag: str) -> int:
    return sum(line.strip().startswith(tag) for line in text.splitlines())


def _seconds(duration: float | None) -> float:
    if duration is None or not math.isfinite(duration) or not 0 <= duration <= _MAX_SECONDS:
        raise MalformedPlaylist(f"has a segment of {duration} s")
    return duration


def _file(uri: str | None) -> str:
    if not uri or not _FILE.fullmatch(uri):
        raise MalformedPlaylist(f"names {uri!r}, which is no file beside it")
    return uri


def _parse(text: str) -> m3u8.M3U8:
    if not text.startswith("#EXTM3U"):
        raise MalformedPlaylist("is no playlist")
    try:
        return m3u8.loads(text)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError) as error:
        # The library meets malformed lines with whatever its parsing ran into.
        raise MalformedPlaylist(f"cannot be read: {error}") from error
