"""Pools from DNS over a real wire: UDP, TCP, no answer, and a fleet that comes and goes."""

from collections.abc import AsyncIterator

import pytest

from streaming_service.adapters.pools.dns import DnsTopology, Service
from streaming_service.adapters.pools.resolver import DnsResolver
from streaming_service.devkit.dns import StandInDns
from streaming_service.domain.fleet.topology import OriginSpec
from streaming_service.errors import UpstreamUnavailable
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio
HOST = "ome.streaming.svc.cluster.local"
API = f"_api._tcp.{HOST}"


@pytest.fixture
async def server() -> AsyncIterator[StandInDns]:
    async with StandInDns() as server:
        yield server


@pytest.fixture
def resolver(server: StandInDns) -> DnsResolver:
    return DnsResolver(server.address, timeout=2.0)


async def test_services_and_addresses_are_found(server: StandInDns, resolver: DnsResolver) -> None:
    server.set_services(API, (f"ome-1.{HOST}", 8082), (f"ome-0.{HOST}", 8081))
    server.set_addresses(HOST, "10.0.0.1", "fd00::1", "10.0.0.2")

    assert await resolver.services(API) == (Service(f"ome-0.{HOST}", 8081), Service(f"ome-1.{HOST}", 8082))
    assert sorted(await resolver.addresses(HOST)) == ["10.0.0.1", "10.0.0.2", "fd00::1"]


async def test_what_does_not_exist_is_empty(server: StandInDns, resolver: DnsResolver) -> None:
    assert await resolver.services(API) == ()
    assert await resolver.addresses(HOST) == ()
    server.set_addresses(HOST, "10.0.0.1")

    assert await resolver.services(HOST) == ()
    assert await resolver.addresses(HOST) == ("10.0.0.1",)


async def test_a_large_fleet_is_asked_for_over_tcp(server: StandInDns, resolver: DnsResolver) -> None:
    server.set_services(API, *((f"ome-{number}.{HOST}", 8081) for number in range(50)))

    assert len(await resolver.services(API)) == 50
    assert server.questions == [f"SRV {API}", f"SRV {API} tcp"]


async def test_a_server_failure_is_no_empty_answer(server: StandInDns, resolver: DnsResolver) -> None:
    server.failing = True

    with pytest.raises(UpstreamUnavailable, match=f"SRV {API} was not answered: NoNameservers"):
        await resolver.services(API)


async def test_silence_is_no_empty_answer(server: StandInDns) -> None:
    server.silent = True

    with pytest.raises(UpstreamUnavailable, match=f"A+ {HOST} was not answered: LifetimeTimeout"):
        await DnsResolver(server.address, timeout=0.2).addresses(HOST)


async def test_a_fleet_comes_goes_and_survives_an_outage_of_dns(server: StandInDns, resolver: DnsResolver) -> None:
    clock = FakeClock()
    source = DnsTopology({"reels": HOST}, resolver, clock, api_url="http://ome:8081", forget_after=60.0)

    async def names() -> list[str]:
        return [origin.name for origin in (await source.read()).origins_of("reels")]

    server.set_services(API, (f"ome-0.{HOST}", 8081), (f"ome-1.{HOST}", 8081))
    server.set_services(f"_playback._tcp.{HOST}", (f"ome-0.{HOST}", 3333))
    assert (await source.read()).origins_of("reels")[0] == OriginSpec(
        name="ome-0", api_url=f"http://ome-0.{HOST}:8081", playback_url=f"http://ome-0.{HOST}:3333"
    )

    server.failing = True
    clock.advance(3600)
    assert await names() == ["ome-0", "ome-1"]

    server.failing = False
    server.set_services(API, (f"ome-0.{HOST}", 8081), (f"ome-2.{HOST}", 8081))
    assert await names() == ["ome-0", "ome-2"]
