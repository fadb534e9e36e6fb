"""The breaker's states, moved by results and by a clock that only the test moves."""

import pytest

from streaming_service.adapters.breaker import Breaker, BreakerState
from streaming_service.errors import UpstreamUnavailable
from tests.unit.adapters.servers import ManualClock


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker("auth", clock.monotonic, failures=3, open_seconds=10)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(breaker.admit())


def test_it_stays_closed_below_the_limit(breaker: Breaker) -> None:
    fail(breaker, 2)

    assert breaker.state is BreakerState.CLOSED


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.succeeded(breaker.admit())
    fail(breaker, 2)

    assert breaker.state is BreakerState.CLOSED


def test_it_opens_at_the_limit_and_says_when_to_come_back(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(4)

    assert breaker.state == 2
    with pytest.raises(UpstreamUnavailable, match="auth: is not asked") as caught:
        breaker.admit()
    assert caught.value.retry_after == pytest.approx(6)


def test_after_the_pause_one_call_is_let_through(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(10)
    assert breaker.state == 1

    breaker.admit()

    assert breaker.state == 1
    with pytest.raises(UpstreamUnavailable) as caught:
        breaker.admit()
    assert caught.value.retry_after == 1


def test_a_trial_that_succeeds_closes_it(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(10)
    breaker.succeeded(breaker.admit())

    assert breaker.state == 0
    fail(breaker, 2)
    assert breaker.state == 0


def test_a_trial_that_fails_opens_it_for_another_pause(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(10)
    breaker.failed(breaker.admit())

    assert breaker.state is BreakerState.OPEN
    clock.advance(9.9)
    assert breaker.state is BreakerState.OPEN
    clock.advance(0.1)
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_cancelled_trial_leaves_room_for_the_next(breaker: Breaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(10)
    breaker.forgotten(breaker.admit())

    breaker.succeeded(breaker.admit())

    assert breaker.state is BreakerState.CLOSED


def test_late_results_of_earlier_calls_do_not_move_it(breaker: Breaker, clock: ManualClock) -> None:
    first, second, third = breaker.admit(), breaker.admit(), breaker.admit()
    fail(breaker, 3)

    breaker.succeeded(first)
    assert breaker.state is BreakerState.OPEN

    clock.advance(10)
    trial = breaker.admit()
    breaker.succeeded(second)
    breaker.failed(third)
    with pytest.raises(UpstreamUnavailable):
        breaker.admit()
    breaker.succeeded(trial)
    assert breaker.state is BreakerState.CLOSED
