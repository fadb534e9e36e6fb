"""VOD copies: which place is one, which renditions it holds, and whether it is as long as its source.

The chunklists of a dump carry `EXT-X-ENDLIST` from the first segment on, a dump that a crash cut off looks finished,
and OME's info file says `Completed` of whatever was stopped (measured, v0.20 and v0.21). Only arithmetic tells: every
track must be as long as the source, not shorter and not a second loop longer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from streaming_service.domain.ladder import Rung
from streaming_service.domain.placement import COPY_FOLDER
from streaming_service.errors import InvalidInput

_NAME = r"[A-Za-z0-9_-]{1,200}"
_PREFIX = re.compile(rf"{COPY_FOLDER}/{_NAME}/{_NAME}/")
_MAX_EXCESS = 2.0  # seconds; a repeated program or a slate adds a whole loop
_MAX_DRIFT = 1.0  # seconds between the shortest and the longest track, beside what the source's own differ by


class Track(Struct, frozen=True):
    """One chunklist of a copy and the sum of its segments in seconds."""

    name: str
    seconds: float


def check_prefix(prefix: str) -> None:
    """Raises InvalidInput for what is not exactly one copy: a shorter prefix would stand for many."""
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput("prefix", f"{prefix!r} is not {COPY_FOLDER}/application/stream/")


def match_rungs(rungs: Iterable[Rung], sizes: Sequence[tuple[int, int]]) -> Mapping[str, int | None]:
    """Which of the variants, given by their sizes in pixels, stands for each rung; None when none does.

    OME rounds widths up to a multiple of four, and a portrait source has its rungs turned: the short side decides.
    """
    free = {index: min(size) for index, size in enumerate(sizes)}
    matches: dict[str, int | None] = {}
    for rung in rungs:
        side = rung.short_side
        wanted = (side, -(-side // 4) * 4)
        found = next((index for want in wanted for index, has in free.items() if has == want), None)
        matches[rung.name] = found
        if found is not None:
            del free[found]
    return matches


def flaw_in_length(
    tracks: Sequence[Track], duration: float, tolerance: float, shortest_duration: float | None = None
) -> str:
    """Why these tracks are not the whole source, once; empty when they are.

    `duration` is the source's in seconds, `shortest_duration` that of its track which ends first, where that is
    known; `tolerance` is what may be missing at the end of a track.
    """
    least = duration if shortest_duration is None else min(duration, shortest_duration)
    shortest = min(tracks, key=lambda track: track.seconds)
    longest = max(tracks, key=lambda track: track.seconds)
    drift = longest.seconds - shortest.seconds
    if not duration > 0:
        return "the length of the source is not known, so that nothing proves a copy"
    for track, wanted in ((shortest, least), (longest, duration)):
        if track.seconds < wanted - tolerance:
            return f"{track.name} holds {track.seconds:.2f} s of {wanted:.2f} s"
    if longest.seconds > duration + _MAX_EXCESS:
        return f"{longest.name} is too long: {longest.seconds:.2f} s of a source of {duration:.2f} s"
    if drift > max(_MAX_DRIFT, tolerance) + duration - least:
        return f"{longest.name} and {shortest.name} differ by {drift:.2f} s"
    return ""
