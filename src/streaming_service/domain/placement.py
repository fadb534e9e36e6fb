"""One start of a channel on one origin: its names, where it lies, and what became of it."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from streaming_service.domain.ladder import Ladder, Rung

COPY_FOLDER = "vod"

# Until then a channel that OME was just asked for may not have been seen by it.
SETTLE = timedelta(seconds=2)

_TOLERANCE = 0.3
_STATED_TOLERANCE = 1.0
_SHORTEST_LIVE = 5.0  # seconds: three segments of two seconds have begun by then

_OURS = re.compile(r"([0-9a-f]{32})-[1-9][0-9]*")
_INGEST = "live"
_OURS_OR_INGEST = re.compile(rf"([0-9a-f]{{32}})-([1-9][0-9]*|{_INGEST})")


class Copy(Struct, frozen=True):
    """A verified VOD copy in the manifest bucket. `duration` in seconds; `bytes` of all its files."""

    published_at: datetime
    duration: float
    files: int
    bytes: int


class Placement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One start of a channel on one origin. The stream name is fresh in every incarnation, so that a URL that a CDN
    has cached is never used for other bytes.

    seat         which of the origin's places it takes; no two placements have the same one
    live         it plays what is pushed to `ingest_stream`, and the file while nobody pushes
    publish      OME makes a VOD copy of it in the manifest bucket
    duration     of the source in seconds, where that is known; `measured` by us, or only stated by its sender
    shortest     duration of the source's track that ends first, likewise
    fitted       the rungs it really has, once it was seen playing
    appeared     when OME says that its stream began: another moment later on means that OME restarted
    copy         the finished VOD copy; viewers are sent there, and the stream on OME is released
    """

    incarnation: int
    origin: str
    application: str
    stream: str
    media_path: str
    media_hash: str
    checksum: str
    rungs: tuple[Rung, ...]
    audio: bool
    placed_at: datetime
    started_at: datetime | None = None
    seat: int = 0
    live: bool = False
    publish: bool = False
    duration: float | None = None
    shortest: float | None = None
    measured: bool = True
    fitted: tuple[Rung, ...] | None = None
    appeared: datetime | None = None
    copy: Copy | None = None

    @property
    def path(self) -> str:
        """Where everything that viewers fetch lives below the CDN's base URL (and OME's playback base URL)."""
        return f"/{self.copy_prefix}" if self.copy else f"/{self.application}/{self.stream}/"

    @property
    def copy_prefix(self) -> str:
        """Where the VOD copy lies in the manifest bucket. A path of its own: a CDN tells it from OME's by it."""
        return f"{COPY_FOLDER}/{self.application}/{self.stream}/"

    @property
    def ingest_stream(self) -> str:
        """The stream on OME that whoever pushes to a live content becomes, the same for all its starts."""
        return f"{self.stream.rpartition('-')[0]}-{_INGEST}"

    @property
    def on_ome(self) -> bool:
        """An origin holds it, or is about to."""
        return self.copy is None

    @property
    def recording(self) -> bool:
        """OME is to make a VOD copy of it, and has not finished."""
        return self.publish and self.copy is None

    @property
    def tolerance(self) -> float:
        """Seconds that a copy may lack at its end: a few frames stay in OME's encoder."""
        return _TOLERANCE if self.measured else _STATED_TOLERANCE

    @property
    def short(self) -> bool:
        """So short that OME's playlists never answer while it plays: they wait for a third segment (measured)."""
        return self.duration is not None and self.duration < _SHORTEST_LIVE

    @property
    def ends_at(self) -> datetime | None:
        """When a recording is over."""
        if self.started_at is None or self.duration is None:
            return None
        return self.started_at + timedelta(seconds=self.duration)

    @property
    def ladder(self) -> Ladder:
        return Ladder(self.rungs)


class Draining(Struct, frozen=True, omit_defaults=True):
    """Something to take away, not before the last URL for it has expired: a stream on OME, or the files of a copy."""

    placement: Placement
    not_before: datetime
    copy: bool = False


def stream_name(prefix: str, content_id: str, incarnation: int) -> str:
    """Deterministic and never used twice: prefix, the content's 32 hex digits, the incarnation."""
    return f"{prefix}{UUID(content_id).hex}-{incarnation}"


def ingest_name(prefix: str, content_id: str) -> str:
    """`Placement.ingest_stream` of a content, known before it has a placement."""
    return f"{prefix}{UUID(content_id).hex}-{_INGEST}"


def owner_of(prefix: str, stream: str) -> str | None:
    """The content id inside one of our channels' stream names; None for a name that we did not make."""
    found = _OURS.fullmatch(stream.removeprefix(prefix)) if stream.startswith(prefix) else None
    return str(UUID(hex=found[1])) if found else None


def concerned(prefix: str, stream: str) -> str | None:
    """The content id inside a stream name, of a channel or of what is pushed to one; None when it is not ours."""
    found = _OURS_OR_INGEST.fullmatch(stream.removeprefix(prefix)) if stream.startswith(prefix) else None
    return str(UUID(hex=found[1])) if found else None


def given_up(building: Placement | None, now: datetime) -> tuple[Draining, ...]:
    """OME looks for new channels every half second: one that is deleted before it was seen comes up all the same."""
    return _gone(building, now + SETTLE) if building else ()


def replaced(placement: Placement | None, not_before: datetime) -> tuple[Draining, ...]:
    """What is to be taken away of something that viewers may still hold URLs of."""
    return _gone(placement, not_before) if placement else ()


def _gone(placement: Placement, not_before: datetime) -> tuple[Draining, ...]:
    """Its stream where an origin holds it, and its copy, whole or half, where one was made."""
    stream = (Draining(placement, not_before),) if placement.on_ome else ()
    return (*stream, Draining(placement, not_before, copy=True)) if placement.publish else stream


def same(one: Draining, other: Draining) -> bool:
    """Whether both are about the same stream, or the same copy."""
    return one.copy == other.copy and one.placement.stream == other.placement.stream
