import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.store.codec import (
    decode_attempts,
    decode_channel,
    decode_texts,
    encode,
    encode_attempt,
    encode_texts,
    from_micros,
    to_micros,
)
from streaming_service.application.ports import Attempt
from streaming_service.errors import StoreError
from tests.contract.store.builders import channel, full_channel

MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(MOMENTS)
def test_a_moment_is_kept_to_the_microsecond(moment: datetime):
    assert from_micros(to_micros(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_micros_sort_as_moments_do(one: datetime, other: datetime):
    assert (to_micros(one) < to_micros(other)) == (one < other)


def test_micros_are_utc_whatever_the_zone():
    there = datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))

    assert to_micros(there) == 0


def test_no_moment_is_none():
    assert to_micros(None) is None
    assert from_micros(None) is None


def test_fields_of_a_newer_release_are_ignored():
    document = json.loads(encode(full_channel()))
    document["from_the_future"] = {"a": 1}
    document["spec"]["from_the_future"] = 1

    assert decode_channel(json.dumps(document)) == full_channel()


def test_fields_that_an_older_release_did_not_write_take_their_defaults():
    document = json.loads(encode(channel()))
    for name in ("version", "retry_at", "serving", "draining", "announcements"):
        del document[name]

    assert decode_channel(json.dumps(document)) == channel()


@pytest.mark.parametrize("document", ["", "{}", '{"status": "frozen"}', "null"])
def test_what_cannot_be_read_is_an_error_of_the_store(document: str):
    with pytest.raises(StoreError):
        decode_channel(document)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=30))
def test_attempts_are_lines_whatever_their_detail_holds(details: list[str]):
    attempts = [Attempt(datetime(2026, 1, 1, tzinfo=UTC), None, detail, 0.5) for detail in details]

    assert decode_attempts("".join(map(encode_attempt, attempts))) == tuple(attempts[-20:])


@given(st.dictionaries(st.text(), st.text()))
def test_foreign_text_is_kept_in_ascii(texts: dict[str, str]):
    document = encode_texts(texts)

    assert document.isascii()
    assert "\x00" not in document
    assert decode_texts(document) == texts
