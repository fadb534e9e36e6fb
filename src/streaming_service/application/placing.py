"""The next start of a channel, put together from what is wanted and from what its file holds."""

from datetime import datetime

from streaming_service.application.ports import MediaFacts
from streaming_service.application.seating import Seat
from streaming_service.domain.channel import Channel
from streaming_service.domain.placement import Placement, stream_name

NO_AUDIO = "no_audio"


def next_placement(
    channel: Channel, seat: Seat, facts: MediaFacts | None, now: datetime, *, prefix: str, publish: bool
) -> Placement:
    """`facts` are None for a container that we cannot read. `publish`: VOD copies are made here."""
    spec = channel.spec
    starved = channel.failure is not None and channel.failure.code == NO_AUDIO
    duration = facts.duration if facts else spec.duration
    return Placement(
        incarnation=channel.incarnation + 1,
        origin=seat.origin,
        seat=seat.number,
        application=spec.application,
        stream=stream_name(prefix, channel.content_id, channel.incarnation + 1),
        media_path=spec.media_path,
        media_hash=spec.media_hash,
        checksum=spec.checksum,
        rungs=spec.rungs,
        audio=facts.audio if facts else not starved,
        placed_at=now,
        live=spec.live,
        # Of a source whose length nobody knows, no copy can be proved complete: it stays on OME.
        publish=publish and not spec.live and duration is not None,
        duration=None if spec.live else duration,
        shortest=facts.shortest if facts and not spec.live else None,
        measured=facts is not None,
    )
