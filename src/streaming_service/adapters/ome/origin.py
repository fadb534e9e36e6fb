"""One OME as an origin: the application's Origin port on top of the client."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from msgspec.structs import replace

from streaming_service.adapters.ome.client import AlreadyExists, OmeClient, OmeError
from streaming_service.adapters.ome.dumping import OmeRecorder
from streaming_service.adapters.ome.models import (
    FallbackProgram,
    Program,
    ProgramItem,
    ScheduledChannel,
    ScheduledStream,
    ome_moment,
    ome_time,
)
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.application.ports import Playability, PlayabilityReport, RecordingState, Started, StreamFigures
from streaming_service.domain.placement import Placement
from streaming_service.errors import NotFound, UpstreamUnavailable

log = structlog.get_logger(__name__)

_PROGRAM = "main"
_LOOKS = 20
_LOOK_PAUSE = 0.25
# A live program has always begun, so whatever is pushed is on air at once.
_ALWAYS = "2000-01-01T00:00:00.000+00:00"


class OmeOrigin:
    """Without a `recorder` nothing that is to be recorded may be placed here."""

    def __init__(
        self,
        name: str,
        client: OmeClient,
        watcher: OmeWatcher,
        recorder: OmeRecorder | None,
        *,
        vhost: str,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name = name
        self._client = client
        self._watcher = watcher
        self._recorder = recorder
        self._vhost = vhost
        self._sleep = sleep

    async def start(self, placement: Placement, now: datetime) -> Started:
        """Create the scheduled channel from its beginning now: looping, once to be recorded, or live with a slate."""
        try:
            await self._client.create_scheduled_channel(placement.application, self._schedule(placement, now))
        except AlreadyExists:
            # Stream names are used once: one that exists is our own, from before a crash or a lost answer.
            log.info("stream exists already", stream=placement.stream, origin=self.name)
            return await self._resumed(placement, now)
        except NotFound as error:
            raise OmeError("ome", _no_application(placement.application, self.name), status=404) from error
        if not placement.recording:
            return Started(now)
        return Started(now, await self._recording_of(placement).begin(placement))

    async def holds(self, placement: Placement) -> bool:
        try:
            await self._client.scheduled_channel(placement.application, placement.stream)
        except NotFound:
            return False
        return True

    async def recording(self, placement: Placement) -> RecordingState:
        return await self._recording_of(placement).state(placement)

    async def conclude(self, placement: Placement) -> None:
        await self._recording_of(placement).conclude(placement)

    async def kick(self, application: str, ingest: str, connected_before: datetime) -> bool:
        """By OME's clock. Nothing keeps the encoder from coming back but the admission webhook."""
        try:
            state = await self._client.stream(application, ingest)
            if state.appeared and state.appeared >= connected_before:
                return False
            await self._client.delete_stream(application, ingest)
        except NotFound:
            return False
        return True

    async def stop(self, application: str, stream: str) -> bool:
        """Ask once for it to go, and watch it go: OME takes up to three seconds."""
        try:
            await self._client.delete_scheduled_channel(application, stream)
            for _ in range(_LOOKS):
                await self._still_there(application, stream)
                await self._sleep(_LOOK_PAUSE)
        except NotFound:
            return True
        return False

    async def _still_there(self, application: str, stream: str) -> None:
        """Raises NotFound once it is gone. In the midst of going it is there, and cannot be shown: 500 (measured)."""
        try:
            await self._client.scheduled_channel(application, stream)
        except UpstreamUnavailable as error:
            if error.status != 500:
                raise

    async def streams(self, application: str) -> frozenset[str]:
        """Raises OmeError with what to do when Server.xml lacks the application."""
        try:
            return frozenset(await self._client.scheduled_channels(application))
        except NotFound as error:
            raise OmeError("ome", _no_application(application, self.name), status=404) from error

    async def applications(self) -> frozenset[str]:
        """What its Server.xml declares."""
        return frozenset(await self._client.applications())

    async def playability(self, placement: Placement) -> PlayabilityReport:
        report = await self._watcher.playability(placement)
        if report.verdict is Playability.PLAYABLE and report.fitted == placement.rungs:
            return replace(report, fitted=None)
        return report

    async def appearance(self, placement: Placement) -> PlayabilityReport:
        return await self._watcher.appearance(placement)

    async def booted_at(self) -> datetime | None:
        return ome_moment((await self._client.server_statistics()).created_time)

    async def figures(self, application: str, stream: str) -> StreamFigures | None:
        try:
            counted = await self._client.stream_statistics(application, stream)
        except NotFound:
            return None
        return StreamFigures(counted.viewers, counted.bitrate_kbps, counted.total_bytes_out)

    async def position(self, application: str, stream: str) -> float | None:
        return await self._watcher.position(application, stream)

    async def starved_of_audio(self, placement: Placement) -> bool:
        """OME waits for ever at position 0 for audio that the file does not have."""
        try:
            state = await self._client.scheduled_channel(placement.application, placement.stream)
        except NotFound:
            return False
        program = state.current_program
        item = program.current_item if program else None
        return bool(program and program.state == "onair" and item and item.current_position == 0)

    def _schedule(self, placement: Placement, now: datetime) -> ScheduledChannel:
        stream = ScheduledStream(name=placement.stream, audio_track=placement.audio)
        file = ProgramItem(url=f"file://{placement.media_path}", duration=_milliseconds(placement))
        if placement.live:
            pushed = f"stream://{self._vhost}/{placement.application}/{placement.ingest_stream}"
            live = Program(name=_PROGRAM, scheduled=_ALWAYS, repeat=True, items=[ProgramItem(url=pushed)])
            return ScheduledChannel(stream=stream, programs=[live], fallback_program=FallbackProgram([file]))
        # What is recorded plays once: a loop or a fallback would be in the copy, too.
        program = Program(name=_PROGRAM, scheduled=ome_time(now), repeat=not placement.recording, items=[file])
        fallback = None if placement.recording else FallbackProgram([file])
        return ScheduledChannel(stream=stream, programs=[program], fallback_program=fallback)

    async def _resumed(self, placement: Placement, now: datetime) -> Started:
        """An earlier attempt made it: when did it begin, and is it recorded from there on?"""
        try:
            state = await self._client.scheduled_channel(placement.application, placement.stream)
        except NotFound:
            return Started(now)  # it is just coming up, or going away, and is watched either way
        begun = (ome_moment(state.programs[0].scheduled) if state.programs else None) or now
        if not placement.recording:
            return Started(begun)
        recorder = self._recording_of(placement)
        if await recorder.known(placement):
            return Started(begun, recorded=True)
        accepted = await recorder.begin(placement)
        # Taken after the playlists have answered, it would begin somewhere in the middle.
        report = await self._watcher.playability(placement)
        return Started(begun, accepted and report.verdict is Playability.NOT_YET)

    def _recording_of(self, placement: Placement) -> OmeRecorder:
        if self._recorder is None:
            raise OmeError("ome", f"{placement.stream} cannot be recorded on {self.name}: set OME_MANIFEST_MOUNT")
        return self._recorder


def _milliseconds(placement: Placement) -> int:
    """For how long to play the file. Told to play all of it (-1), OME cuts it to whole seconds (measured, v0.21).

    Told to play longer than it is, OME plays it to its end: what is only stated is asked for with its tolerance.
    """
    if placement.duration is None:
        return -1
    return math.ceil((placement.duration + (0.0 if placement.measured else placement.tolerance)) * 1000)


def _no_application(application: str, origin: str) -> str:
    return (
        f"application {application!r} does not exist on {origin}: "
        "declare it in Server.xml with a Schedule provider, or correct OME_*_APPLICATION"
    )
