"""Blips change nothing, outages do, nothing flaps, and nobody is stampeded."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.fleet.health import HEALTH_POLICY, HealthPolicy, HealthState, OriginHealth

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def history(
    probes: Iterable[bool], *, every: float = 5.0, policy: HealthPolicy = HEALTH_POLICY
) -> list[tuple[float, OriginHealth]]:
    """What is known after each probe, and when."""
    health = OriginHealth(since=NOW)
    known: list[tuple[float, OriginHealth]] = []
    for number, answered in enumerate(probes):
        now = number * every
        health = health.succeeded(at(now), policy) if answered else health.failed(at(now), policy)
        known.append((now, health))
    return known


def states(probes: str, *, every: float = 5.0) -> list[str]:
    """`+` and `-` to the first three letters of the state after each."""
    return [health.state[:3] for _, health in history((probe == "+" for probe in probes), every=every)]


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ("+", "up"),
        ("-", "unk"),
        ("-+", "unk up"),
        ("---", "unk unk dow"),
        ("+-", "up sus"),
        ("+--+", "up sus sus sus"),
        ("+-+++", "up sus sus sus up"),
        ("+---", "up sus sus dow"),
        ("+---++", "up sus sus dow dow dow"),
        ("+---+++", "up sus sus dow dow dow rec"),
        ("+---++-+++", "up sus sus dow dow dow dow dow dow rec"),
        ("+---+++-", "up sus sus dow dow dow rec sus"),
        ("+---+++-+++", "up sus sus dow dow dow rec sus sus sus rec"),
        ("+---+++---", "up sus sus dow dow dow rec sus sus dow"),
        ("---+++" + "+" * 12, "unk unk dow dow dow" + " rec" * 12 + " up"),
        ("---+++" + "+" * 7 + "-+++++", "unk unk dow dow dow" + " rec" * 8 + " sus sus sus rec up up"),
        ("---+++" + "+" * 11 + "-+++", "unk unk dow dow dow" + " rec" * 12 + " sus sus sus up"),
    ],
)
def test_states_follow_the_probes(probes: str, expected: str) -> None:
    assert states(probes) == expected.split()


def test_many_quick_failures_are_not_an_outage_yet() -> None:
    assert states("+" + "-" * 10, every=1.0) == ["up"] + ["sus"] * 10
    assert states("+" + "-" * 11, every=1.0)[-1] == "dow"


def test_two_failures_far_apart_are_not_an_outage_yet() -> None:
    assert states("+--", every=60.0) == ["up", "sus", "sus"]


def test_since_is_when_the_state_began() -> None:
    known = history([True, True, False, False, False, False])

    assert [health.since for _, health in known] == [at(0), at(0), at(10), at(10), at(20), at(20)]


def test_a_process_that_has_just_started_has_no_ramp() -> None:
    (_, health), *_ = history([True])

    assert health.recovered_at is None
    assert health.room(5, at(0)) == 5


def test_a_ramp_goes_on_through_a_blip_and_begins_anew_after_an_outage() -> None:
    *_, (_, recovered) = history([False] * 3 + [True] * 3)
    began = recovered.since
    blip = recovered.failed(began + timedelta(seconds=30))
    assert (blip.state, blip.room(5, began + timedelta(seconds=30))) == (HealthState.SUSPECT, 3)

    again = recovered
    for seconds in (30, 35, 40):
        again = again.failed(began + timedelta(seconds=seconds))
    for seconds in (45, 50, 55):
        again = again.succeeded(began + timedelta(seconds=seconds))

    assert again.state is HealthState.RECOVERING
    assert again.room(5, began + timedelta(seconds=55)) == 1


def test_without_a_ramp_all_room_is_there_at_once() -> None:
    policy = HealthPolicy(ramp_seconds=0.0)
    *_, (now, health) = history([False] * 3 + [True] * 3, policy=policy)

    assert health.room(5, at(now), policy) == 5
    assert health.succeeded(at(now + 5), policy).state is HealthState.UP


def test_a_clock_that_is_set_back_breaks_nothing() -> None:
    health = OriginHealth(since=NOW).succeeded(at(0)).failed(at(0)).failed(at(-3600)).failed(at(-3590))

    assert health.state is HealthState.SUSPECT
    assert health.failed(at(10)).state is HealthState.DOWN


PROBES = st.lists(st.booleans(), min_size=1, max_size=150)
GAPS = st.floats(0.1, 30.0)


@given(st.integers(1, 100), GAPS, st.booleans())
def test_alternating_answers_change_the_state_once_at_most(pairs: int, every: float, first: bool) -> None:
    seen = [health.state for _, health in history([True, *[first, not first] * pairs], every=every)]

    assert set(seen) <= {HealthState.UP, HealthState.SUSPECT}
    assert sum(before is not after for before, after in itertools.pairwise(seen)) <= 1


@given(st.integers(1, 100), GAPS)
def test_alternating_answers_do_not_bring_a_lost_origin_back(pairs: int, every: float) -> None:
    probes = [False] * 200 + [True, False] * pairs

    assert history(probes, every=every)[-1][1].state is HealthState.DOWN


@given(PROBES, GAPS)
def test_no_state_is_left_faster_than_the_policy_allows(probes: list[bool], every: float) -> None:
    known = history(probes, every=every)
    changes = [
        (number, before.state, after.state)
        for number, ((_, before), (_, after)) in enumerate(itertools.pairwise(known), start=1)
        if before.state is not after.state
    ]
    for number, before, after in changes:
        latest = probes[max(0, number - 2) : number + 1]
        if after is HealthState.DOWN:
            row = next((back for back, answered in enumerate(reversed(probes[: number + 1])) if answered), number + 1)
            assert row >= 3
            assert (row - 1) * every >= 10.0 - 1e-6
        elif before in {HealthState.DOWN, HealthState.SUSPECT}:
            assert latest == [True] * 3
    downs = [number for number, _, after in changes if after is HealthState.DOWN]
    assert all((later - earlier) * every >= 10.0 - 1e-6 for earlier, later in itertools.pairwise(downs))
    assert all(later - earlier >= 6 for earlier, later in itertools.pairwise(downs))


@given(PROBES, GAPS)
def test_counts_and_state_agree(probes: list[bool], every: float) -> None:
    for now, health in history(probes, every=every):
        assert health.successes == 0 or health.failures == 0
        assert (health.failing_since is None) == (health.failures == 0)
        assert health.recovered_at is None or health.reachable
        if health.state is HealthState.RECOVERING:
            assert health.recovered_at is not None
        if health.state is HealthState.UP:
            assert health.room(7, at(now)) == 7


@given(PROBES, st.floats(4.0, 30.0))
def test_a_steady_origin_ends_up_up_and_a_silent_one_down(probes: list[bool], every: float) -> None:
    assert history([*probes, *[True] * 20], every=every)[-1][1].state is HealthState.UP
    assert history([*probes, *[False] * 4], every=every)[-1][1].state is HealthState.DOWN
