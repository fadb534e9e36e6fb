"""Pools files: JSON, TOML, and every way to get one wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.fleet.pools_file import parse_topology
from streaming_service.domain.fleet.topology import OriginSpec, Pool
from streaming_service.errors import InvalidInput

ORIGIN: dict[str, Any] = {
    "name": "ome-1",
    "apiUrl": "http://ome-1:8081/",
    "playbackUrl": "http://ome-1:3333",
    "ingestUrl": "rtmp://ome-1:1935",
    "capacity": 5,
}
AS_JSON = json.dumps(
    {
        "pools": {
            "ome-reels-ingest": {"origins": [ORIGIN, {"name": "ome-2", "apiUrl": "http://ome-2:8081"}]},
            "ome-series-ingest": {"origins": [ORIGIN]},
            "ome-reels-egress": {"playbackUrl": "http://edge:3333"},
        }
    }
)
AS_TOML = """
[[pools.ome-reels-ingest.origins]]
name = "ome-1"
apiUrl = "http://ome-1:8081"
playbackUrl = "http://ome-1:3333"
ingestUrl = "rtmp://ome-1:1935"
capacity = 5

[[pools.ome-reels-ingest.origins]]
name = "ome-2"
apiUrl = "http://ome-2:8081"

[pools.ome-series-ingest]
origins = [{name = "ome-1", apiUrl = "http://ome-1:8081", playbackUrl = "http://ome-1:3333", \
ingestUrl = "rtmp://ome-1:1935", capacity = 5}]

[pools.ome-reels-egress]
playbackUrl = "http://edge:3333"
"""
ONE = OriginSpec(
    name="ome-1",
    api_url="http://ome-1:8081",
    playback_url="http://ome-1:3333",
    ingest_url="rtmp://ome-1:1935",
    capacity=5,
)
TWO = OriginSpec(name="ome-2", api_url="http://ome-2:8081")


def pool(**changes: Any) -> str:
    return json.dumps({"pools": {"reels": {"origins": [{**ORIGIN, **changes}]}}})


@pytest.mark.parametrize("text", [AS_JSON, "\ufeff" + AS_JSON, "\n " + AS_JSON, AS_TOML])
def test_json_and_toml_say_the_same(text: str) -> None:
    assert parse_topology(text.encode()).pools == {
        "ome-reels-ingest": Pool("ome-reels-ingest", (ONE, TWO)),
        "ome-series-ingest": Pool("ome-series-ingest", (ONE,)),
        "ome-reels-egress": Pool("ome-reels-egress", (), "http://edge:3333"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing required field `pools`"),
        ('{"pools": {', "is not JSON: "),
        ("[pools", "is neither JSON nor TOML: "),
        ("[]", "Expected `object`, got `array`"),
        ('{"pools": {}}', "pools: is empty"),
        ('{"pools": {}, "extra": 1}', "unknown field `extra`"),
        ('{"pools": {"reels": {}}}', "pools.reels: is empty: an ingest pool has origins"),
        ('{"pools": {"reels": {"origins": []}}}', "pools.reels: is empty"),
        ('{"pools": {"reels": 1}}', "pools.reels: Expected `object`, got `int`"),
        ('{"pools": {"reels": {"orgins": []}}}', "pools.reels: Object contains unknown field `orgins`"),
        ('{"pools": {"reels and more": {"playbackUrl": "http://edge"}}}', "pools.reels and more: must be 1 to 63"),
        ('{"pools": {"reels": {"playbackUrl": "edge"}}}', "pools.reels.playbackUrl: must be http:// or https://"),
        ('{"pools": {"reels": {"origins": [{"name": "ome-1"}]}}}', "pools.reels.origins[0]: Object missing"),
        (pool(name="ome/1"), "pools.reels.origins[0].name: must be 1 to 63"),
        (pool(apiUrl="ftp://ome-1"), "pools.reels.origins[0].apiUrl: must be http:// or https://"),
        (pool(playbackUrl="rtmp://ome-1"), "pools.reels.origins[0].playbackUrl: must be http:// or https://"),
        (pool(ingestUrl="http://ome-1"), "pools.reels.origins[0].ingestUrl: must be rtmp:// or rtmps://"),
        (pool(capacity=0), "pools.reels.origins[0].capacity: must be 1 to 10000 channels"),
        (pool(capacity=10_001), "pools.reels.origins[0].capacity: must be 1 to 10000"),
        (pool(capacity="5"), "pools.reels.origins[0].capacity: Expected `int | null`, got `str`"),
        (pool(weight=5), "pools.reels.origins[0]: Object contains unknown field `weight`"),
        (json.dumps({"pools": {"reels": {"origins": [ORIGIN, ORIGIN]}}}), "pools.reels: lists origin 'ome-1' twice"),
    ],
)
def test_a_wrong_file_names_the_place_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_topology(text.encode())

    assert caught.value.field == "OME_POOLS_FILE"
    assert reason in caught.value.reason


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidInput, match="is not UTF-8"):
        parse_topology(b"\xff\xfe")


@pytest.mark.parametrize("text", ["[" * 100_000, "a = " + "[" * 100_000, '{"a":' * 100_000])
def test_depth_is_no_crash(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_topology(text.encode())


@given(st.integers(0, len(AS_JSON) - 1))
def test_half_a_json_file_is_never_a_topology(length: int) -> None:
    with pytest.raises(InvalidInput):
        parse_topology(AS_JSON[:length].encode())


_KEYS = ("pools", "reels", "origins", "name", "apiUrl", "playbackUrl", "ingestUrl", "capacity")
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["http://a", "rtmp://a", "ome-1", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES.map(json.dumps) | st.text(max_size=60))
def test_any_text_is_a_topology_or_invalid(text: str) -> None:
    try:
        topology = parse_topology(text.encode(errors="surrogatepass"))
    except InvalidInput:
        return
    assert topology.pools
