"""What DNS says of a headless service, and what is made of it when DNS is ill."""

import pytest
from structlog.testing import capture_logs

from streaming_service.adapters.pools.dns import DnsTopology, Service
from streaming_service.domain.fleet.topology import OriginSpec
from streaming_service.errors import InvalidInput, UpstreamUnavailable
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio
HOST = "ome.streaming.svc"


class FakeResolver:
    """Answers from two books; names in `down` get no answer."""

    def __init__(self) -> None:
        self.srv: dict[str, tuple[Service, ...]] = {}
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.down: set[str] = set()
        self.asked: list[str] = []

    async def services(self, name: str) -> tuple[Service, ...]:
        self._ask(name)
        return self.srv.get(name, ())

    async def addresses(self, name: str) -> tuple[str, ...]:
        self._ask(name)
        return self.hosts.get(name, ())

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if any(name.endswith(host) for host in self.down):
            raise UpstreamUnavailable("dns", f"SRV {name} was not answered: Timeout")

    def publish(self, *pods: str, host: str = HOST, port: int = 8081) -> None:
        self.srv[f"_api._tcp.{host}"] = tuple(Service(f"{pod}.{host}", port) for pod in pods)


class Zone:
    """A resolver, a clock, and a source that reads it."""

    def __init__(self) -> None:
        self.resolver = FakeResolver()
        self.clock = FakeClock()
        self.source = self.reading({"reels": HOST})

    def reading(self, hosts: dict[str, str]) -> DnsTopology:
        egress = {"edges": "http://edge:3333"}
        return DnsTopology(hosts, self.resolver, self.clock, api_url="http://ome:8081", egress=egress)

    async def names(self, pool: str = "reels") -> list[str]:
        return [origin.name for origin in (await self.source.read()).origins_of(pool)]


@pytest.fixture
def zone() -> Zone:
    return Zone()


async def test_pods_are_called_as_they_are(zone: Zone) -> None:
    zone.resolver.publish("ome-1", "ome-0", port=8081)
    zone.resolver.srv[f"_playback._tcp.{HOST}"] = (Service(f"ome-0.{HOST}", 3333),)
    zone.resolver.srv[f"_rtmp._tcp.{HOST}"] = (Service(f"ome-0.{HOST}", 1935),)

    assert (await zone.source.read()).origins_of("reels") == (
        OriginSpec(
            name="ome-0",
            api_url=f"http://ome-0.{HOST}:8081",
            playback_url=f"http://ome-0.{HOST}:3333",
            ingest_url=f"rtmp://ome-0.{HOST}:1935",
        ),
        OriginSpec(name="ome-1", api_url=f"http://ome-1.{HOST}:8081"),
    )


async def test_addresses_do_where_there_is_no_srv(zone: Zone) -> None:
    zone.resolver.hosts[HOST] = ("10.0.0.2", "10.0.0.1", "fd00::1")

    assert (await zone.source.read()).origins_of("reels") == (
        OriginSpec(name="10.0.0.1", api_url="http://10.0.0.1:8081"),
        OriginSpec(name="10.0.0.2", api_url="http://10.0.0.2:8081"),
        OriginSpec(name="fd00-1", api_url="http://[fd00::1]:8081"),
    )


async def test_edges_are_a_pool_too(zone: Zone) -> None:
    zone.resolver.publish("ome-0")

    assert (await zone.source.read()).pools["edges"].playback_url == "http://edge:3333"


async def test_pools_of_one_host_share_its_origins_and_its_questions(zone: Zone) -> None:
    zone.resolver.publish("ome-0")
    topology = await zone.reading({"reels": HOST, "series": HOST}).read()

    assert topology.pools_of("ome-0") == ("reels", "series")
    assert zone.resolver.asked.count(f"_api._tcp.{HOST}") == 1


async def test_a_new_pod_is_there_at_once(zone: Zone) -> None:
    zone.resolver.publish("ome-0")
    await zone.names()
    zone.resolver.publish("ome-0", "ome-1")

    assert await zone.names() == ["ome-0", "ome-1"]


async def test_a_pod_that_is_missing_is_forgotten_after_a_while(zone: Zone) -> None:
    zone.resolver.publish("ome-0", "ome-1")
    await zone.names()
    zone.resolver.publish("ome-0")

    zone.clock.advance(300)
    assert await zone.names() == ["ome-0", "ome-1"]
    zone.clock.advance(1)
    assert await zone.names() == ["ome-0"]


async def test_a_pod_that_comes_back_in_time_is_not_forgotten(zone: Zone) -> None:
    zone.resolver.publish("ome-0", "ome-1")
    await zone.names()
    zone.resolver.publish("ome-0")
    zone.clock.advance(200)
    await zone.names()
    zone.resolver.publish("ome-0", "ome-1")
    zone.clock.advance(50)
    await zone.names()
    zone.resolver.publish("ome-0")
    zone.clock.advance(200)

    assert await zone.names() == ["ome-0", "ome-1"]


@pytest.mark.parametrize("illness", ["empty", "down"])
async def test_a_host_that_answers_nothing_keeps_its_origins(zone: Zone, illness: str) -> None:
    zone.resolver.publish("ome-0", "ome-1")
    await zone.names()
    if illness == "empty":
        zone.resolver.publish()
    else:
        zone.resolver.down.add(HOST)
    with capture_logs() as lines:
        for _ in range(3):
            zone.clock.advance(1000)
            assert await zone.names() == ["ome-0", "ome-1"]

    assert [line["event"] for line in lines] == ["host not resolved, its origins stay"]


async def test_pods_do_not_turn_into_addresses(zone: Zone) -> None:
    zone.resolver.publish("ome-0")
    await zone.names()
    zone.resolver.publish()
    zone.resolver.hosts[HOST] = ("10.0.0.1",)
    zone.clock.advance(1000)

    assert await zone.names() == ["ome-0"]


async def test_one_ill_host_does_not_hold_up_another(zone: Zone) -> None:
    zone.source = zone.reading({"reels": HOST, "series": "series.svc"})
    zone.resolver.publish("ome-0")
    zone.resolver.down.add("series.svc")
    assert await zone.names() == ["ome-0"]
    assert await zone.names("series") == []

    zone.resolver.publish("ome-0", "ome-1")
    assert await zone.names() == ["ome-0", "ome-1"]


@pytest.mark.parametrize("illness", ["empty", "down"])
async def test_nothing_ever_answered_is_an_error(zone: Zone, illness: str) -> None:
    if illness == "down":
        zone.resolver.down.add(HOST)

    with pytest.raises(UpstreamUnavailable, match=HOST):
        await zone.source.read()


async def test_two_pods_of_one_name_are_an_error(zone: Zone) -> None:
    zone.source = zone.reading({"reels": HOST, "series": "series.svc"})
    zone.resolver.publish("ome-0")
    zone.resolver.publish("ome-0", host="series.svc")

    with pytest.raises(InvalidInput, match="origin 'ome-0' is not the same"):
        await zone.source.read()


async def test_two_targets_of_one_name_leave_the_host_as_it_was(zone: Zone) -> None:
    zone.resolver.publish("ome-0")
    await zone.names()
    zone.resolver.srv[f"_api._tcp.{HOST}"] = (Service("ome-1.a", 8081), Service("ome-1.b", 8081))

    with capture_logs() as lines:
        assert await zone.names() == ["ome-0"]
    assert "two targets whose first label is 'ome-1'" in lines[0]["reason"]
