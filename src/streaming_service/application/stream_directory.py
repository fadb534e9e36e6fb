"""What is wanted of each stream on an OME, in memory, for questions that cannot wait for the store."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from msgspec import Struct

from streaming_service.application.ports import ChannelStore
from streaming_service.domain.channel import Channel
from streaming_service.domain.ladder import Ladder
from streaming_service.domain.placement import Placement, owner_of
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)


class Rendered(Struct, frozen=True):
    """What is wanted of a stream."""

    ladder: Ladder
    audio: bool


class StreamDirectory:
    """Stream name → what is wanted of it, in memory. `refresh` replaces it by what the store holds.

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
        self._patience = patience
        self._monotonic = monotonic
        self._pause = pause
        self._streams: dict[str, Rendered] = {}
        self._asking: dict[str, asyncio.Task[Channel | None]] = {}
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._streams)

    async def refresh(self) -> None:
        """Raises StoreError, and then what is known stays."""
        ladders: dict[Ladder, Ladder] = {}
        streams: dict[str, Rendered] = {}
        for channel in await self._store.on_ome():
            for placement in _placements(channel):
                # Ladders are few and streams are many.
                ladder = ladders.setdefault(placement.ladder, placement.ladder)
                streams[placement.stream] = Rendered(ladder, placement.audio)
        self._streams = streams

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
        if content_id is None or self._monotonic() < self._not_before:
            return None
        channel = await self._look_up(content_id)
        for placement in _placements(channel) if channel else ():
            if placement.stream == stream:
                found = self._streams[stream] = Rendered(placement.ladder, placement.audio)
                return found
        return None

    async def _look_up(self, content_id: str) -> Channel | None:
        task = self._asking.get(content_id)
        if task is None:
            task = self._asking[content_id] = asyncio.create_task(self._store.get(content_id))
            task.add_done_callback(lambda done: self._done(content_id, done))
        # A call that is given up goes on by itself: cancelling would break the database connection under it.
        await asyncio.wait({task}, timeout=self._patience)
        if not task.done() or task.cancelled() or task.exception():
            self._not_before = self._monotonic() + self._pause
            return None
        return task.result()

    def _done(self, content_id: str, task: asyncio.Task[Channel | None]) -> None:
        self._asking.pop(content_id, None)
        if not task.cancelled() and (error := task.exception()):
            log.warning("store does not answer about a stream", content_id=content_id, reason=str(error))


def _placements(channel: Channel) -> tuple[Placement, ...]:
    """Everything of a channel that is on an OME now."""
    now = tuple(item for item in (channel.serving, channel.building) if item)
    return now + tuple(item.placement for item in channel.draining)
