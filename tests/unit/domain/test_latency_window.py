from datetime import UTC, datetime

import pytest

from streaming_service.domain.latency_window import (
    FEWEST,
    LATENCY_BUCKETS_MS,
    Counts,
    LatencyPolicy,
    Window,
    alert,
    is_slow,
    read,
)
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.rendering import SignedManifest, render_body

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICY = LatencyPolicy(slo=25.0, share=0.05, window=300.0)
NOTHING: Counts = (0,) * (len(LATENCY_BUCKETS_MS) + 1)


def counted(**by_bound: int) -> Counts:
    """`ms25=3`: three requests that took up to 25 ms; `more` for those above the highest bound."""
    bounds = [f"ms{bound:g}" for bound in LATENCY_BUCKETS_MS] + ["more"]
    assert by_bound.keys() <= set(bounds)
    return tuple(by_bound.get(name, 0) for name in bounds)


def window(over: float, count: int = 1000) -> Window:
    return Window(count, 1.0, 30.0, over)


def test_a_window_is_what_was_counted_in_between() -> None:
    before, now = counted(ms1=500, ms2000=500), counted(ms1=590, ms25=9, ms2000=501)
    found = read(before, now, 25.0)

    assert (found.count, found.over) == (100, 0.01)
    assert 0.5 < found.p50 < 1.0
    assert found.p99 == 25.0


def test_what_is_above_all_buckets_took_longer_than_the_objective() -> None:
    found = read(NOTHING, counted(more=10), 25.0)
    assert (found.over, found.p50, found.p99) == (1.0, 2000.0, 2000.0)


def test_quantiles_lie_within_their_bucket() -> None:
    found = read(NOTHING, counted(ms50=100), 25.0)
    assert (found.p50, found.p99) == (37.5, pytest.approx(49.75))


def test_nothing_at_all_is_no_latency() -> None:
    assert read(counted(ms1=5), counted(ms1=5), 25.0) == Window(0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("slo", LATENCY_BUCKETS_MS)
def test_a_request_exactly_as_long_as_the_objective_keeps_it(slo: float) -> None:
    found = read(NOTHING, counted(**{f"ms{slo:g}": 1}), slo)
    assert found.over == 0


@pytest.mark.parametrize(
    ("over", "was_slow", "slow"),
    [
        (0.05, False, False),
        (0.051, False, True),
        (0.03, True, True),
        (0.03, False, False),
        (0.025, True, False),
    ],
)
def test_it_begins_above_the_threshold_and_is_over_at_half_of_it(over: float, was_slow: bool, slow: bool) -> None:
    assert is_slow(window(over), POLICY, was_slow=was_slow) is slow


@pytest.mark.parametrize("was_slow", [True, False])
def test_of_too_few_requests_nothing_is_concluded(was_slow: bool) -> None:
    assert is_slow(window(0.9, FEWEST - 1), POLICY, was_slow=was_slow) is was_slow
    assert is_slow(window(0.0, FEWEST - 1), POLICY, was_slow=was_slow) is was_slow
    assert is_slow(window(0.9, FEWEST), POLICY, was_slow=was_slow)


def test_when_nobody_asks_any_more_it_is_over() -> None:
    assert not is_slow(Window(0, 0.0, 0.0, 0.0), POLICY, was_slow=True)


def told(found: Window, *, slow: bool) -> dict[Endpoint, Notification]:
    made = alert(
        found,
        POLICY,
        slow=slow,
        instance="pod-1/7/abc",
        reason="",
        now=NOW,
        endpoints=set(Endpoint),
        audit_topic="topic",
    )
    assert len({item.id for item in made}) == len(made) == 3
    return {item.endpoint: item for item in made}


def test_everybody_who_hears_of_alerts_is_told_which_process_it_is() -> None:
    made = told(window(0.061), slow=True)
    bodies = {name: render_body(item, lambda path, base: SignedManifest("", "")) for name, item in made.items()}

    analytics = bodies[Endpoint.BIGQUERY]
    assert (analytics["event"], "contentId" in analytics["payload"]) == ("stream.manifest.latency", False)
    known = {"instance": "pod-1/7/abc", "count": 1000, "p50Ms": 1.0, "p99Ms": 30.0, "shareOverSlo": 0.061}
    assert analytics["payload"].items() >= {**known, "sloMs": 25.0, "windowSeconds": 300.0, "resolved": False}.items()
    person = bodies[Endpoint.OBSERVABILITY]
    assert person["severity"] == "warning"
    assert person["description"] == ("pod-1/7/abc: 6.1% of 1000 manifest requests in 300 s over 25 ms, p99 30.0 ms")
    assert bodies[Endpoint.AUDIT]["actor"] == "latency-watch"


def test_it_is_critical_when_most_requests_are_slow_and_no_alarm_when_it_is_over() -> None:
    assert told(window(0.6), slow=True)[Endpoint.OBSERVABILITY].facts["severity"] == "critical"
    over = told(window(0.01), slow=False)[Endpoint.OBSERVABILITY].facts
    assert (over["severity"], over["resolved"]) == ("info", True)


def test_who_is_not_configured_is_told_nothing() -> None:
    made = alert(window(1.0), POLICY, slow=True, instance="i", reason="", now=NOW, endpoints=set(), audit_topic=None)
    assert made == ()
