"""The shapes in which uploads are announced."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from streaming_service.domain.content import AvailabilityWindow, Classification, Drm, GeoRestrictions, Protocol
from streaming_service.domain.source import ObjectUri
from streaming_service.domain.upload import (
    Ignored,
    ProvisionRequest,
    parse_ready_for_stream,
    parse_registration,
    parse_uploaded,
)
from streaming_service.errors import InvalidInput
from tests.unit.domain.upload_bodies import (
    CONTENT_ID,
    DELETE,
    GATEWAY,
    JSON,
    READY_DATA,
    UPLOADED,
    assert_told_well,
    broken,
    changed,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def uploaded(body: Any) -> ProvisionRequest:
    request = parse_uploaded(body)
    assert isinstance(request, ProvisionRequest)
    return request


# -- media.uploaded ---------------------------------------------------------------------------------------------------


def test_an_uploaded_video_becomes_a_request() -> None:
    request = uploaded(UPLOADED)

    assert request.content_id == CONTENT_ID
    assert request.classification is Classification.REEL
    assert request.source == ObjectUri("uploads", "2026/film.mp4")
    assert request.checksum == "abc"
    assert request.protocol is Protocol.LL_HLS
    assert not request.said_protocol
    assert request.said_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert request.duration == 12.5


def test_an_episode_is_a_series_and_waits_for_its_vod_copy() -> None:
    request = uploaded(changed(UPLOADED, "contentClassification", "EPISODE"))

    assert (request.classification, request.protocol) == (Classification.SERIES, Protocol.HLS)


@pytest.mark.parametrize("asset_type", ["thumbnail", "banner"])
def test_pictures_are_ignored_whatever_else_they_say(asset_type: str) -> None:
    body = changed(changed(UPLOADED, "contentId", None), "contentClassification", None)

    assert parse_uploaded(changed(body, "assetType", asset_type)) == Ignored(asset_type)


@pytest.mark.parametrize("field", ["cdnUrl", "sizeBytes", "contentType", "validation", "adminId", "objectKey"])
def test_what_we_do_not_need_may_be_missing(field: str) -> None:
    uploaded(changed(UPLOADED, field, DELETE))


def test_unknown_fields_are_no_error() -> None:
    assert uploaded({**UPLOADED, "somethingNew": {"a": [1]}}) == uploaded(UPLOADED)


def test_without_a_checksum_one_is_derived_from_the_upload_and_its_place() -> None:
    without = changed(UPLOADED, "validation", DELETE)
    derived = uploaded(without).checksum

    assert derived.startswith("derived:")
    assert uploaded(without).checksum == derived
    assert uploaded(changed(without, "uploadId", "upload-2")).checksum != derived
    assert uploaded(changed(without, "storageUrl", "gs://uploads/other.mp4")).checksum != derived


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contentId", DELETE),
        ("contentId", None),
        ("contentId", "film-1"),
        ("contentClassification", None),
        ("contentClassification", "MOVIE"),
        ("assetType", "audio"),
        ("assetType", DELETE),
        ("contentType", "image/png"),
        ("storageUrl", DELETE),
        ("storageUrl", "https://example/film.mp4"),
        ("storageUrl", "gs://uploads/../film.mp4"),
        ("emittedAt", "yesterday"),
        ("emittedAt", "2026-01-02T03:04:05"),
        ("emittedAt", DELETE),
        ("uploadId", 7),
        ("validation", []),
        ("validation.checksum", "a" * 513),
        ("validation.checksum", "a\nb"),
        ("validation.durationSeconds", -1),
        ("validation.durationSeconds", "12"),
    ],
)
def test_what_is_wrong_is_named_as_the_sender_spells_it(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_uploaded(changed(UPLOADED, field, value))

    assert caught.value.field == field


@pytest.mark.parametrize(
    "text",
    [
        "0x" + CONTENT_ID[2:],
        CONTENT_ID.replace("-", "") + "----",
        CONTENT_ID[:-3] + "1_0",
        CONTENT_ID[:-1] + "\u0661",
        " " + CONTENT_ID[1:],
        "{" + CONTENT_ID[1:-1] + "}",
        "+" + CONTENT_ID[1:],
    ],
)
def test_a_content_id_is_a_uuid_as_clients_write_it_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidInput, match="contentId"):
        parse_uploaded(changed(UPLOADED, "contentId", text))


def test_a_content_id_in_capitals_is_the_same_content() -> None:
    assert uploaded(changed(UPLOADED, "contentId", CONTENT_ID.upper())).content_id == CONTENT_ID


# -- media.ready-for-stream -------------------------------------------------------------------------------------------


def test_a_processed_video_becomes_a_request_with_all_it_says() -> None:
    request = parse_ready_for_stream(READY_DATA)

    assert request.content_id == CONTENT_ID
    assert request.classification is Classification.SERIES
    assert request.source == ObjectUri("uploads", "2026/film.mp4")
    assert request.checksum == "def"
    assert request.protocol is Protocol.LL_HLS
    assert request.said_protocol
    assert request.application_hint == "series"
    assert request.tenant_id == "tenant-1"
    assert request.ingest_region == "europe-west1"
    assert request.drm == Drm("key-1", "https://license.example/v1")
    assert request.bucket == "processed"
    assert request.storage_prefix == "films/1"
    assert request.base_url == "https://cdn.example"
    assert request.renditions is not None
    assert [rendition.name for rendition in request.renditions] == ["720p"]
    assert request.source_ready_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_without_a_storage_url_the_source_lies_in_the_processed_bucket() -> None:
    request = parse_ready_for_stream(changed(READY_DATA, "sourceUpload.storageUrl", DELETE))

    assert request.source == ObjectUri("processed", "2026/film.mp4")


def test_a_bucket_cannot_smuggle_another_one_in() -> None:
    body = changed(READY_DATA, "sourceUpload.storageUrl", DELETE)

    with pytest.raises(InvalidInput) as caught:
        parse_ready_for_stream(changed(body, "processedAsset.bucket", "uploads/secret"))

    assert caught.value.field == "processedAsset.bucket"


@pytest.mark.parametrize(("word", "protocol"), [("HLS", Protocol.HLS), ("ll-hls", Protocol.LL_HLS)])
def test_the_protocol_hint_is_taken_in_any_case(word: str, protocol: Protocol) -> None:
    assert parse_ready_for_stream(changed(READY_DATA, "omeHints.protocol", word)).protocol is protocol


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("videoId", "film-1"),
        ("contentType", "MOVIE"),
        ("sourceUpload", DELETE),
        ("sourceUpload.objectKey", DELETE),
        ("sourceUpload.storageUrl", "gs://uploads/a/../b"),
        ("sourceUpload.contentType", "text/html"),
        ("processedAsset.checksum", ""),
        ("processedAsset.renditions", "many"),
        ("encryption.licenseServer", "http://license.example"),
        ("encryption.keyId", DELETE),
        ("omeHints.application", "movies"),
        ("omeHints.protocol", "DASH"),
        ("cdn.defaultBaseUrl", 7),
        ("readyAt", "soon"),
    ],
)
def test_a_wrong_field_is_named_with_where_it_sits(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_ready_for_stream(changed(READY_DATA, field, value), prefix="data.")

    assert caught.value.field == f"data.{field}"


# -- registration -----------------------------------------------------------------------------------------------------


def test_the_gateways_shape_becomes_a_request() -> None:
    request = parse_registration(GATEWAY, NOW)

    assert request.content_id == CONTENT_ID
    assert request.said_at == NOW
    assert request.drm == Drm("key-1", "https://license.example/v1")
    assert request.availability == AvailabilityWindow(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert request.geo == GeoRestrictions(allow=("DE", "AT"))


def test_registration_also_takes_the_ready_for_stream_shape() -> None:
    assert parse_registration(READY_DATA, NOW) == parse_ready_for_stream(READY_DATA, NOW)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("availabilityWindow.endsAt", "2025-01-01T00:00:00Z", "availabilityWindow.endsAt"),
        ("geoRestrictions.allow", ["Germany"], "geoRestrictions.allow"),
        ("geoRestrictions.deny", ["d\u0131"], "geoRestrictions.deny"),
        ("sourceGcsUri", "s3://uploads/film.mp4", "sourceGcsUri"),
        ("checksum", "", "checksum"),
        ("durationSeconds", 0, "durationSeconds"),
        ("tenantId", "a\tb", "tenantId"),
    ],
)
def test_a_wrong_registration_names_its_field(field: str, value: Any, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_registration(changed(GATEWAY, field, value), NOW)

    assert caught.value.field == named


# -- anything at all --------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(JSON | broken(UPLOADED))
def test_uploaded_raises_nothing_but_invalid_input(body: Any) -> None:
    with_invalid_input_allowed(lambda: parse_uploaded(body))


@settings(deadline=None)
@given(JSON | broken(READY_DATA))
def test_ready_for_stream_raises_nothing_but_invalid_input(body: Any) -> None:
    with_invalid_input_allowed(lambda: parse_ready_for_stream(body))


@settings(deadline=None)
@given(JSON | broken(GATEWAY) | broken(READY_DATA))
def test_registration_raises_nothing_but_invalid_input(body: Any) -> None:
    with_invalid_input_allowed(lambda: parse_registration(body, NOW))


def with_invalid_input_allowed(parse: Any) -> None:
    try:
        parse()
    except InvalidInput as error:
        assert_told_well(error)


# -- live -------------------------------------------------------------------------------------------------------------

LIVE: dict[str, Any] = {
    "contentId": CONTENT_ID,
    "tenantId": "tenant-1",
    "contentType": "series",
    "live": True,
    "slateGcsUri": "gs://uploads/slate.mp4",
    "ingestRegion": "europe-west1",
    "drm": {"keyId": "key-1", "licenseServer": "https://license.example/v1"},
    "availabilityWindow": {"startsAt": "2026-01-01T00:00:00Z"},
    "geoRestrictions": {"allow": ["de"]},
}


def test_a_live_content_has_a_slate_for_a_source() -> None:
    request = parse_registration(LIVE, NOW)

    assert (request.live, request.classification, request.protocol) == (True, Classification.SERIES, Protocol.LL_HLS)
    assert request.source == ObjectUri("uploads", "slate.mp4")
    assert (request.tenant_id, request.ingest_region, request.said_at) == ("tenant-1", "europe-west1", NOW)
    assert request.drm == Drm("key-1", "https://license.example/v1")
    assert request.geo == GeoRestrictions(("DE",), ())
    assert request.availability is not None


def test_another_slate_is_other_media() -> None:
    other = parse_registration(changed(LIVE, "slateGcsUri", "gs://uploads/other.mp4"), NOW)

    assert parse_registration(LIVE, NOW).checksum == parse_registration(dict(LIVE), NOW).checksum != other.checksum


def test_what_is_not_live_is_an_upload() -> None:
    assert parse_registration({**GATEWAY, "live": False}, NOW).live is False


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("live", "true"),
        ("live", None),
        ("slateGcsUri", DELETE),
        ("slateGcsUri", ""),
        ("slateGcsUri", "https://h/slate.mp4"),
        ("slateGcsUri", "gs://uploads/../slate.mp4"),
        ("contentId", "1"),
        ("contentType", "film"),
        ("contentType", DELETE),
    ],
)
def test_a_wrong_field_of_a_live_registration_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_registration(changed(LIVE, field, value), NOW)

    assert caught.value.field == field
    assert_told_well(caught.value)


@settings(max_examples=100)
@given(broken(LIVE))
def test_no_live_registration_is_too_strange(body: Any) -> None:
    try:
        parse_registration(body, NOW)
    except InvalidInput as error:
        assert_told_well(error)
