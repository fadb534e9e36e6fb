"""VOD copies by OME's HLS dump: begun before the stream plays, concluded after it has ended."""

from collections.abc import Awaitable, Callable

import structlog

from streaming_service.adapters.ome.client import OmeClient, OmeError
from streaming_service.adapters.ome.models import HlsDump
from streaming_service.application.ports import RecordingState
from streaming_service.domain.placement import Placement
from streaming_service.errors import NotFound

log = structlog.get_logger(__name__)

# A dump that is accepted before the playlists answer 200 begins at media time 0; the window for it is about a second.
_BEGIN_PAUSE = 0.1
_BEGIN_LOOKS = 150
# OME writes the last segment when it is concluded, and needs a moment for that.
_FLUSH_SECONDS = 0.6


class OmeRecorder:
    """`mount` is the manifest bucket's folder as OME sees it. The dump's id is the stream's name."""

    def __init__(
        self, client: OmeClient, mount: str, *, playlist: str, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._client = client
        self._mount = mount.rstrip("/")
        self._playlist = playlist
        self._sleep = sleep

    async def begin(self, placement: Placement) -> bool:
        """Ask until OME takes it, which is when the output stream exists. False when it never does."""
        order = HlsDump(
            id=placement.stream,
            output_path=f"{self._mount}/{placement.copy_prefix}".rstrip("/"),
            playlist=[f"{self._playlist}.m3u8"],
        )
        for _ in range(_BEGIN_LOOKS):
            try:
                await self._client.start_hls_dump(placement.application, placement.stream, order)
            except NotFound:
                await self._sleep(_BEGIN_PAUSE)
            except OmeError as error:
                # The same status for one that is running already and for one that cannot be.
                if await self.known(placement):
                    return True
                raise _refused(error, order.output_path) from error
            else:
                return True
        return False

    async def known(self, placement: Placement) -> bool:
        """OME forgets dumps when it restarts, and then the copy is spoiled."""
        try:
            dumps = await self._client.hls_dumps(placement.application, placement.stream)
        except NotFound:
            return False
        return any(dump.id == placement.stream for dump in dumps)

    async def state(self, placement: Placement) -> RecordingState:
        """Where it stands."""
        try:
            channel = await self._client.scheduled_channel(placement.application, placement.stream)
        except NotFound:
            return RecordingState.INTERRUPTED
        if not await self.known(placement):
            return RecordingState.INTERRUPTED
        program = channel.current_program
        return RecordingState.ENDED if program is None or program.state == "offair" else RecordingState.RUNNING

    async def conclude(self, placement: Placement) -> None:
        """Raises NotFound when OME no longer knows the stream."""
        await self._client.conclude_hls_live(placement.application, placement.stream)
        await self._sleep(_FLUSH_SECONDS)
        try:
            await self._client.stop_hls_dump(placement.application, placement.stream, placement.stream)
        except OmeError as error:
            if error.status != 500:
                raise
            # It no longer knows that dump. What is on disk is looked at anyway.
            log.info("dump was stopped already", stream=placement.stream)


def _refused(error: OmeError, path: str) -> OmeError:
    detail = f"{error.detail}: can OME write to {path} (OME_MANIFEST_MOUNT)?"
    return OmeError("ome", detail, status=error.status)
