"""Six spellings of an upload message, one meaning."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming_service.domain.event import parse_event
from streaming_service.domain.upload import Ignored, ProvisionRequest, parse_ready_for_stream, parse_uploaded
from streaming_service.errors import InvalidInput
from tests.unit.domain.upload_bodies import (
    CONTENT_ID,
    DELETE,
    JSON,
    READY,
    READY_DATA,
    UPLOADED,
    assert_told_well,
    broken,
    changed,
)


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def cloud_event(event_type: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/uploads", "type": event_type, "data": data, **more}


def parsed(body: Any, attributes: dict[str, str] | None = None) -> ProvisionRequest:
    request = parse_event(encoded(body), attributes or {})
    assert isinstance(request, ProvisionRequest)
    return request


IN_BASE64 = {
    **{k: v for k, v in cloud_event("media.uploaded", None).items() if k != "data"},
    "data_base64": b64encode(encoded(UPLOADED)).decode(),
}


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        (UPLOADED, {}),
        ({**UPLOADED, "eventType": "media.uploaded"}, {}),
        (cloud_event("media.uploaded", UPLOADED), {}),
        (cloud_event("media.uploaded", UPLOADED), {"content-type": "application/cloudevents+json"}),
        (IN_BASE64, {}),
        (UPLOADED, {"ce-type": "media.uploaded", "ce-specversion": "1.0", "ce-id": "1"}),
        (UPLOADED, {"ce_type": "media.uploaded"}),
    ],
    ids=["plain", "plain with type", "structured", "structured, labelled", "base64", "binary", "binary, underscore"],
)
def test_every_spelling_of_media_uploaded_means_the_same(body: Any, attributes: dict[str, str]) -> None:
    assert parsed(body, attributes) == parse_uploaded(UPLOADED)


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        (READY, {}),
        (cloud_event("media.ready-for-stream", READY), {}),
        (cloud_event("media.ready-for-stream", READY_DATA, time="2026-01-02T03:04:06Z"), {}),
        (READY, {"ce-type": "media.ready-for-stream"}),
        (READY_DATA, {"ce-type": "media.ready-for-stream", "ce-time": "2026-01-02T03:04:06Z"}),
    ],
    ids=["plain", "structured envelope", "structured data", "binary envelope", "binary data"],
)
def test_every_spelling_of_ready_for_stream_means_the_same(body: Any, attributes: dict[str, str]) -> None:
    expected = parsed(READY)

    assert parsed(body, attributes) == expected
    assert expected.content_id == CONTENT_ID
    assert expected.said_at.isoformat() == "2026-01-02T03:04:06+00:00"


def test_without_a_time_of_its_own_the_asset_tells_when() -> None:
    assert parsed(changed(READY, "occurredAt", DELETE)) == parse_ready_for_stream(READY_DATA)


def test_a_thumbnail_is_ignored_in_any_spelling() -> None:
    thumbnail = changed(UPLOADED, "assetType", "thumbnail")

    for body in (thumbnail, cloud_event("media.uploaded", thumbnail)):
        assert parse_event(encoded(body), {}) == Ignored("thumbnail")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "body"),
        (b"not json", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "body"),
        (b'"media.uploaded"', "body"),
        (b"null", "body"),
        (b'{"a":' * 100_000, "body"),
        (b"[" * 1_000_000, "body"),
        (encoded(UPLOADED)[:-1], "body"),
        (encoded(UPLOADED) + b"x", "body"),
        (b"{}", "uploadId"),
        (encoded({"eventType": "media.deleted"}), "eventType"),
        (encoded({"eventType": 7}), "eventType"),
        (encoded(changed(READY, "data", DELETE)), "data"),
        (encoded(changed(READY, "data", [])), "data"),
        (encoded(changed(READY, "data.videoId", "x")), "data.videoId"),
        (encoded(changed(READY, "occurredAt", "now")), "occurredAt"),
        (encoded(changed(READY, "occurredAt", 7)), "occurredAt"),
        (encoded(cloud_event("media.deleted", UPLOADED)), "eventType"),
        (encoded({**cloud_event("media.uploaded", UPLOADED), "specversion": "0.3"}), "specversion"),
        (encoded({**cloud_event("media.uploaded", UPLOADED), "specversion": None}), "specversion"),
        (encoded(cloud_event("media.uploaded", "text")), "data"),
        (encoded(changed(cloud_event("media.uploaded", UPLOADED), "type", DELETE)), "type"),
        (encoded({**IN_BASE64, "data_base64": "%"}), "data_base64"),
        (encoded({**IN_BASE64, "data_base64": "é"}), "data_base64"),
        (encoded({**IN_BASE64, "data_base64": 7}), "data"),
    ],
)
def test_what_cannot_be_understood_names_what_is_wrong(data: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_event(data, {})

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"ce-type": "media.deleted"}, "eventType"),
        ({"ce-type": "media.uploaded", "ce-specversion": "0.3"}, "specversion"),
    ],
)
def test_a_binary_cloud_event_must_be_one_of_ours(attributes: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_event(encoded(UPLOADED), attributes)

    assert caught.value.field == field


def test_numbers_beyond_every_range_are_refused_not_crashed_on() -> None:
    data = encoded(UPLOADED).replace(b"12.5", b"1" + b"0" * 400)

    with pytest.raises(InvalidInput, match=r"validation\.durationSeconds"):
        parse_event(data, {})


ATTRIBUTES = st.dictionaries(
    st.sampled_from(["ce-type", "ce_type", "ce-time", "ce-specversion", "content-type"]),
    st.sampled_from(["media.uploaded", "media.ready-for-stream", "1.0", "2026-01-02T03:04:06Z", "\ud800"])
    | st.text(max_size=9),
)
ANY_BODY = (
    JSON
    | broken(UPLOADED)
    | broken(READY)
    | broken(cloud_event("media.uploaded", UPLOADED))
    | broken(cloud_event("media.ready-for-stream", READY))
    | broken(IN_BASE64)
)


@settings(deadline=None)
@given(st.binary(max_size=200) | ANY_BODY.map(encoded), ATTRIBUTES)
@example(b"\xef\xbb\xbf{}", {})
@example(b'{"specversion":"1.0","type":"media.uploaded","data_base64":""}', {})
@example(b'{"uploadId":"\\ud800"}', {})
def test_nothing_but_invalid_input_is_ever_raised(data: bytes, attributes: dict[str, str]) -> None:
    try:
        parse_event(data, attributes)
    except InvalidInput as error:
        assert_told_well(error)
