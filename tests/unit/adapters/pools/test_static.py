"""Pools that the settings hold themselves."""

import pytest

from streaming_service.adapters.pools.static import StaticTopology, dns_host, pool_name, static_topology
from streaming_service.domain.fleet.topology import OriginSpec, Pool, Topology
from streaming_service.errors import InvalidInput

API = "http://ome:8081"
PLAYBACK = "http://edge:3333"
REELS, SERIES, EDGES = "OME_REELS_INGEST_POOL", "OME_SERIES_INGEST_POOL", "OME_REELS_EGRESS_POOL"
V6 = "http://[fd00::1]:81"
DEFAULT = OriginSpec(name="default", api_url=API, playback_url=PLAYBACK)


def topology(reels: str, series: str = "series", edges: str = "edges", api_url: str | None = API) -> Topology:
    return static_topology({REELS: reels, SERIES: series}, {EDGES: edges}, api_url=api_url, playback_url=PLAYBACK)


def origins(value: str) -> dict[str, str]:
    found = topology(value).origins_of(pool_name(REELS, value))
    return {origin.name: origin.api_url for origin in found}


def test_mere_names_share_the_one_origin() -> None:
    assert topology("reels").pools == {
        "reels": Pool("reels", (DEFAULT,)),
        "series": Pool("series", (DEFAULT,)),
        "edges": Pool("edges", (), PLAYBACK),
    }


def test_both_classifications_may_share_a_pool() -> None:
    assert topology("all", "all", "all").pools == {"all": Pool("all", (DEFAULT,), PLAYBACK)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://ome-1:8081", {"ome-1-8081": "http://ome-1:8081"}),
        ("http://ome-1:8081/, http://ome-2", {"ome-1-8081": "http://ome-1:8081", "ome-2": "http://ome-2"}),
        ("eu=http://ome-1:8081,us = http://ome-2:8081", {"eu": "http://ome-1:8081", "us": "http://ome-2:8081"}),
        ("http://10.0.0.1:8081,http://[fd00::1]:81", {"10.0.0.1-8081": "http://10.0.0.1:8081", "fd00-1-81": V6}),
        ("http://gateway/a=b", {"gateway": "http://gateway/a=b"}),
    ],
)
def test_a_value_may_be_the_list_of_origins(value: str, expected: dict[str, str]) -> None:
    assert origins(value) == expected


def test_a_pool_without_a_name_is_called_as_its_variable() -> None:
    found = topology("http://ome-1:8081", "series", "http://edge-1:3333")

    assert set(found.pools) == {REELS, "series", EDGES}
    assert found.pools[EDGES].playback_url == "http://edge-1:3333"
    assert found.origins_of("series") == (DEFAULT,)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("http://ome-1:8081,", "an entry without a name: must be http:// or https://"),
        ("http://ome-1:8081,ome-2", "an entry without a name: must be http:// or https://"),
        ("one=ftp://ome-1", "entry one: must be http:// or https://"),
        ("one/two=http://ome-1", "the name in one/two=…: must be 1 to 63"),
        ("http://gateway/1,http://gateway/2", "lists origin 'gateway' twice"),
        (f"http://{'o' * 64}:8081", "the name made of a long address: must be 1 to 63"),
    ],
)
def test_a_wrong_list_names_variable_and_entry(value: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        topology(value)

    assert caught.value.field == REELS
    assert reason in caught.value.reason


def test_one_name_for_two_origins_is_refused_over_all_variables() -> None:
    with pytest.raises(InvalidInput, match="is not the same as in pools"):
        topology("one=http://ome-1:8081", "one=http://ome-2:8081")


def test_a_mere_name_needs_an_address() -> None:
    with pytest.raises(InvalidInput, match="set OME_API_BASE_URL or OME_POOLS_FILE"):
        topology("reels", api_url=None)


def test_edges_without_an_address_are_no_pool() -> None:
    found = static_topology({REELS: "reels"}, {EDGES: "edges"}, api_url=API, playback_url=None)

    assert set(found.pools) == {"reels"}


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("dns:ome.streaming.svc", "ome.streaming.svc"),
        (" dns://ome.streaming.svc ", "ome.streaming.svc"),
        ("dns:", None),
        ("ome-reels-ingest", None),
        ("http://ome-1:8081", None),
    ],
)
def test_a_value_may_name_a_host_of_dns(value: str, host: str | None) -> None:
    assert dns_host(value) == host
    if host:
        assert pool_name(REELS, value) == REELS


@pytest.mark.anyio
async def test_as_a_source_it_always_says_the_same() -> None:
    found = topology("reels")

    assert await StaticTopology(found).read() is found
