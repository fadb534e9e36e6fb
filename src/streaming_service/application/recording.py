"""Make the VOD copy of a channel while OME plays it: watch it to its end, conclude it, prove that it is complete.

OME writes a copy that looks finished from its first segment on, so nothing but arithmetic proves one
(`ManifestBucket.finish`). Whatever interrupts a recording spoils it: another one begins under a new name.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from streaming_service.application.ports import (
    Clock,
    CopyPlan,
    CopyReport,
    CopyVerdict,
    ManifestBucket,
    Origin,
    RecordingState,
)
from streaming_service.domain.channel import WATCH_INTERVAL
from streaming_service.domain.placement import Copy, Placement
from streaming_service.errors import NotFound

INTERRUPTED = "recording_interrupted"
INCOMPLETE = "copy_incomplete"

_STANDS_STILL = 1.5  # seconds
_LOOKS_FOR_LAST_FRAMES = 60
_NEAR = timedelta(seconds=2)
_OVERDUE = timedelta(seconds=30)


class Going(Struct, frozen=True):
    """It is not over: look again then."""

    until: datetime


class Spoiled(Struct, frozen=True):
    """It can never become a whole copy: a stable code, and why."""

    code: str
    detail: str


class Recorder:
    """`patience` is how many seconds a copy may take to appear whole in the bucket after OME finished it."""

    def __init__(
        self, bucket: ManifestBucket, *, playlist: str, clock: Clock, patience: float = 15.0, pause: float = 0.25
    ) -> None:
        self._bucket = bucket
        self._playlist = playlist
        self._clock = clock
        self._patience = patience
        self._pause = pause

    async def look(self, placement: Placement, origin: Origin) -> Going | Spoiled | Copy:
        """How it goes; a Copy when it is complete. Repeating it is safe. Raises UpstreamError."""
        state = await self._near_end(placement, origin)
        if state is RecordingState.RUNNING:
            return self._going(placement)
        if state is RecordingState.INTERRUPTED:
            return Spoiled(INTERRUPTED, f"{origin.name} no longer records {placement.stream}: was it restarted?")
        try:
            await self._last_frames(placement, origin)
            await origin.conclude(placement)
        except NotFound:
            return Spoiled(INTERRUPTED, f"{placement.stream} left {origin.name} before its copy was concluded")
        report = await self._appeared(placement)
        if report.verdict is CopyVerdict.COMPLETE:
            return Copy(self._clock.now(), report.duration, report.files, report.bytes)
        return Spoiled(INCOMPLETE, f"{placement.copy_prefix} is {report.verdict}: {report.detail}")

    async def _near_end(self, placement: Placement, origin: Origin) -> RecordingState:
        """The state; close to its end it is waited for, which is cheaper than coming back."""
        while True:
            state = await origin.recording(placement)
            left = (placement.ends_at or self._clock.now()) - self._clock.now()
            if state is not RecordingState.RUNNING or abs(left) > _NEAR:
                return state
            await self._clock.sleep(self._pause)

    async def _last_frames(self, placement: Placement, origin: Origin) -> None:
        """An OME that is behind the clock encodes on when its program is over; what is concluded then lacks its end
        (measured, v0.21). So it is concluded when its playlist has stood still."""
        seen: float | None = None
        for _ in range(_LOOKS_FOR_LAST_FRAMES):
            await self._clock.sleep(_STANDS_STILL)
            if placement.short:
                return  # its playlists never answer
            position = await origin.position(placement.application, placement.stream)
            if position is None or position == seen:
                return
            seen = position

    def _going(self, placement: Placement) -> Going | Spoiled:
        now, end = self._clock.now(), placement.ends_at
        if end and now > end + _OVERDUE:
            return Spoiled(
                INTERRUPTED, f"{placement.stream} does not end, {(now - end).total_seconds():.0f} s too late"
            )
        return Going(now + _NEAR / 2 if end is None or end <= now else min(end - _NEAR / 2, now + WATCH_INTERVAL))

    async def prove(self, placement: Placement) -> CopyReport:
        """Whether its copy is there and complete. Raises UpstreamError."""
        return await self._bucket.finish(
            CopyPlan(
                prefix=placement.copy_prefix,
                playlist=self._playlist,
                rungs=placement.fitted or placement.rungs,
                ladder=placement.ladder,
                duration=placement.duration or 0.0,
                tolerance=placement.tolerance,
                shortest=placement.shortest,
                audio=placement.audio,
            )
        )

    async def _appeared(self, placement: Placement) -> CopyReport:
        """What was written through a mount may become visible a little later."""
        deadline = self._clock.now() + timedelta(seconds=self._patience)
        while (report := await self.prove(placement)).verdict is not CopyVerdict.COMPLETE:
            if self._clock.now() >= deadline:
                return report
            await self._clock.sleep(1.0)
        return report
