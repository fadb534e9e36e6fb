"""What a content is to us: the words that uploads, channels and viewers share."""

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from streaming_service.errors import InvalidInput


class Classification(StrEnum):
    """Picks the OME application, the ladder and the pools."""

    REEL = "reel"
    SERIES = "series"


class Protocol(StrEnum):
    """`ll-hls` is ready while OME plays it; `hls` is ready when its VOD copy is published."""

    LL_HLS = "ll-hls"
    HLS = "hls"


class AvailabilityWindow(Struct, frozen=True):
    """When a content may be watched; an open end is None."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None


class GeoRestrictions(Struct, frozen=True):
    """ISO 3166-1 alpha-2 countries. An empty `allow` allows every country that `deny` does not name."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class Drm(Struct, frozen=True):
    """Where a player gets its key."""

    key_id: str
    license_server: str


class Rendition(Struct, frozen=True):
    """A rendition that the upload pipeline reports about the source asset; informational."""

    name: str
    codec: str
    bitrate_kbps: float
    resolution: str
    frame_rate: float | None = None


_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EVENT_CLASSIFICATIONS = {
    "REEL": Classification.REEL,
    "EPISODE": Classification.SERIES,
    "SERIES": Classification.SERIES,
}
_EVENT_PROTOCOLS = {"LL-HLS": Protocol.LL_HLS, "LLHLS": Protocol.LL_HLS, "HLS": Protocol.HLS}


def parse_content_id(text: str | None, field: str = "contentId") -> str:
    """A UUID in any spelling to its canonical one. Raises InvalidInput naming `field`."""
    if not text:
        raise InvalidInput(field, "is missing")
    # UUID() itself also takes braces, urn: and bare hex, which no client of ours writes.
    if not _UUID.fullmatch(text):
        raise InvalidInput(field, "is not a UUID")
    return str(UUID(text))


def parse_classification(text: str | None, field: str) -> Classification:
    """`REEL`, `EPISODE` (events) or `reel`, `series` (gateway) to a classification."""
    if not text:
        raise InvalidInput(field, "is missing: without it there is no ladder to choose")
    try:
        return _EVENT_CLASSIFICATIONS[text.upper()]
    except KeyError as error:
        raise InvalidInput(field, "is not one of REEL, EPISODE") from error


def parse_protocol(text: str | None, classification: Classification, field: str) -> Protocol:
    """The hinted protocol in any case; reels default to `ll-hls`, series to `hls`."""
    if not text:
        return Protocol.LL_HLS if classification is Classification.REEL else Protocol.HLS
    try:
        return _EVENT_PROTOCOLS[text.upper()]
    except KeyError as error:
        raise InvalidInput(field, "is not one of LL-HLS, HLS") from error


def parse_country(text: str, field: str) -> str:
    """An ISO 3166-1 alpha-2 code in upper case."""
    # Asked before upper(), which turns some letters that only look alike into ASCII ones.
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise InvalidInput(field, "is not an ISO 3166-1 alpha-2 country code")
    return text.upper()
