"""How long manifest requests took, and who is told."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.domain.latency import FEWEST_JUDGED, SLOW_MS, TOPIC, Counts, envelopes, is_slow
from streaming_service.domain.notification import Endpoint
from tests.fakes import NOW

BOUNDS = (1.0, 10.0, 100.0)
EVERYBODY = frozenset(Endpoint)


def counts(*buckets: int, total_ms: float = 0.0, **results: int) -> Counts:
    return Counts(BOUNDS, buckets, total_ms, results or {"ok": sum(buckets)})


def told(counted: Counts, *, was_slow: bool = False) -> dict[Endpoint, dict[str, object]]:
    made = envelopes(counted, "api-1", NOW - timedelta(minutes=1), NOW, EVERYBODY, was_slow=was_slow)
    assert {item.topic for item in made} == ({TOPIC} if made else set())
    assert len({item.id for item in made}) == len(made)
    return {item.endpoint: dict(item.facts) for item in made}


def test_only_what_came_since_counts() -> None:
    before = counts(5, 1, 0, 0, total_ms=7.0, ok=6)
    after = counts(7, 1, 1, 1, total_ms=300.0, ok=8, not_ready=2)
    assert after.since(before) == counts(2, 0, 1, 1, total_ms=293.0, ok=2, not_ready=2)


@pytest.mark.parametrize(
    ("buckets", "part", "expected"),
    [
        ((100, 0, 0, 0), 0.5, 0.5),
        ((0, 100, 0, 0), 0.5, 5.5),
        ((50, 50, 0, 0), 0.75, 5.5),
        ((0, 0, 100, 0), 1.0, 100.0),
        ((0, 0, 0, 100), 0.5, 100.0),
        ((99, 0, 0, 1), 0.99, 1.0),
        ((0, 0, 0, 0), 0.99, 0.0),
    ],
)
def test_quantiles_are_as_exact_as_buckets_tell(buckets: tuple[int, ...], part: float, expected: float) -> None:
    assert counts(*buckets).quantile(part) == expected


def test_slow_is_when_the_slowest_hundredth_is_and_there_are_enough_to_tell() -> None:
    assert is_slow(counts(0, 0, FEWEST_JUDGED, 0))
    assert not is_slow(counts(0, 0, FEWEST_JUDGED - 1, 0))
    assert not is_slow(counts(FEWEST_JUDGED, 0, 0, 1))
    assert SLOW_MS == 25.0


def test_a_quiet_minute_is_told_to_nobody() -> None:
    assert told(counts(0, 0, 0, 0)) == {}


def test_analytics_is_told_every_minute_and_people_when_it_changes() -> None:
    fast, slow = counts(100, 0, 0, 0, total_ms=50.0), counts(0, 0, 100, 0, total_ms=9000.0)
    assert set(told(fast)) == set(told(slow, was_slow=True)) == {Endpoint.BIGQUERY}
    everybody = {Endpoint.BIGQUERY, Endpoint.OBSERVABILITY, Endpoint.AUDIT}
    assert set(told(slow)) == set(told(fast, was_slow=True)) == everybody
    alert = told(slow)[Endpoint.OBSERVABILITY]
    assert (alert["severity"], alert["slow"], alert["meanMs"]) == ("warning", True, 90.0)
    assert alert["buckets"] == [{"leMs": 100.0, "requests": 100}]
    assert told(fast, was_slow=True)[Endpoint.OBSERVABILITY]["severity"] == "info"


def test_refusals_are_counted_by_their_code() -> None:
    facts = told(replace(counts(2, 0, 0, 0), results={"not_ready": 1, "ok": 1}))[Endpoint.BIGQUERY]
    assert facts["results"] == {"not_ready": 1, "ok": 1}
