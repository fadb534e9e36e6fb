"""Which origins there are and which pools they form."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from streaming_service.errors import InvalidInput

API_SCHEMES = ("http", "https")
INGEST_SCHEMES = ("rtmp", "rtmps")

_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")
_MAX_URL = 2048


class OriginSpec(Struct, frozen=True, kw_only=True):
    """One OME. URLs have no final slash.

    `playback_url` is its own LL-HLS address and `ingest_url` its RTMP one; None: not told. `capacity` is in channels;
    None: whatever an origin holds by default.
    """

    name: str
    api_url: str
    playback_url: str | None = None
    ingest_url: str | None = None
    capacity: int | None = None


class Pool(Struct, frozen=True):
    """An ingest pool lists its origins; an egress pool has the URL at which its edges answer playback."""

    name: str
    origins: tuple[OriginSpec, ...] = ()
    playback_url: str | None = None


class Topology(Struct, frozen=True):
    """Pools by name. One origin may be in several. Made by `topology_of`: each name means one origin."""

    pools: Mapping[str, Pool] = {}

    @property
    def origins(self) -> Mapping[str, OriginSpec]:
        """Every origin once, by name."""
        return {origin.name: origin for pool in self.pools.values() for origin in pool.origins}

    def origins_of(self, pool: str) -> tuple[OriginSpec, ...]:
        """Empty when there is no such pool."""
        found = self.pools.get(pool)
        return found.origins if found else ()

    def pools_of(self, origin: str) -> tuple[str, ...]:
        """The pools that list an origin of that name."""
        return tuple(pool.name for pool in self.pools.values() if any(item.name == origin for item in pool.origins))


def topology_of(pools: Iterable[Pool], field: str) -> Topology:
    """Raises InvalidInput naming `field` when an origin is listed twice in a pool, or differently in two of them."""
    by_name = {pool.name: pool for pool in pools}
    seen: dict[str, tuple[str, OriginSpec]] = {}
    for pool in by_name.values():
        for origin in pool.origins:
            other, known = seen.setdefault(origin.name, (pool.name, origin))
            if known is origin:
                continue
            if other == pool.name:
                raise InvalidInput(field, f"pools.{pool.name}: lists origin {origin.name!r} twice")
            if known != origin:
                reason = f"pools.{pool.name}: origin {origin.name!r} is not the same as in pools.{other}"
                raise InvalidInput(field, f"{reason}: give one of them another name, or make them equal")
    return Topology(by_name)


def check_name(name: str, field: str, path: str) -> str:
    """The name of an origin or pool. Raises InvalidInput naming `field`, and `path` in it."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(field, f"{path}: must be 1 to 63 letters, digits, dots, - or _")
    return name


def check_url(url: str, schemes: tuple[str, ...], field: str, path: str) -> str:
    """The URL without final slashes. Raises InvalidInput naming `field`, and `path` in it.

    The URL itself is not repeated in the error: it may hold a password, which is one of the things that are wrong.
    """
    expected = f"{path}: must be {' or '.join(f'{scheme}://' for scheme in schemes)} with host and perhaps port"
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput(field, expected)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(field, expected) from error
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise InvalidInput(field, expected)
    if "@" in parts.netloc:
        raise InvalidInput(field, f"{path}: must not hold user or password: OME_API_KEY and OME_API_SECRET are sent")
    if "?" in url or "#" in url:
        raise InvalidInput(field, f"{path}: must end before ? and #")
    return url.rstrip("/")
