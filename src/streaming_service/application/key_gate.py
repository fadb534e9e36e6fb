"""Publishing to OME needs a key. It is the stream's name in the encoder's address, and OME never gets to use it as one:
the publisher is sent on to the content's ingest stream."""

import math
from datetime import datetime

from streaming_service.application.admission import Verdict
from streaming_service.application.ingest_directory import IngestDirectory
from streaming_service.application.ports import Clock
from streaming_service.application.publisher_log import PublisherLog
from streaming_service.domain.ingest_key import IngestKey, admits, content_of
from streaming_service.domain.ingest_url import rewritten, target_of
from streaming_service.domain.ome_webhook import Admission
from streaming_service.domain.placement import concerned, ingest_name
from streaming_service.domain.publisher import Publisher


class KeyGate:
    """Lets in whoever has a valid key of a live content, and writes down who comes and goes. It never tells a key."""

    def __init__(self, directory: IngestDirectory, publishers: PublisherLog, *, prefix: str, clock: Clock) -> None:
        self._directory = directory
        self._publishers = publishers
        self._prefix = prefix
        self._clock = clock

    async def admit(self, asked: Admission) -> Verdict:
        """An old key lets in for what is left of its grace."""
        application, key = asked.target
        content_id, now = content_of(key), self._clock.now()
        if content_id is None:
            return _no("the stream name is no stream key")
        found = await self._directory.find(content_id)
        if found is None:
            return _no("no such stream key, or the store does not answer")
        if found.retired:
            return _no("the content is retired")
        if not found.live:
            return _no("the content is not live")
        used = admits(found.keys, key, now)
        if used is None:
            return _no("the stream key is not valid (any more)")
        if application != found.application:
            return _no(f"the stream key is for application {found.application}")
        self._publishers.connected(
            content_id, Publisher(asked.address, asked.port, asked.protocol, asked.at, used.valid_until)
        )
        return Verdict(
            allowed=True,
            new_url=rewritten(asked.url, ingest_name(self._prefix, content_id)),
            lifetime_ms=_left(used, now),
        )

    def closed(self, asked: Admission) -> None:
        """Also said of publishers who were refused, and twice of those who were cut."""
        if content_id := self._content_of(asked.url) or self._content_of(asked.new_url or ""):
            self._publishers.disconnected(content_id, asked.address, asked.port)

    async def settled(self, within: float) -> None:
        await self._publishers.settled(within)

    def _content_of(self, url: str) -> str | None:
        """By a key, or by the ingest stream that it stood for."""
        stream = target_of(url)[1]
        return content_of(stream) or concerned(self._prefix, stream)


def _no(reason: str) -> Verdict:
    return Verdict(allowed=False, reason=reason)


def _left(key: IngestKey, now: datetime) -> int | None:
    """Milliseconds of grace, rounded up: to OME 0 means for ever."""
    return math.ceil((key.valid_until - now).total_seconds() * 1000) if key.valid_until else None
