"""Does a manifest really play? Read as a player would, judged as an operator would."""

from collections import Counter
from collections.abc import Iterable
from urllib.parse import urljoin

import m3u8
from msgspec import Struct

from streaming_service.domain.ladder import Rung


class Multivariant(Struct, frozen=True):
    """The parts of a multivariant playlist that matter: absolute variant URLs and their picture sizes."""

    variants: tuple[tuple[str, int, int], ...]

    def missing(self, rungs: Iterable[Rung]) -> list[str]:
        """Names of the rungs that no variant stands for.

        OME rounds widths up to a multiple of four, and a portrait source has its rungs turned: the short side decides.
        """
        sides = Counter(min(width, height) for _, width, height in self.variants)
        missing: list[str] = []
        for rung in rungs:
            side = rung.short_side
            found = next((candidate for candidate in (side, -(-side // 4) * 4) if sides[candidate]), None)
            if found is None:
                missing.append(rung.name)
            else:
                sides[found] -= 1
        return missing


def parse_multivariant(text: str, url: str) -> Multivariant | None:
    """None when this is no multivariant playlist."""
    playlist = parse_playlist(text)
    if playlist is None or not playlist.is_variant:
        return None
    variants: list[tuple[str, int, int]] = []
    for item in playlist.playlists:
        address = resolve(url, item.uri)
        if address is None:
            return None
        width, height = item.stream_info.resolution or (0, 0)
        variants.append((address, width, height))
    return Multivariant(tuple(variants))


def first_media(text: str, url: str) -> tuple[str | None, str] | None:
    """Absolute URLs of the init segment (if any) and of the first media segment; None when there is none yet."""
    playlist = parse_playlist(text)
    if playlist is None or playlist.is_variant or not playlist.segments:
        return None
    # A segment that is still being written has parts and no URI yet.
    segment = next((item for item in playlist.segments if item.uri), None)
    if segment is None:
        return None
    address, section = resolve(url, segment.uri), segment.init_section
    init = resolve(url, section.uri) if section is not None and section.uri else None
    return (init, address) if address else None


def end_of_media(text: str) -> float | None:
    """How far a media playlist goes, unfinished segments included, in seconds since the epoch by the stream's clock.

    OME dates segments by their media time from the first one on, so this falls behind the wall clock when OME does.
    None when nothing is dated, or the stream has ended.
    """
    playlist = parse_playlist(text)
    if playlist is None or playlist.is_variant or playlist.is_endlist:
        return None
    # What is still being written has parts, no URI and, as the library reads it, no date.
    begun = sum((part.duration or 0.0) for item in playlist.segments if not item.uri for part in item.parts)
    last = next((item for item in reversed(playlist.segments) if item.uri and item.program_date_time), None)
    if last is None or last.program_date_time is None:
        return None
    return last.program_date_time.timestamp() + (last.duration or 0.0) + begun


def resolve(base: str, uri: str | None) -> str | None:
    """The absolute URL of what a playlist at `base` names; None when it is none."""
    try:
        return urljoin(base, uri) if uri else None
    except ValueError:
        return None


def parse_playlist(text: str) -> m3u8.M3U8 | None:
    """None when this is no playlist at all."""
    if not text.startswith("#EXTM3U"):
        return None
    try:
        return m3u8.loads(text)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError):
        # The library meets malformed lines with whatever its parsing ran into.
        return None
