"""Who may push to which live content, for encoders that cannot wait long: in memory for when the store is away."""

from collections.abc import Iterable

from msgspec import Struct

from streaming_service.application.look_up import LookUp
from streaming_service.domain.channel import Channel
from streaming_service.domain.ingest_key import IngestKey
from streaming_service.domain.state import Status


class Pushable(Struct, frozen=True):
    """A content as far as pushing to it goes."""

    application: str
    live: bool
    retired: bool
    keys: tuple[IngestKey, ...]


class IngestDirectory:
    """Content id → its keys.

    Encoders come seldom, so the store is asked about each: what is in memory is as old as the last refresh, and would
    let somebody in for ever whose key was rotated since then. While the store does not answer it is good enough.
    """

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._known: dict[str, Pushable] = {}

    def __len__(self) -> int:
        return len(self._known)

    def learn(self, channels: Iterable[Channel]) -> None:
        """These are all that have something on an OME; what else was known is forgotten."""
        found = ((channel.content_id, _pushable(channel)) for channel in channels)
        self._known = {content_id: item for content_id, item in found if item.live and not item.retired}

    async def find(self, content_id: str) -> Pushable | None:
        """As the store has it, or else as it was known last. None for an unknown content. Raises nothing."""
        channel = await self._look_up.channel(content_id)
        if channel is None:
            return self._known.get(content_id)
        found = _pushable(channel)
        if found.live and not found.retired:
            self._known[content_id] = found
        else:
            self._known.pop(content_id, None)
        return found


def _pushable(channel: Channel) -> Pushable:
    spec = channel.spec
    return Pushable(spec.application, spec.live, channel.status is Status.RETIRED, channel.ingest)
