"""Playlists as the domain sees them."""

import math
from datetime import UTC, datetime

from streaming_service.adapters.http import Response
from streaming_service.adapters.ome.playlist import parse_playlist, resolve
from streaming_service.domain.hls import MediaPlaylist, MediaSegment

_LONGEST_AGE = 60.0  # seconds; nobody keeps a live playlist for longer and still shows it live


def parse_media(text: str, url: str) -> MediaPlaylist | None:
    """The playlist of a rendition; None when this is none, or it has no whole segment."""
    playlist = parse_playlist(text)
    if playlist is None or playlist.is_variant:
        return None
    segments: list[MediaSegment] = []
    begun = 0.0
    for item in playlist.segments:
        if not item.uri:  # still being written: it has parts only
            begun += sum(part.duration or 0.0 for part in item.parts)
            continue
        address, init = resolve(url, item.uri), item.init_section
        if address is None or not _is_duration(item.duration):
            return None
        segments.append(
            MediaSegment(
                url=address,
                seconds=item.duration or 0.0,
                init=resolve(url, init.uri) if init is not None else None,
                at=_moment(item.program_date_time),
                gap=bool(item.gap_tag),
                cut=bool(item.discontinuity),
            )
        )
    if not segments:
        return None
    target = float(playlist.target_duration or 0) or max(segment.seconds for segment in segments)
    sequence = playlist.media_sequence or 0
    return MediaPlaylist(tuple(segments), target, sequence, begun, ended=bool(playlist.is_endlist))


def max_age(answer: Response) -> float:
    """Seconds that a cache on the way may keep this answer, by its own word."""
    parts = (part.partition("=") for part in answer.headers.get("cache-control", "").split(","))
    said = {name.strip().lower(): value.strip(' "') for name, _, value in parts}
    text = said.get("s-maxage", said.get("max-age", ""))
    return min(float(text), _LONGEST_AGE) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _moment(date: datetime | None) -> float | None:
    """Without a zone it is UTC, like everything here."""
    if date is None:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _is_duration(seconds: float | None) -> bool:
    return seconds is not None and math.isfinite(seconds) and seconds >= 0
