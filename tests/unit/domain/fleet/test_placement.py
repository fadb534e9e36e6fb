"""Who gets a channel, who may have how many, and who is given up."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.fleet.health import HEALTH_POLICY, HealthState, OriginHealth
from streaming_service.domain.fleet.load import Load
from streaming_service.domain.fleet.placement import allowed, given_up, rendezvous
from streaming_service.domain.fleet.topology import OriginSpec, Pool, topology_of

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NAMES = st.sets(st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True), min_size=1, max_size=12)
STATES = st.sampled_from(HealthState)


def health(state: HealthState) -> OriginHealth:
    return OriginHealth(since=NOW, state=state)


# -- order ------------------------------------------------------------------------------------------------------------


def test_the_order_is_the_same_in_every_process_and_release() -> None:
    assert rendezvous("content-5", ["ome-1", "ome-2", "ome-3"]) == ("ome-3", "ome-1", "ome-2")


@given(st.text(max_size=40), NAMES)
def test_every_name_is_ordered_once_whatever_order_they_come_in(key: str, names: set[str]) -> None:
    order = rendezvous(key, names)

    assert sorted(order) == sorted(names)
    assert rendezvous(key, [*sorted(names, reverse=True), *names]) == order


@given(st.text(max_size=40), NAMES, st.data())
def test_without_an_origin_the_order_of_the_others_stays(key: str, names: set[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(names)))

    assert rendezvous(key, names - {gone}) == tuple(name for name in rendezvous(key, names) if name != gone)


@given(st.sets(st.uuids(), min_size=1, max_size=50), NAMES, st.data())
def test_removing_an_origin_moves_only_its_keys(keys: set[object], names: set[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(names)))
    names |= {"stays"}
    before = {str(key): rendezvous(str(key), names)[0] for key in keys}

    for key, first in before.items():
        after = rendezvous(key, names - {gone} or {"stays"})[0]
        assert first in (after, gone)


@pytest.mark.parametrize("origins", [2, 3, 10])
def test_keys_are_spread_evenly(origins: int) -> None:
    names = [f"ome-{number}" for number in range(origins)]
    keys = 10_000

    firsts = Counter(rendezvous(f"content-{number}", names)[0] for number in range(keys))

    fair = keys / origins
    assert all(0.85 * fair < firsts[name] < 1.15 * fair for name in names)


def test_the_keys_of_a_lost_origin_are_spread_over_the_others() -> None:
    names = [f"ome-{number}" for number in range(5)]
    orders = [rendezvous(f"content-{number}", names) for number in range(10_000)]

    seconds = Counter(order[1] for order in orders if order[0] == "ome-0")

    fair = sum(seconds.values()) / 4
    assert all(0.8 * fair < seconds[name] < 1.2 * fair for name in names[1:])


# -- room -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "room"),
    [
        (HealthState.UNKNOWN, 0),
        (HealthState.UP, 5),
        (HealthState.SUSPECT, 5),
        (HealthState.DOWN, 0),
    ],
)
def test_what_answers_has_all_its_room(state: HealthState, room: int) -> None:
    assert allowed(5, health(state), False, NOW) == room


def test_a_recovered_origin_is_filled_slowly() -> None:
    recovering = OriginHealth(since=NOW, state=HealthState.RECOVERING, recovered_at=NOW)

    rooms = [allowed(5, recovering, False, NOW + timedelta(seconds=seconds)) for seconds in (0, 14, 15, 30, 45, 59, 60)]

    assert rooms == [1, 1, 2, 3, 4, 4, 5]


def test_a_drained_or_overloaded_origin_has_no_room() -> None:
    overloaded = OriginHealth(since=NOW, state=HealthState.UP, load=Load(overloaded=True, seen_at=NOW))

    assert allowed(5, health(HealthState.UP), True, NOW) == 0
    assert allowed(5, overloaded, False, NOW) == 0


@given(
    st.integers(1, 10_000),
    STATES,
    st.none() | st.integers(-100, 200),
    st.booleans(),
    st.integers(-100, 200),
    st.integers(0, 100),
)
def test_room_is_between_nothing_and_capacity_and_only_grows_by_itself(
    capacity: int, state: HealthState, recovered: int | None, drained: bool, at: int, later: int
) -> None:
    ramp = None if recovered is None else NOW + timedelta(seconds=recovered)
    origin = OriginHealth(since=NOW, state=state, recovered_at=ramp)
    now = NOW + timedelta(seconds=at)

    room = allowed(capacity, origin, drained, now)

    assert 0 <= room <= capacity
    assert (room > 0) == (origin.reachable and not drained)
    assert allowed(capacity, origin, drained, now + timedelta(seconds=later)) >= room
    ramping = recovered is not None and at - recovered < HEALTH_POLICY.ramp_seconds
    if origin.reachable and not drained and not ramping:
        assert room == capacity


# -- giving up --------------------------------------------------------------------------------------------------------


ONE, TWO, THREE = (OriginSpec(name=name, api_url=f"http://{name}:8081") for name in ("ome-1", "ome-2", "ome-3"))
FLEET = topology_of([Pool("reels", (ONE, TWO)), Pool("series", (THREE,)), Pool("edges", (), "http://edge")], "POOLS")


@pytest.mark.parametrize(
    ("one", "two", "three", "lost"),
    [
        ("down", "up", "up", {"ome-1"}),
        ("up", "up", "down", set()),  # nobody to take over
        ("down", "down", "up", set()),  # a pool that is all down is not proven to be anybody's fault
        ("down", "suspect", "up", set()),
        ("down", "recovering", "up", set()),
        ("down", "unknown", "up", set()),
        ("suspect", "up", "up", set()),
        ("unknown", "up", "up", set()),
        ("recovering", "up", "up", set()),
    ],
)
def test_an_origin_is_given_up_only_when_another_one_of_its_pool_is_up(
    one: str, two: str, three: str, lost: set[str]
) -> None:
    states = {"ome-1": one, "ome-2": two, "ome-3": three}

    assert given_up(FLEET, {name: health(HealthState(state)) for name, state in states.items()}) == lost


def test_an_origin_in_two_pools_is_given_up_when_either_has_another_one() -> None:
    fleet = topology_of([Pool("reels", (ONE, TWO)), Pool("series", (ONE,))], "POOLS")

    assert given_up(fleet, {"ome-1": health(HealthState.DOWN), "ome-2": health(HealthState.UP)}) == {"ome-1"}


def test_an_origin_that_nobody_knows_of_proves_nothing() -> None:
    assert given_up(FLEET, {"ome-1": health(HealthState.DOWN)}) == frozenset()


@given(st.lists(STATES, min_size=3, max_size=3))
def test_something_up_is_left_whenever_something_is_given_up(states: list[HealthState]) -> None:
    known = {name: health(state) for name, state in zip(("ome-1", "ome-2", "ome-3"), states, strict=True)}

    lost = given_up(FLEET, known)

    assert all(known[name].state is HealthState.DOWN for name in lost)
    if lost:
        assert HealthState.UP in {known[name].state for name in ("ome-1", "ome-2")}
