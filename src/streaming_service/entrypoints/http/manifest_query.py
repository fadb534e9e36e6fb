"""The manifest route's query, read by hand: most requests have none or one parameter."""

from urllib.parse import unquote_plus

from msgspec import Struct

from streaming_service.domain.content import parse_content_id, parse_country
from streaming_service.domain.ladder import QUALITIES
from streaming_service.errors import InvalidInput

DEVICES = ("mobile", "tablet", "web", "tv")
_KNOWN = frozenset({"quality", "device", "geo", "session"})


class ManifestQuery(Struct, frozen=True):
    """What a player may say. `device` is checked and carries no decision. Some schemes sign the `session`, and it tells
    viewers apart while some are sent to the failover and some are not."""

    quality: str = "auto"
    device: str | None = None
    geo: str | None = None
    session: str | None = None


NOTHING_SAID = ManifestQuery()


def parse_manifest_query(text: str) -> ManifestQuery:
    """Raises InvalidInput naming the parameter that is wrong or said twice; unknown ones are ignored."""
    if not text:
        return NOTHING_SAID
    said: dict[str, str] = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        if "%" in part or "+" in part:
            name, value = unquote_plus(name), unquote_plus(value)
        if name not in _KNOWN:
            continue
        if name in said:
            raise InvalidInput(name, "is given more than once")
        said[name] = value
    return _checked(**said)


def _checked(
    quality: str = "auto", device: str | None = None, geo: str | None = None, session: str | None = None
) -> ManifestQuery:
    if quality not in QUALITIES:
        raise InvalidInput("quality", f"is not one of {', '.join(QUALITIES)}")
    if device is not None and device not in DEVICES:
        raise InvalidInput("device", f"is not one of {', '.join(DEVICES)}")
    if session is not None:
        session = parse_content_id(session, "session")
    return ManifestQuery(quality, device, None if geo is None else parse_country(geo, "geo"), session)
