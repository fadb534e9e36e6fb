"""Requests to the push route become messages."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_service.adapters.events.push import message_from_push
from streaming_service.application.ports import Message
from streaming_service.errors import InvalidInput

BODY = b'{"uploadId": "1"}'
PUBLISHED = datetime(2021, 2, 26, 19, 13, 55, 749000, tzinfo=UTC)
INNER: dict[str, Any] = {
    "data": b64encode(BODY).decode(),
    "attributes": {"ce-type": "media.uploaded"},
    "messageId": "2070443601311540",
    "publishTime": "2021-02-26T19:13:55.749Z",
}
SUBSCRIPTION = "projects/p/subscriptions/s"


def wrapped(inner: Any, **more: Any) -> bytes:
    return json.dumps({"message": inner, "subscription": SUBSCRIPTION, **more}).encode()


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in INNER.items() if key != name}


def test_pubsubs_envelope_is_unwrapped() -> None:
    message = message_from_push({"Content-Type": "application/json"}, wrapped(INNER))

    assert message == Message(BODY, {"ce-type": "media.uploaded"}, "2070443601311540", PUBLISHED)


def test_the_older_names_are_understood() -> None:
    inner = {"data": INNER["data"], "message_id": "7", "publish_time": "2021-02-26T19:13:55.749Z"}

    assert message_from_push({}, wrapped(inner)) == Message(BODY, {}, "7", PUBLISHED)


def test_a_message_without_data_is_an_empty_one() -> None:
    assert message_from_push({}, wrapped(without("data"))).data == b""


def test_nanoseconds_are_cut_to_what_a_datetime_holds() -> None:
    inner = {**INNER, "publishTime": "2021-02-26T19:13:55.749000123Z"}

    assert message_from_push({}, wrapped(inner)).published_at == PUBLISHED


def test_a_time_of_an_unknown_form_does_not_stop_an_upload() -> None:
    assert message_from_push({}, wrapped({**INNER, "publishTime": "now"})).published_at is None


def test_an_unwrapped_push_is_its_body_with_the_id_and_time_of_its_headers() -> None:
    headers = {
        "X-Goog-Pubsub-Message-Id": "7",
        "x-goog-pubsub-publish-time": "2021-02-26T19:13:55.749Z",
        "ce-type": "media.uploaded",
    }

    assert message_from_push(headers, BODY) == Message(BODY, {"ce-type": "media.uploaded"}, "7", PUBLISHED)


def test_an_unwrapped_body_is_not_searched_for_an_envelope() -> None:
    assert message_from_push({"x-goog-pubsub-message-id": "7"}, wrapped(INNER)).data == wrapped(INNER)


def test_a_binary_cloud_event_keeps_its_attributes_and_nothing_else() -> None:
    headers = {
        "Authorization": "Bearer secret",
        "Content-Type": "application/json",
        "CE-SpecVersion": "1.0",
        "ce-type": "media.uploaded",
        "ce-id": "event%201",
        "ce-time": "2021-02-26T19:13:55.749Z",
    }
    message = message_from_push(headers, BODY)

    assert message.data == BODY
    assert message.message_id == "event 1"
    assert message.published_at == PUBLISHED
    assert message.attributes == {
        "ce-specversion": "1.0",
        "ce-type": "media.uploaded",
        "ce-id": "event 1",
        "ce-time": "2021-02-26T19:13:55.749Z",
    }


def test_a_structured_cloud_event_is_handed_on_whole() -> None:
    body = b'{"specversion": "1.0", "type": "media.uploaded", "data": {}}'

    assert message_from_push({"content-type": "application/cloudevents+json"}, body) == Message(body)


@pytest.mark.parametrize("body", [b"", b"not json", b"\xff", b"[]", b"7", b"{}", BODY, b"[" * 100_000])
def test_what_is_no_envelope_is_the_handlers_question(body: bytes) -> None:
    assert message_from_push({}, body) == Message(body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (json.dumps({"subscription": SUBSCRIPTION}).encode(), "message"),
        (wrapped(None), "message"),
        (wrapped("text"), "message"),
        (wrapped({**INNER, "data": "%%%"}), "message.data"),
        (wrapped({**INNER, "data": "é"}), "message.data"),
        (wrapped({**INNER, "data": {"uploadId": "1"}}), "message.data"),
        (wrapped({**INNER, "attributes": []}), "message.attributes"),
        (wrapped({**INNER, "attributes": {"a": 1}}), "message.attributes"),
        (wrapped({**INNER, "messageId": 7}), "message.messageId"),
        (wrapped({**INNER, "publishTime": 7}), "message.publishTime"),
    ],
)
def test_a_broken_envelope_names_what_is_wrong(body: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        message_from_push({}, body)

    assert caught.value.field == field


def test_a_batch_of_cloud_events_is_refused_with_advice() -> None:
    with pytest.raises(InvalidInput, match="one by one"):
        message_from_push({"Content-Type": "application/cloudevents-batch+json; charset=utf-8"}, b"[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "subscription", "data", "attributes", "messageId", "publishTime"]), inner
        )
    ),
    max_leaves=9,
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "ce-type", "CE-Time", "x-goog-pubsub-message-id", "x-goog-pubsub-publish-time"]),
    st.text(max_size=20) | st.sampled_from(["application/cloudevents+json", "%", "%ff", "%E0%A4"]),
)


@settings(deadline=None)
@given(HEADERS, st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_invalid_input_is_ever_raised(headers: dict[str, str], body: bytes) -> None:
    try:
        message = message_from_push(headers, body)
    except InvalidInput:
        return
    assert all(name.islower() for name in message.attributes) or b"attributes" in body
