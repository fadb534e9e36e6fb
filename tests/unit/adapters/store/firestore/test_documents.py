from uuid import UUID

import pytest
from hypothesis import given
from hypothesis.strategies import text

from streaming_service.adapters.store.firestore.claims import part
from streaming_service.adapters.store.firestore.documents import Record, name_of
from streaming_service.adapters.store.firestore.sequences import Sequences

RECORDS = [Record(("channels", str(number)), {}, None) for number in range(8)]


@given(text())
def test_any_text_has_a_name_that_firestore_takes(value: str):
    name = name_of(value)

    assert name.isascii()
    assert "/" not in name
    assert name not in {"", ".", ".."}
    assert not name.startswith("__")
    assert len(name) <= 1500


@given(text(), text())
def test_two_texts_never_share_a_name(one: str, other: str):
    assert (name_of(one) == name_of(other)) == (one == other)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (str(UUID(int=1)), str(UUID(int=1))),
        ("origin-1~0", "origin-1~0"),
        ("origin:a", "origin:a"),
        ("a/b", "a%2Fb"),
        ("", "%"),
        ("..", "%.."),
        ("__a__", "%__a__"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_names(value: str, name: str):
    assert name_of(value) == name


def test_long_texts_are_told_apart_by_their_hash():
    assert name_of("x" * 5000) != name_of("x" * 5001)
    assert len(name_of("x" * 5000)) < 100


def test_sequences_go_on_above_what_was_given_whatever_the_clock_says():
    moments = iter([100, 90, 101, 50])
    sequences = Sequences(lambda: next(moments))

    assert list(sequences.take(2)) == [100, 101]
    assert list(sequences.take(1)) == [102]
    assert list(sequences.take(1, after=500)) == [501]
    assert list(sequences.take(1)) == [502]


def test_the_first_round_takes_the_first_and_the_next_ones_each_worker_elsewhere():
    assert part(RECORDS, 2, "a", 0) == RECORDS[:2]
    assert part(RECORDS[:1], 2, "a", 1) == RECORDS[:1]
    starts = {part(RECORDS, 2, f"worker-{number}", 1)[0].document for number in range(30)}
    assert len(starts) == 7
    assert all(len(part(RECORDS, 2, f"worker-{number}", 1)) == 2 for number in range(30))
