"""Who may push to which live content, in memory, for encoders that cannot wait for the store."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from streaming_service.application.look_up import LookUp
from streaming_service.domain.channel import Channel
from streaming_service.domain.ingest_key import IngestKey, admits
from streaming_service.domain.state import Status


class Pushable(Struct, frozen=True):
    """A content as far as pushing to it goes."""

    application: str
    live: bool
    retired: bool
    keys: tuple[IngestKey, ...]


class IngestDirectory:
    """Content id → its keys. What is in memory is as old as the last refresh, but that a key's grace is over shows in
    the key itself."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._known: dict[str, Pushable] = {}

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, channels: Iterable[Channel]) -> None:
        """These are all that have something on an OME; what else was known is forgotten."""
        found = ((channel.content_id, _pushable(channel)) for channel in channels)
        self._known = {content_id: item for content_id, item in found if item.live and not item.retired}

    async def find(self, content_id: str, key: str, now: datetime) -> Pushable | None:
        """From memory where that admits the key; otherwise it may be newer than what is known, and the store is asked.

        None for an unknown content. Raises nothing.
        """
        known = self._known.get(content_id)
        if known and admits(known.keys, key, now):
            return known
        channel = await self._look_up.channel(content_id)
        if channel is None:
            return known
        found = _pushable(channel)
        if found.live and not found.retired:
            self._known[content_id] = found
        else:
            self._known.pop(content_id, None)
        return found


def _pushable(channel: Channel) -> Pushable:
    spec = channel.spec
    return Pushable(spec.application, spec.live, channel.status is Status.RETIRED, channel.ingest)
