"""What a probe concludes from what it met on the way from a manifest to a media segment. Pure: no clock, no network."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from streaming_service.domain.hls import MediaPlaylist
from streaming_service.domain.ladder import Rung
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.domain.vod import match_rungs

# A server has a new version of a live playlist within 1.5 target durations (RFC 8216, section 6.2.1).
_LATEST_UPDATE = 1.5
_SLACK = 1.0  # seconds; clocks, and the way there
# A cache further away may still have an older version; a playlist that begins anew goes back farther than that.
_STEPS_BACK = 3
# Dates are rounded to frames and milliseconds; less than this much of a target duration is no hole.
_LARGEST_SEAM = 0.5
_SMALLEST_HOLE = 1.0

_LONGEST_SEGMENT = 10.0
# Whoever buffers less than this far ahead stumbles over every network.
_SHORTEST_PLAY = 1.0
# Somebody waits for the answer of a patient probe.
LONGEST_WAIT = 15.0

_REFUSED = frozenset({401, 403})
_MISSING = frozenset({404, 410})


class Look(Struct, frozen=True):
    """One look at a live playlist: how far it went, and since when it went exactly so far, by a clock in seconds."""

    head: tuple[int, float]
    since: float


def judge_status(status: int, *, listed: bool = False) -> ProbeVerdict | None:
    """What an answer's status says; None: it is the one that players want. `listed`: a playlist promised it.

    We signed the URL ourselves, so a refusal is about the signature.
    """
    if status == 200:
        return None
    if status in _REFUSED:
        return ProbeVerdict.SIGNATURE_REJECTED
    return ProbeVerdict.GAP if listed and status in _MISSING else ProbeVerdict.HTTP_ERROR


def judge_silence(status: int | None, seconds: float, timeout: float) -> ProbeVerdict:
    """There was no whole answer: `status` is what had come of it after `seconds`. One that only took too long is
    SLOW."""
    return ProbeVerdict.SLOW if status is not None and seconds >= timeout else ProbeVerdict.UNREACHABLE


def lacking(rungs: Iterable[Rung], sizes: Sequence[tuple[int, int]]) -> list[str]:
    """Names of the promised rungs that no variant, given by its size in pixels, stands for."""
    return [name for name, found in match_rungs(rungs, sizes).items() if found is None]


def hole_in(playlist: MediaPlaylist) -> str:
    """What a player would stumble over, for a person; empty when it is unbroken."""
    first = playlist.first_played
    if first.gap:
        return "the playlist says itself that the segment is missing"
    seam = max(_SMALLEST_HOLE, _LARGEST_SEAM * playlist.target)
    for before, after in zip(playlist.segments, playlist.segments[1:], strict=False):
        if before.at is None or after.at is None or after.cut:
            continue
        hole = after.at - before.at - before.seconds
        if hole > seam:
            return f"{hole:.1f} s are missing in the playlist"
    return ""


def looked(before: Look | None, playlist: MediaPlaylist, now: float) -> Look:
    """The look to remember. What has not got any farther has stood still since it was first seen there."""
    if before and playlist.head <= before.head and not went_back(before, playlist):
        return before
    return Look(playlist.head, now)


def went_back(before: Look | None, playlist: MediaPlaylist) -> bool:
    """The playlist began anew: who was watching has lost what is in between."""
    return before is not None and before.head[0] - playlist.head[0] > _STEPS_BACK


def longest_pause(playlist: MediaPlaylist, max_age: float) -> float:
    """How many seconds a live playlist may stand still. `max_age`: how long a cache may keep it, in seconds."""
    return _LATEST_UPDATE * playlist.target + max_age + _SLACK


def is_stale(look: Look, playlist: MediaPlaylist, max_age: float, now: float) -> bool:
    """It does not advance. Takes two looks: the first one says nothing."""
    return not playlist.ended and now - look.since > longest_pause(playlist, max_age)


def segment_limit(timeout: float, duration: float) -> float:
    """How many seconds a segment may take: as long as it plays, within reason, for a playlist may say anything."""
    return max(timeout, min(duration, _LONGEST_SEGMENT))


def longest_journey(timeout: float, *, patient: bool) -> float:
    """More seconds than any journey takes: two playlists, an init segment and a segment, and perhaps the pauses."""
    return 2 * timeout + 2 * max(timeout, _LONGEST_SEGMENT) + (LONGEST_WAIT + timeout if patient else 0.0) + _SLACK


def is_slow(playlists: float, timeout: float, segment: float, duration: float) -> bool:
    """A player would wait too long for the playlists, or play faster than the segment comes. All in seconds."""
    return playlists > timeout or segment > max(duration, _SHORTEST_PLAY)
