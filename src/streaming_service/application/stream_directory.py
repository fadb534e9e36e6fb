"""What is wanted of each stream on an OME, in memory, for questions that cannot wait for the store."""

from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from streaming_service.application.ingest_directory import IngestDirectory
from streaming_service.application.look_up import LookUp
from streaming_service.application.ports import ChannelStore
from streaming_service.domain.channel import Channel
from streaming_service.domain.ladder import Ladder
from streaming_service.domain.placement import Placement, owner_of
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)


class Rendered(Struct, frozen=True):
    """What is wanted of a stream. A `live` one shows its slate at first, which says nothing of what is to come."""

    ladder: Ladder
    audio: bool
    live: bool = False


class StreamDirectory:
    """Stream name → what is wanted of it, in memory; and in `ingest` who may push. `refresh` replaces both by what the
    store holds.

    `patience` and `pause` are seconds; after a look-up that failed the store is left alone for `pause`.
    """

    def __init__(
        self,
        store: ChannelStore,
        prefix: str,
        *,
        monotonic: Callable[[], float],
        patience: float = 0.1,
        pause: float = 2.0,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._monotonic = monotonic
        self._look_up = LookUp(store, monotonic=monotonic, patience=patience, pause=pause)
        self.ingest = IngestDirectory(self._look_up)
        self._streams: dict[str, Rendered] = {}

    def __len__(self) -> int:
        return len(self._streams)

    async def refresh(self) -> None:
        """Raises StoreError, and then what is known stays."""
        ladders: dict[Ladder, Ladder] = {}
        streams: dict[str, Rendered] = {}
        channels = await self._store.on_ome()
        for channel in channels:
            for placement in _placements(channel):
                # Ladders are few and streams are many.
                ladder = ladders.setdefault(placement.ladder, placement.ladder)
                streams[placement.stream] = Rendered(ladder, placement.audio, placement.live)
        self._streams = streams
        self.ingest.learn(channels)

    async def keep_fresh(self, interval: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Refresh for ever; with many channels less often, so that it takes a twentieth of the time at most."""
        while True:
            began = self._monotonic()
            try:
                await self.refresh()
            except StoreError as error:
                log.warning("store does not answer, using what is known of streams", reason=str(error))
            await sleep(max(interval, 20 * (self._monotonic() - began)))

    async def find(self, stream: str) -> Rendered | None:
        """From memory; a stream of ours that is new to us is looked up, with little patience. Raises nothing."""
        if known := self._streams.get(stream):
            return known
        content_id = owner_of(self._prefix, stream)
        if content_id is None:
            return None
        channel = await self._look_up.channel(content_id)
        for placement in _placements(channel) if channel else ():
            if placement.stream == stream:
                found = self._streams[stream] = Rendered(placement.ladder, placement.audio, placement.live)
                return found
        return None


def _placements(channel: Channel) -> tuple[Placement, ...]:
    """Everything of a channel that is on an OME now."""
    now = tuple(item for item in (channel.serving, channel.building) if item)
    return now + tuple(item.placement for item in channel.draining)
