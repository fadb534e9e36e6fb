"""Pools from DNS, as a headless Kubernetes service publishes its pods.

    _api._tcp.<host>       SRV: one origin a target, called by the target's first label, which is the pod's name
    _playback._tcp.<host>  SRV, may be missing: the same targets' LL-HLS port
    _rtmp._tcp.<host>      SRV, may be missing: the same targets' RTMP port
    <host>                 A and AAAA, when there is no SRV: one origin an address, all with the same port

SRV names stay when a pod is started again, addresses do not: a stateful set with named ports is what to use. The
service should publish addresses that are not ready: health is judged here, and an OME that restarts is not gone.
"""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import structlog

from streaming_service.adapters.pools.static import name_of_address
from streaming_service.application.ports import Clock
from streaming_service.domain.fleet.topology import OriginSpec, Pool, Topology, check_name, topology_of
from streaming_service.errors import InvalidInput, UpstreamError, UpstreamUnavailable

log = structlog.get_logger(__name__)

FIELD = "DNS"


class Service(NamedTuple):
    """One SRV record; `target` without the final dot."""

    target: str
    port: int


class Resolver(Protocol):
    """Asks DNS. What does not exist is an empty answer; no answer is UpstreamUnavailable."""

    async def services(self, name: str) -> tuple[Service, ...]: ...

    async def addresses(self, name: str) -> tuple[str, ...]: ...


class _Host:
    """What is remembered of one host. Once it has answered SRV its addresses are not asked for any more: during an
    outage of DNS every origin would otherwise get another name."""

    def __init__(self) -> None:
        self.origins: dict[str, tuple[OriginSpec, datetime]] = {}
        self.has_services = False
        self.problem = ""


class DnsTopology:
    """A TopologySource. `hosts` is the host of each ingest pool, `egress` the playback URL of each egress pool.

    `api_url` (OME_API_BASE_URL) gives scheme and path of every API URL, and the port where SRV gives none. A host that
    answers nothing keeps its origins; one origin missing from its answer is forgotten after `forget_after` seconds.
    """

    def __init__(
        self,
        hosts: Mapping[str, str],
        resolver: Resolver,
        clock: Clock,
        *,
        api_url: str,
        egress: Mapping[str, str] | None = None,
        forget_after: float = 300.0,
    ) -> None:
        self._pools = dict(hosts)
        self._egress = dict(egress or {})
        self._resolver = resolver
        self._clock = clock
        self._api = urlsplit(api_url)
        self._forget_after = forget_after
        self._hosts = {host: _Host() for host in hosts.values()}

    async def read(self) -> Topology:
        """Raises UpstreamUnavailable when no host ever answered, InvalidInput when two origins have one name."""
        for host, known in self._hosts.items():
            await self._refresh(host, known)
        if not any(known.origins for known in self._hosts.values()):
            raise UpstreamUnavailable("dns", "; ".join(known.problem for known in self._hosts.values()))
        pools = [Pool(pool, self._origins(host), self._egress.get(pool)) for pool, host in self._pools.items()]
        pools += [Pool(pool, (), url) for pool, url in self._egress.items() if pool not in self._pools]
        return topology_of(pools, FIELD)

    def _origins(self, host: str) -> tuple[OriginSpec, ...]:
        return tuple(spec for _, (spec, _) in sorted(self._hosts[host].origins.items()))

    async def _refresh(self, host: str, known: _Host) -> None:
        try:
            found = await self._ask(host, known)
        except (UpstreamError, InvalidInput) as error:
            problem = error.detail if isinstance(error, UpstreamError) else str(error)
            if problem != known.problem:
                known.problem = problem
                log.warning("host not resolved, its origins stay", host=host, reason=known.problem)
            return
        known.problem = ""
        now = self._clock.now()
        known.origins.update({spec.name: (spec, now) for spec in found})
        for name, (_, seen_at) in list(known.origins.items()):
            if (now - seen_at).total_seconds() > self._forget_after:
                del known.origins[name]

    async def _ask(self, host: str, known: _Host) -> tuple[OriginSpec, ...]:
        services = await self._resolver.services(f"_api._tcp.{host}")
        if services:
            known.has_services = True
            return await self._named(host, services)
        addresses = () if known.has_services else await self._resolver.addresses(host)
        if not addresses:
            raise UpstreamUnavailable("dns", f"{host} has no origins: neither SRV _api._tcp.{host} nor an address")
        return tuple(self._numbered(address) for address in sorted(addresses))

    async def _named(self, host: str, services: tuple[Service, ...]) -> tuple[OriginSpec, ...]:
        playback = dict(await self._resolver.services(f"_playback._tcp.{host}"))
        ingest = dict(await self._resolver.services(f"_rtmp._tcp.{host}"))
        found: dict[str, OriginSpec] = {}
        for target, port in sorted(services):
            name = check_name(target.partition(".")[0], FIELD, f"the first label of {target}")
            if name in found:
                raise InvalidInput(FIELD, f"_api._tcp.{host} has two targets whose first label is {name!r}")
            found[name] = OriginSpec(
                name=name,
                api_url=self._api_url(target, port),
                playback_url=f"http://{target}:{playback[target]}" if target in playback else None,
                ingest_url=f"rtmp://{target}:{ingest[target]}" if target in ingest else None,
            )
        return tuple(found.values())

    def _numbered(self, address: str) -> OriginSpec:
        host = f"[{address}]" if ip_address(address).version == 6 else address
        return OriginSpec(name=name_of_address(address, FIELD), api_url=self._api_url(host, self._api.port))

    def _api_url(self, host: str, port: int | None) -> str:
        address = host if port is None else f"{host}:{port}"
        return f"{self._api.scheme}://{address}{self._api.path}"
