"""Regions as an operator writes them."""

import pytest

from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import Region, parse_regions
from streaming_service.errors import InvalidInput


def test_a_label_an_edge_and_an_agent() -> None:
    text = (
        "iad, sfo=https://edge-sfo.example/,ams=agent:http://probe-ams:4910,fra=https://a.example|http://b.example:81"
    )
    assert parse_regions(text) == (
        Region("iad"),
        Region("sfo", edges=((Target.PRIMARY, "https://edge-sfo.example"),)),
        Region("ams", agent="http://probe-ams:4910"),
        Region("fra", edges=((Target.PRIMARY, "https://a.example"), (Target.FAILOVER, "http://b.example:81"))),
    )


def test_ways() -> None:
    here, edge, agent = parse_regions("iad,sfo=https://edge.example,ams=agent:http://probe")
    assert [region.is_here for region in (here, edge, agent)] == [True, False, False]
    assert edge.edge(Target.PRIMARY) == "https://edge.example"
    assert edge.edge(Target.FAILOVER) is None


def test_no_regions() -> None:
    assert parse_regions(" , ") == ()


@pytest.mark.parametrize(
    "text",
    [
        "iad,iad",
        "a b",
        "ä",
        "=https://edge.example",
        "iad=",
        "iad=edge.example",
        "iad=ftp://edge.example",
        "iad=https://edge.example/path",
        "iad=https://user:password@edge.example",
        "iad=agent:",
        "iad=agent:edge",
        "iad=https://a|https://b|https://c",
        ",".join(f"r{number}" for number in range(33)),
    ],
)
def test_what_is_wrong_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="CDN_PROBE_REGIONS"):
        parse_regions(text)
