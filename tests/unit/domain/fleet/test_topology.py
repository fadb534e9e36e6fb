"""Pools, origins, and what may not be said of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

ONE = OriginSpec(name="ome-1", api_url="http://ome-1:8081")
TWO = OriginSpec(name="ome-2", api_url="http://ome-2:8081")


def test_an_origin_may_be_in_several_pools_and_counts_once() -> None:
    topology = topology_of([Pool("reels", (ONE, TWO)), Pool("series", (ONE,)), Pool("edges", (), "http://e")], "POOLS")

    assert topology.origins == {"ome-1": ONE, "ome-2": TWO}
    assert topology.origins_of("series") == (ONE,)
    assert topology.pools_of("ome-1") == ("reels", "series")
    assert topology.pools_of("ome-2") == ("reels",)


def test_a_pool_that_is_not_there_has_no_origins() -> None:
    assert Topology().origins_of("reels") == ()


def test_one_name_for_two_origins_is_refused() -> None:
    other = OriginSpec(name="ome-1", api_url="http://elsewhere:8081")

    with pytest.raises(InvalidInput, match=r"pools.series: origin 'ome-1' is not the same as in pools.reels") as caught:
        topology_of([Pool("reels", (ONE,)), Pool("series", (other,))], "POOLS")

    assert caught.value.field == "POOLS"


def test_an_origin_twice_in_a_pool_is_refused() -> None:
    again = OriginSpec(name="ome-1", api_url="http://ome-1:8081")

    with pytest.raises(InvalidInput, match=r"pools.reels: lists origin 'ome-1' twice"):
        topology_of([Pool("reels", (ONE, again))], "POOLS")


def test_an_equal_origin_in_two_pools_is_the_same_one() -> None:
    again = OriginSpec(name="ome-1", api_url="http://ome-1:8081")

    assert topology_of([Pool("reels", (ONE,)), Pool("series", (again,))], "POOLS").origins == {"ome-1": ONE}


@pytest.mark.parametrize("name", ["", "a" * 64, "ome 1", "ome/1", "ome-1\n", "é"])
def test_a_name_is_letters_digits_dots_and_dashes(name: str) -> None:
    with pytest.raises(InvalidInput, match="must be 1 to 63 letters"):
        check_name(name, "POOLS", "name")


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("http://ome-1:8081", "http://ome-1:8081"),
        ("https://gateway/ome-1/", "https://gateway/ome-1"),
        ("http://[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_a_url_loses_its_final_slash(url: str, checked: str) -> None:
    assert check_url(url, API_SCHEMES, "POOLS", "apiUrl") == checked


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must be http:// or https://"),
        ("ome-1:8081", "must be http:// or https://"),
        ("rtmp://ome-1", "must be http:// or https://"),
        ("http://", "must be http:// or https://"),
        ("http://:8081", "must be http:// or https://"),
        ("http://ome-1:0", "must be http:// or https://"),
        ("http://ome-1:port", "must be http:// or https://"),
        ("http://ome-1:65536", "must be http:// or https://"),
        ("http://[::1", "must be http:// or https://"),
        ("http://ome 1", "must be http:// or https://"),
        ("http://ome-1\n:8081", "must be http:// or https://"),
        ("http://ömé", "must be http:// or https://"),
        (f"http://{'o' * 2048}", "must be http:// or https://"),
        ("http://ome-1/?", "must end before"),
        ("http://ome-1#a", "must end before"),
        ("http://key:planted-secret@ome-1:8081", "must not hold user or password"),
    ],
)
def test_a_wrong_url_is_refused_and_not_repeated(url: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        check_url(url, API_SCHEMES, "POOLS", "apiUrl")

    assert caught.value.field == "POOLS"
    assert caught.value.reason.startswith("apiUrl: ")
    assert "planted-secret" not in str(caught.value)


@given(st.text(max_size=40) | st.text(max_size=40).map(lambda rest: f"http://{rest}"))
def test_any_text_is_a_url_or_invalid(url: str) -> None:
    try:
        checked = check_url(url, API_SCHEMES, "POOLS", "apiUrl")
    except InvalidInput:
        return
    assert check_url(checked, API_SCHEMES, "POOLS", "apiUrl") == checked
