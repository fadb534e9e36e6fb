"""Pools that are written into the settings themselves.

A pool variable holds a mere name, or the pool: `http://ome-1:8081,http://ome-2:8081`, each perhaps with a name of its
own, `eu-1=http://ome-1:8081`. Without one an origin is called as its host and port: `ome-1-8081`.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from streaming_service.domain.fleet.topology import (
    API_SCHEMES,
    OriginSpec,
    Pool,
    Topology,
    check_name,
    check_url,
    topology_of,
)
from streaming_service.errors import InvalidInput

DEFAULT_ORIGIN = "default"

_DNS = "dns:"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class StaticTopology:
    """A TopologySource that always says the same."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    async def read(self) -> Topology:
        return self._topology


def pool_name(variable: str, value: str) -> str:
    """What a pool is called whose variable holds this value: the name it gives, otherwise the variable's own."""
    return variable if _lists_urls(value) or dns_host(value) else value.strip()


def dns_host(value: str) -> str | None:
    """The host of `dns:ome.streaming.svc.cluster.local`, to be read by DnsTopology; None when it is no such thing."""
    value = value.strip()
    return value.removeprefix(_DNS).strip("/") or None if value.startswith(_DNS) else None


def static_topology(
    ingest: Mapping[str, str], egress: Mapping[str, str], *, api_url: str | None, playback_url: str | None
) -> Topology:
    """Variables with their values to a topology; pools are called by `pool_name`.

    An ingest pool that is a mere name has the one origin `default` with `api_url` and `playback_url` (OME_API_BASE_URL,
    OME_PLAYBACK_BASE_URL); an egress pool that is one answers at `playback_url`. Raises InvalidInput naming a variable.
    """
    pools: dict[str, Pool] = {}
    for variable, value in ingest.items():
        if _lists_urls(value):
            origins = tuple(_origin(entry.strip(), variable) for entry in value.split(","))
        else:
            origins = (_default_origin(variable, api_url, playback_url),)
        name = pool_name(variable, value)
        pools[name] = topology_of([Pool(name, origins)], variable).pools[name]
    for variable, value in egress.items():
        url = check_url(value.strip(), API_SCHEMES, variable, "value") if _lists_urls(value) else playback_url
        name = pool_name(variable, value)
        before = pools.get(name, Pool(name))
        if url or before.origins:
            pools[name] = Pool(name, before.origins, url)
    return topology_of(pools.values(), " and ".join(ingest))


def _lists_urls(value: str) -> bool:
    return "://" in value


def _default_origin(variable: str, api_url: str | None, playback_url: str | None) -> OriginSpec:
    if api_url is None:
        raise InvalidInput(variable, "is a mere name: set OME_API_BASE_URL or OME_POOLS_FILE, or list API URLs here")
    return OriginSpec(name=DEFAULT_ORIGIN, api_url=api_url, playback_url=playback_url)


def _origin(entry: str, variable: str) -> OriginSpec:
    name, separator, url = entry.partition("=")
    if not separator or "://" in name:
        name, url = "", entry
    path = f"entry {name}" if name else "an entry without a name"
    url = check_url(url.strip(), API_SCHEMES, variable, path)
    if not name:
        return OriginSpec(name=name_of_address(urlsplit(url).netloc, variable), api_url=url)
    return OriginSpec(name=check_name(name.strip(), variable, f"the name in {name}=…"), api_url=url)


def name_of_address(address: str, field: str) -> str:
    """A name that is the same whatever else is listed. Raises InvalidInput when it would be too long."""
    return check_name(_NOT_IN_NAMES.sub("-", address).strip("-"), field, "the name made of a long address")
