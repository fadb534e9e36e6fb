"""A client may guess wrong so often, and everybody else as if it were not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.guessing import Guesses, client_name


def test_nobody_is_refused_before_anybody_guessed() -> None:
    guesses = Guesses(3)

    assert not guesses
    assert guesses.wait("a", 1000.0) == 0.0


def test_a_client_that_guessed_too_much_waits_and_another_does_not() -> None:
    guesses = Guesses(3)
    for _ in range(3):
        assert guesses.wait("a", 1000.0) == 0.0
        guesses.strike("a", 1000.0)

    assert guesses
    assert 60.0 <= guesses.wait("a", 1000.0) <= 120.0
    assert guesses.wait("b", 1000.0) == 0.0


def test_what_was_long_ago_is_forgotten() -> None:
    guesses = Guesses(1)
    guesses.strike("a", 1000.0)
    assert guesses.wait("a", 1121.0) == 0.0
    assert not guesses


def test_no_limit_is_no_limit() -> None:
    guesses = Guesses(0)
    for _ in range(1000):
        guesses.strike("a", 1000.0)

    assert not guesses
    assert guesses.wait("a", 1000.0) == 0.0


def test_millions_of_addresses_take_no_more_room_than_some() -> None:
    guesses = Guesses(1, capacity=100)
    guesses.strike("known", 1000.0)
    for number in range(10_000):
        guesses.strike(str(number), 1000.0)
    guesses.strike("known", 1000.0)

    assert len(guesses._present) == 100
    assert guesses.wait("known", 1000.0) > 0


@given(
    limit=st.integers(1, 20),
    steps=st.lists(st.sampled_from([0.0, 0.01, 0.4, 1.0, 7.0, 29.0, 59.9, 60.0, 61.0, 119.0, 500.0]), max_size=300),
)
def test_whatever_the_pace_no_window_holds_twice_the_limit_and_waiting_is_enough(
    limit: int, steps: list[float]
) -> None:
    guesses, now, made = Guesses(limit), 5000.0, list[float]()
    for step in steps:
        now += step
        wait = guesses.wait("a", now)
        lately = sum(moment > now - 60.0 for moment in made)
        assert not wait or sum(moment > now - 120.0 for moment in made) >= limit
        assert wait or lately < 2 * limit
        if wait:
            assert wait <= 120.0
            assert guesses.wait("a", now + wait + 1e-6) == 0.0, "it was told the truth"
            break
        guesses.strike("a", now)
        made.append(now)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x:y", "x:y"),
        ("", ""),
    ],
)
def test_a_customers_network_is_one_client(address: str, name: str) -> None:
    assert client_name(address) == name
