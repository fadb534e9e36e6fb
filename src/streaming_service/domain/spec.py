"""What is wanted of a content, and when it was said."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import msgspec
from msgspec import Struct

from streaming_service.domain.content import (
    AvailabilityWindow,
    Classification,
    Drm,
    GeoRestrictions,
    Protocol,
    Rendition,
)
from streaming_service.domain.ladder import Ladder, Rung


class ChannelSpec(Struct, frozen=True, omit_defaults=True):
    """What is wanted. Two equal specs have equal hashes, and an equal hash means nothing to do.

    A `live` content is pushed; its source is the slate that plays while nobody pushes. `duration` is what the sender
    says of the source, in seconds.
    """

    content_id: str
    classification: Classification
    source_uri: str
    media_path: str
    checksum: str
    application: str
    protocol: Protocol
    rungs: tuple[Rung, ...]
    tenant_id: str | None = None
    base_url: str | None = None
    ingest_region: str | None = None
    drm: Drm | None = None
    availability: AvailabilityWindow | None = None
    geo: GeoRestrictions | None = None
    renditions: tuple[Rendition, ...] | None = None
    bucket: str | None = None
    storage_prefix: str | None = None
    source_ready_at: datetime | None = None
    duration: float | None = None
    live: bool = False

    @property
    def ladder(self) -> Ladder:
        return Ladder(self.rungs)

    @property
    def hash(self) -> str:
        """SHA-256 of the wanted state."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def media_hash(self) -> str:
        """SHA-256 of the part that OME plays: when this stays equal, no new start is needed.

        The same bytes under another address are the same media.
        """
        part = (self.checksum, self.application, self.rungs, *(("live",) if self.live else ()))
        return sha256(msgspec.json.encode(part)).hexdigest()


class Said(Struct, frozen=True):
    """When the parts of a spec were said, so that what arrives late still finds its place.

    `parts` holds the moment of each optional part that was said. `other_media` and `other_classification` are when
    another checksum or classification than the one in force was said last, and which; None: never.
    """

    parts: Mapping[str, datetime] = {}
    other_media: tuple[datetime, str] | None = None
    other_classification: tuple[datetime, Classification] | None = None
