"""VOD copies: where OME dumps them, what they have to hold, and whether it is all there.

The chunklists of a dump carry `EXT-X-ENDLIST` from the first segment on, a dump that a crash cut off looks finished,
and OME's info file says `Completed` of whatever was stopped (measured, v0.20 and v0.21). Only arithmetic tells: every
track must be as long as the source, not shorter and not a second loop longer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from streaming_service.domain.ladder import Ladder, Rung
from streaming_service.errors import InvalidInput

# Its own first segment: nothing that OME serves live begins with it, so a CDN routes by path.
VOD_FOLDER = "vod"

_NAME = r"[A-Za-z0-9_-]{1,200}"
_PREFIX = re.compile(rf"{VOD_FOLDER}/{_NAME}/{_NAME}/")
_PLAYLIST = re.compile(_NAME)
_MAX_EXCESS = 2.0  # seconds; a repeated program or a slate adds a whole loop
_MAX_DRIFT = 1.0  # seconds between the shortest and the longest track


class CopyPlan(Struct, frozen=True, kw_only=True):
    """A VOD copy that OME dumped: where, and what it has to hold.

    `prefix` is below the manifest bucket and ends with `/`. `playlist` (without `.m3u8`) is the full ladder. `rungs`
    are the renditions that must be there, fitted to the source, and `ladder` is what they were fitted from: every cap
    of it needs a playlist. `duration` is the source's in seconds, `tolerance` what may be missing at its end (three
    frames stay in OME's encoder).
    """

    prefix: str
    playlist: str
    rungs: tuple[Rung, ...]
    ladder: Ladder
    duration: float
    tolerance: float
    audio: bool


class CopyVerdict(StrEnum):
    """What a look at a copy found. Of an incomplete one the rest may still arrive; a malformed one stays so."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    MISSING = "missing"
    MALFORMED = "malformed"


class CopyReport(Struct, frozen=True):
    """The verdict and, for a person, what was seen. Of a complete copy: its shortest track in seconds, and its size."""

    verdict: CopyVerdict
    detail: str = ""
    duration: float = 0.0
    files: int = 0
    bytes: int = 0


class Track(Struct, frozen=True):
    """One chunklist of a copy and the sum of its segments in seconds."""

    name: str
    seconds: float


def copy_prefix(application: str, stream: str) -> str:
    """Where the copy of a stream lies in the manifest bucket: `vod/{application}/{stream}/`."""
    prefix = f"{VOD_FOLDER}/{application}/{stream}/"
    check_prefix(prefix)
    return prefix


def check_prefix(prefix: str) -> None:
    """Raises InvalidInput for what is not exactly one copy: a shorter prefix would stand for many."""
    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput("prefix", f"{prefix!r} is not {VOD_FOLDER}/application/stream/")


def check_plan(plan: CopyPlan) -> None:
    """Raises InvalidInput for a plan that no copy can fulfil."""
    check_prefix(plan.prefix)
    if not _PLAYLIST.fullmatch(plan.playlist):
        raise InvalidInput("playlist", f"{plan.playlist!r} is no name of a playlist")
    if not plan.rungs:
        raise InvalidInput("rungs", "a copy needs at least one rung")
    if not plan.duration > 0:
        raise InvalidInput("duration", "the length of the source must be known, or nothing proves that it is all there")


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


def flaw_in_length(plan: CopyPlan, tracks: Sequence[Track]) -> str:
    """Why these tracks are not the whole source, once; empty when they are."""
    shortest = min(tracks, key=lambda track: track.seconds)
    longest = max(tracks, key=lambda track: track.seconds)
    if shortest.seconds < plan.duration - plan.tolerance:
        return f"{shortest.name} holds {shortest.seconds:.2f} s of {plan.duration:.2f} s"
    if longest.seconds > plan.duration + _MAX_EXCESS:
        return f"{longest.name} is too long: {longest.seconds:.2f} s of a source of {plan.duration:.2f} s"
    if longest.seconds - shortest.seconds > _MAX_DRIFT:
        return f"{longest.name} and {shortest.name} differ by {longest.seconds - shortest.seconds:.2f} s"
    return ""
