"""A pools file to a topology.

    {"pools": {"ome-reels-ingest": {"origins": [{"name": "ome-1", "apiUrl": "http://ome-1:8081"}]},
               "ome-reels-egress": {"playbackUrl": "http://edge:3333"}}}

An origin may also have `playbackUrl`, `ingestUrl` and `capacity`. The same in TOML. Nothing unknown is let pass: a
misspelt key would otherwise be an origin that silently has no capacity of its own.
"""

import tomllib
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from streaming_service.domain.fleet.topology import (
    API_SCHEMES,
    INGEST_SCHEMES,
    OriginSpec,
    Pool,
    Topology,
    check_name,
    check_url,
    topology_of,
)
from streaming_service.errors import InvalidInput

MAX_CAPACITY = 10_000

_S = TypeVar("_S", bound=Struct)


class _Origin(Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    api_url: str
    playback_url: str | None = None
    ingest_url: str | None = None
    capacity: int | None = None


class _Pool(Struct, rename="camel", forbid_unknown_fields=True):
    origins: list[_Origin] = []
    playback_url: str | None = None


class _File(Struct, forbid_unknown_fields=True):
    pools: dict[str, Any]


def parse_topology(data: bytes, field: str = "OME_POOLS_FILE") -> Topology:
    """JSON, or else TOML. Raises InvalidInput naming `field`, the path in the file, and what is wrong there."""
    pools = _convert(_read(data, field), _File, field, "").pools
    if not pools:
        raise InvalidInput(field, "pools: is empty")
    return topology_of([_pool(name, raw, field) for name, raw in pools.items()], field)


def _read(data: bytes, field: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(field, "is not UTF-8") from error
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        if text.lstrip().startswith("{"):
            raise InvalidInput(field, f"is not JSON: {error}") from error
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(field, f"is neither JSON nor TOML: {error}") from error


def _pool(name: str, raw: Any, field: str) -> Pool:
    path = f"pools.{name}"
    check_name(name, field, path)
    found = _convert(raw, _Pool, field, path)
    if not found.origins and found.playback_url is None:
        raise InvalidInput(field, f"{path}: is empty: an ingest pool has origins, an egress pool a playbackUrl")
    origins = tuple(_origin(item, field, f"{path}.origins[{index}]") for index, item in enumerate(found.origins))
    return Pool(name, origins, _optional_url(found.playback_url, API_SCHEMES, field, f"{path}.playbackUrl"))


def _origin(found: _Origin, field: str, path: str) -> OriginSpec:
    if found.capacity is not None and not 1 <= found.capacity <= MAX_CAPACITY:
        raise InvalidInput(field, f"{path}.capacity: must be 1 to {MAX_CAPACITY} channels (to use none, drain it)")
    return OriginSpec(
        name=check_name(found.name, field, f"{path}.name"),
        api_url=check_url(found.api_url, API_SCHEMES, field, f"{path}.apiUrl"),
        playback_url=_optional_url(found.playback_url, API_SCHEMES, field, f"{path}.playbackUrl"),
        ingest_url=_optional_url(found.ingest_url, INGEST_SCHEMES, field, f"{path}.ingestUrl"),
        capacity=found.capacity,
    )


def _optional_url(url: str | None, schemes: tuple[str, ...], field: str, path: str) -> str | None:
    return None if url is None else check_url(url, schemes, field, path)


def _convert(raw: Any, kind: type[_S], field: str, path: str) -> _S:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        # msgspec says "Expected `int`, got `str` - at `$.origins[0].capacity`".
        reason, _, where = str(error).partition(" - at `$")
        at = f"{path}{where.rstrip('`')}".lstrip(".")
        raise InvalidInput(field, f"{at}: {reason}" if at else reason) from error
