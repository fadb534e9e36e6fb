"""Origins, the fleet they make, and where media lies."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from streaming_service.domain.content import Classification
from streaming_service.domain.ladder import Ladder, Rung
from streaming_service.domain.placement import Placement


class Playability(StrEnum):
    """What a look at a manifest found."""

    PLAYABLE = "playable"
    NOT_YET = "not_yet"
    INCOMPLETE = "incomplete"
    MALFORMED = "malformed"
    NO_MEDIA = "no_media"


class PlayabilityReport(Struct, frozen=True):
    """The verdict and, for a person, what was seen.

    Of what is playable: the rungs it has, fitted to the source where that is done, and when the stream began.
    """

    verdict: Playability
    detail: str = ""
    fitted: tuple[Rung, ...] | None = None
    appeared: datetime | None = None


class Started(Struct, frozen=True):
    """OME holds a channel. `at` is its media time 0; `recorded`: a copy is made of it from there on."""

    at: datetime
    recorded: bool = False


class RecordingState(StrEnum):
    """How a recording goes. What was interrupted can never become a whole copy."""

    RUNNING = "running"
    ENDED = "ended"
    INTERRUPTED = "interrupted"


class StreamFigures(Struct, frozen=True):
    """What an OME counts of a stream.

    viewers       open connections of LL-HLS, WebRTC and SRT players to it: not people
    bitrate_kbps  what comes in now: the source's bitrate, not that of its renditions
    bytes_out     sent since the stream began
    """

    viewers: int
    bitrate_kbps: float
    bytes_out: int


class Origin(Protocol):
    """One OME. Unreachable: UpstreamUnavailable; a refusal that stays: UpstreamRejected."""

    name: str

    async def start(self, placement: Placement, now: datetime) -> Started:
        """Make OME hold exactly this scheduled channel, and record it when it is to be. Repeating it is safe."""
        ...

    async def holds(self, placement: Placement) -> bool:
        """Whether OME knows the channel."""
        ...

    async def recording(self, placement: Placement) -> RecordingState:
        """Where a channel that is recorded stands."""
        ...

    async def conclude(self, placement: Placement) -> None:
        """Everything that was recorded is on disk when this returns. Repeating it is safe."""
        ...

    async def kick(self, application: str, ingest: str, connected_before: datetime) -> bool:
        """Cut whoever has pushed to this stream since before then. False when there is nobody like that."""
        ...

    async def stop(self, application: str, stream: str) -> bool:
        """Remove it. True once OME no longer knows it; False while it is still going away."""
        ...

    async def streams(self, application: str) -> frozenset[str]:
        """Names of all scheduled channels of an application."""
        ...

    async def playability(self, placement: Placement) -> PlayabilityReport:
        """Does the manifest list every rung, and does the first media segment download?"""
        ...

    async def appearance(self, placement: Placement) -> PlayabilityReport:
        """What OME made of the channel's source, without looking whether viewers get it."""
        ...

    async def booted_at(self) -> datetime | None:
        """When this OME came up, by its own clock; None when it does not say."""
        ...

    async def figures(self, application: str, stream: str) -> StreamFigures | None:
        """What is counted of a stream; None when OME does not know it."""
        ...

    async def position(self, application: str, stream: str) -> float | None:
        """How far the playlist of a stream goes: seconds, of which only differences mean something.

        None when it is not playing, or has ended.
        """
        ...

    async def starved_of_audio(self, placement: Placement) -> bool:
        """True when the channel is on air and yet stands at its beginning: its source lacks the audio we asked for."""
        ...


class Candidate(Struct, frozen=True):
    """An origin that may take a channel, and how many it may hold now."""

    origin: str
    capacity: int


class Fleet(Protocol):
    """The origins there are, as far as this process knows. Answers from memory."""

    def candidates(self, classification: Classification, application: str, key: str) -> tuple[Candidate, ...]:
        """The healthy origins for such channels; `key` decides which comes first, always the same one."""
        ...

    def given_up(self) -> frozenset[str]:
        """Origins whose channels are to be placed on others, because they are down and others are not."""
        ...

    def leaving(self) -> frozenset[str]:
        """Origins that an operator wants emptied, without a gap for viewers."""
        ...

    def origin(self, name: str) -> Origin:
        """The origin of that name. Raises NotFound when it is no longer part of the fleet, and UpstreamUnavailable as
        long as no fleet is known."""
        ...

    def names(self) -> tuple[str, ...]: ...


class CopyPlan(Struct, frozen=True, kw_only=True):
    """A VOD copy that OME made: where, and what it has to hold.

    prefix     below the manifest bucket, with a slash at its end
    playlist   name of the playlist with all rungs
    rungs      the renditions that must be there, fitted to the source; `ladder` is what they were fitted from
    duration   of the source, of which `tolerance` may be missing at the end; both in seconds
    shortest   duration of the track that ends first, where that is known
    """

    prefix: str
    playlist: str
    rungs: tuple[Rung, ...]
    ladder: Ladder
    duration: float
    tolerance: float
    audio: bool
    shortest: float | None = None


class CopyVerdict(StrEnum):
    """What a look at a copy found."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    MALFORMED = "malformed"
    MISSING = "missing"


class CopyReport(Struct, frozen=True):
    """The verdict and, for a person, what was seen. `duration` in seconds, `bytes` of all `files`."""

    verdict: CopyVerdict
    detail: str = ""
    duration: float = 0.0
    files: int = 0
    bytes: int = 0


class ManifestBucket(Protocol):
    """Where VOD copies lie. Unreachable: UpstreamUnavailable; a refusal that stays: UpstreamRejected."""

    async def finish(self, plan: CopyPlan) -> CopyReport:
        """Look whether the copy is complete, mend what OME is known to get wrong, add what it does not write.

        Repeating it is safe.
        """
        ...

    async def remove(self, prefix: str) -> None:
        """Delete everything below it. Nothing there is fine."""
        ...

    async def check(self) -> None:
        """Raises when it cannot be read or written."""
        ...


class MediaFacts(Struct, frozen=True):
    """What an upload holds. Sides in pixels, durations in seconds; None: the container does not say.

    `shortest` is the duration of the track that ends first.
    """

    video: bool
    audio: bool
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    shortest: float | None = None


class MediaLibrary(Protocol):
    """Reads uploads."""

    async def inspect(self, source_uri: str) -> MediaFacts | None:
        """What the file holds; None when this container cannot be read by us. Raises NotFound when it is not there."""
        ...
