"""In order per key, whatever is given back."""

from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.events.ordering import KeyOrder


def test_later_ones_wait_for_what_was_given_back() -> None:
    order = KeyOrder(60)
    order.given_back("a", "1", 0)

    assert not order.admits("a", "2", 1)
    assert order.admits("b", "2", 1)
    assert order.admits("a", "1", 2)
    assert order.admits("a", "2", 3)


def test_a_message_that_does_not_come_back_is_not_waited_for_for_ever() -> None:
    order = KeyOrder(60)
    order.given_back("a", "1", 0)

    assert not order.admits("a", "2", 59)
    assert order.admits("a", "2", 60)
    assert order.admits("a", "3", 60)


def test_without_a_key_there_is_no_order() -> None:
    order = KeyOrder(60)
    order.given_back("", "1", 0)

    assert order.admits("", "2", 0)


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_what_is_handled_for_good_is_in_order(verdicts: list[bool]) -> None:
    """Pub/Sub redelivers from the first that was not acked; one is asked after the other."""
    order, done, waiting, answers = KeyOrder(1e9), list[str](), [str(number) for number in range(6)], iter(verdicts)
    while waiting:
        left: list[str] = []
        for message_id in waiting:
            if not order.admits("a", message_id, 0):
                left.append(message_id)
            elif next(answers, True):
                done.append(message_id)
            else:
                order.given_back("a", message_id, 0)
                left.append(message_id)
        waiting = left

    assert done == [str(number) for number in range(6)]


def test_keys_that_never_come_again_are_forgotten() -> None:
    order = KeyOrder(1)
    for number in range(5000):
        order.given_back(str(number), "1", float(number))

    assert len(order._waits) <= 1001
