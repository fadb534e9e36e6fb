"""What a publisher sends, as a stream: it plays like a channel, and ends with its publisher."""

from collections.abc import Callable
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome.channel import Channel, Ticks
from streaming_service.devkit.ome.live import OpenItem
from streaming_service.devkit.ome.schedule import Schedule
from streaming_service.devkit.ome.timing import Timing


class Source(Struct, frozen=True):
    """`type` and `url` of the input as OME shows them, what is in it, and what cuts the publisher off."""

    type: str
    url: str
    facts: MediaFacts
    kick: Callable[[], None]


class IngestStream(Channel):
    """There at once, playable after the same time as a channel."""

    def __init__(
        self,
        schedule: Schedule,
        *,
        source: Source,
        written: float,
        timing: Timing,
        random: Random,
        open_item: OpenItem,
    ) -> None:
        super().__init__(
            schedule,
            written=written,
            ticks=Ticks(written, 0),
            timing=replace(timing, appear=(0.0, 0.0)),
            random=random,
            open_item=open_item,
        )
        self.source_type, self.source_url, self.kick = source.type, source.url, source.kick
        self._facts = source.facts

    def facts(self, now: float) -> MediaFacts | None:  # noqa: ARG002 - it said so when it connected
        return self._facts
