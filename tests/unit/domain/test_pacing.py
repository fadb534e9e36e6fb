"""A receiver is given what it can take."""

from datetime import UTC, datetime, timedelta

import pytest

from streaming_service.domain.pacing import ILL_AFTER, LONGEST_REST, LONGEST_WISH, SHORTEST_REST, Pacing

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ill(status: int | None = None) -> Pacing:
    pacing = Pacing(4)
    for _ in range(ILL_AFTER):
        pacing.heard(status, None, NOW)
    return pacing


def test_one_that_is_well_is_given_all_that_it_can_take() -> None:
    pacing = Pacing(4)
    assert [pacing.room(in_hand, NOW) for in_hand in (0, 3, 4, 5)] == [4, 1, 0, 0]


@pytest.mark.parametrize("status", [None, 429, 502, 503, 504])
def test_one_that_does_not_answer_is_tried_now_and_then_by_a_single_delivery(status: int | None) -> None:
    pacing = ill(status)
    assert pacing.is_ill
    assert pacing.room(0, NOW + SHORTEST_REST - timedelta(microseconds=1)) == 0
    assert [pacing.room(in_hand, NOW + SHORTEST_REST) for in_hand in (0, 1)] == [1, 0]


def test_a_few_failures_are_no_illness_and_an_answer_forgets_them() -> None:
    pacing = Pacing(4)
    for _ in range(5):
        for _ in range(ILL_AFTER - 1):
            pacing.heard(None, None, NOW)
        assert pacing.room(0, NOW) == 4
        pacing.heard(204, None, NOW)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 410, 422, 500])
def test_an_answer_about_the_delivery_says_that_the_receiver_is_well(status: int) -> None:
    pacing = ill()
    pacing.heard(status, None, NOW + SHORTEST_REST)
    assert (pacing.is_ill, pacing.room(0, NOW + SHORTEST_REST)) == (False, 4)


def test_the_rests_grow_to_a_minute_and_begin_short_again_after_an_answer() -> None:
    pacing, now = ill(), NOW
    rests: list[timedelta] = []
    for _ in range(6):
        rests.append(pacing.open_at(now) - now)
        now = pacing.open_at(now)
        pacing.heard(None, None, now)
    assert [rest.total_seconds() for rest in rests] == [5, 10, 20, 40, 60, 60]
    assert rests[-1] == LONGEST_REST

    pacing.heard(200, None, now)
    for _ in range(ILL_AFTER):
        pacing.heard(None, None, now)
    assert pacing.open_at(now) == now + SHORTEST_REST


def test_those_that_were_on_their_way_when_it_fell_ill_do_not_lengthen_the_rest() -> None:
    pacing = ill()
    for _ in range(20):
        pacing.heard(None, None, NOW + timedelta(seconds=1))
    assert pacing.open_at(NOW) == NOW + SHORTEST_REST


def test_a_receiver_that_asks_for_time_gets_it_from_everybody_whatever_else_it_answers() -> None:
    pacing = Pacing(4)
    pacing.heard(429, 20, NOW)
    pacing.heard(503, 10, NOW)
    pacing.heard(200, None, NOW)
    assert (pacing.room(0, NOW + timedelta(seconds=19)), pacing.room(0, NOW + timedelta(seconds=20))) == (0, 4)
    pacing.heard(503, 1e9, NOW)
    assert pacing.open_at(NOW) == NOW + LONGEST_WISH


def test_a_wish_beside_an_answer_about_the_delivery_is_about_the_delivery() -> None:
    pacing = Pacing(4)
    pacing.heard(400, 20, NOW)
    assert pacing.room(0, NOW) == 4
