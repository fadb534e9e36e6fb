"""The shapes in which an upload is announced → one ProvisionRequest.

Unknown fields are ignored, known ones are validated here and nowhere else. Whatever is wrong raises InvalidInput
naming the field as the sender spells it.
"""

from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from streaming_service.domain.clock import from_wire
from streaming_service.domain.content import (
    AvailabilityWindow,
    Classification,
    Drm,
    GeoRestrictions,
    Protocol,
    Rendition,
    parse_classification,
    parse_content_id,
    parse_country,
    parse_protocol,
)
from streaming_service.domain.source import ObjectUri, check_bucket, check_key, parse_object_uri
from streaming_service.errors import InvalidInput

UPLOADED = "media.uploaded"
READY_FOR_STREAM = "media.ready-for-stream"

_MAX_TEXT = 512
_S = TypeVar("_S", bound=Struct)


class ProvisionRequest(Struct, frozen=True):
    """What a sender wants to be playable. Optional fields that are None were not said, which is not "no"."""

    content_id: str
    classification: Classification
    source: ObjectUri
    checksum: str
    protocol: Protocol
    said_at: datetime
    said_protocol: bool = False
    source_field: str = "storageUrl"
    application_hint: str | None = None
    tenant_id: str | None = None
    ingest_region: str | None = None
    drm: Drm | None = None
    availability: AvailabilityWindow | None = None
    geo: GeoRestrictions | None = None
    renditions: tuple[Rendition, ...] | None = None
    bucket: str | None = None
    storage_prefix: str | None = None
    source_ready_at: datetime | None = None
    base_url: str | None = None
    duration: float | None = None
    live: bool = False


class Ignored(Struct, frozen=True):
    """An event that is none of our business; `asset_type` says why."""

    asset_type: str


class _Validation(Struct, rename="camel"):
    checksum: str | None = None
    duration_seconds: float | None = None


class _Uploaded(Struct, rename="camel"):
    upload_id: str
    asset_type: str
    emitted_at: str
    storage_url: str | None = None
    object_key: str | None = None
    content_id: str | None = None
    content_classification: str | None = None
    content_type: str | None = None
    validation: _Validation | None = None


class _SourceUpload(Struct, rename="camel"):
    object_key: str
    storage_url: str | None = None
    content_type: str | None = None


class _Rendition(Struct, rename="camel"):
    name: str
    codec: str
    bitrate_kbps: float
    resolution: str
    frame_rate: float | None = None


class _ProcessedAsset(Struct, rename="camel"):
    bucket: str
    checksum: str
    storage_prefix: str | None = None
    renditions: list[_Rendition] = []


class _Drm(Struct, rename="camel"):
    key_id: str
    license_server: str


class _Cdn(Struct, rename="camel"):
    default_base_url: str | None = None


class _OmeHints(Struct, rename="camel"):
    application: str | None = None
    protocol: str | None = None


class _ReadyForStream(Struct, rename="camel"):
    upload_id: str
    video_id: str
    content_type: str
    source_upload: _SourceUpload
    processed_asset: _ProcessedAsset
    ready_at: str
    tenant_id: str | None = None
    encryption: _Drm | None = None
    ingest_region: str | None = None
    cdn: _Cdn | None = None
    ome_hints: _OmeHints | None = None


class _Window(Struct, rename="camel"):
    starts_at: str | None = None
    ends_at: str | None = None


class _Geo(Struct):
    allow: list[str] | None = None
    deny: list[str] | None = None


class _GatewayRegistration(Struct, rename="camel"):
    content_id: str
    content_type: str
    source_gcs_uri: str
    checksum: str
    tenant_id: str | None = None
    duration_seconds: float | None = None
    ingest_region: str | None = None
    drm: _Drm | None = None
    availability_window: _Window | None = None
    geo_restrictions: _Geo | None = None


class _LiveRegistration(Struct, rename="camel"):
    content_id: str
    content_type: str
    live: bool
    slate_gcs_uri: str | None = None
    tenant_id: str | None = None
    ingest_region: str | None = None
    drm: _Drm | None = None
    availability_window: _Window | None = None
    geo_restrictions: _Geo | None = None


def parse_uploaded(body: Any) -> ProvisionRequest | Ignored:
    """The `media.uploaded` object. Thumbnails and banners are Ignored."""
    event = _convert(body, _Uploaded)
    if event.asset_type in {"thumbnail", "banner"}:
        return Ignored(event.asset_type)
    if event.asset_type != "video":
        raise InvalidInput("assetType", "is not one of video, thumbnail, banner")
    content_id = parse_content_id(event.content_id)
    classification = parse_classification(event.content_classification, "contentClassification")
    _check_video(event.content_type, "contentType")
    if not event.storage_url:
        raise InvalidInput("storageUrl", "is missing")
    validation = event.validation or _Validation()
    return ProvisionRequest(
        content_id=content_id,
        classification=classification,
        source=parse_object_uri(event.storage_url, "storageUrl"),
        checksum=_checksum(validation.checksum, "validation.checksum")
        if validation.checksum
        else _derived_checksum(event.upload_id, event.storage_url),
        protocol=parse_protocol(None, classification, ""),
        said_at=from_wire(event.emitted_at, "emittedAt"),
        duration=_duration(validation.duration_seconds, "validation.durationSeconds"),
    )


def parse_ready_for_stream(body: Any, occurred_at: datetime | None = None, prefix: str = "") -> ProvisionRequest:
    """The `data` object of `media.ready-for-stream`; `prefix` is where it sits, for error messages."""
    data = _convert(body, _ReadyForStream, prefix)
    classification = parse_classification(data.content_type, f"{prefix}contentType")
    hints = data.ome_hints or _OmeHints()
    source = data.source_upload
    _check_video(source.content_type, f"{prefix}sourceUpload.contentType")
    if source.storage_url:
        uri = parse_object_uri(source.storage_url, f"{prefix}sourceUpload.storageUrl")
    else:
        check_key(source.object_key, f"{prefix}sourceUpload.objectKey")
        check_bucket(data.processed_asset.bucket, f"{prefix}processedAsset.bucket")
        uri = ObjectUri(data.processed_asset.bucket, source.object_key)
    application = _application_hint(hints.application, f"{prefix}omeHints.application")
    ready_at = from_wire(data.ready_at, f"{prefix}readyAt")
    asset = data.processed_asset
    return ProvisionRequest(
        content_id=parse_content_id(data.video_id, f"{prefix}videoId"),
        classification=classification,
        source=uri,
        checksum=_checksum(asset.checksum, f"{prefix}processedAsset.checksum"),
        protocol=parse_protocol(hints.protocol, classification, f"{prefix}omeHints.protocol"),
        said_protocol=bool(hints.protocol),
        source_field="sourceUpload.storageUrl",
        said_at=occurred_at or ready_at,
        application_hint=application,
        tenant_id=_text(data.tenant_id, f"{prefix}tenantId"),
        ingest_region=_text(data.ingest_region, f"{prefix}ingestRegion"),
        drm=_drm(data.encryption, f"{prefix}encryption"),
        renditions=tuple(
            Rendition(item.name, item.codec, item.bitrate_kbps, item.resolution, item.frame_rate)
            for item in asset.renditions
        )
        or None,
        bucket=_text(asset.bucket, f"{prefix}processedAsset.bucket"),
        storage_prefix=_text(asset.storage_prefix, f"{prefix}processedAsset.storagePrefix"),
        source_ready_at=ready_at,
        base_url=_text(data.cdn.default_base_url if data.cdn else None, f"{prefix}cdn.defaultBaseUrl"),
    )


def parse_registration(body: Any, now: datetime) -> ProvisionRequest:
    """The body of `POST /v1/admin/streams/register`: the gateway's shape, ready-for-stream's, or a live content."""
    if isinstance(body, dict) and "videoId" in body:
        return parse_ready_for_stream(body, now)
    if is_live(body):
        return _parse_live(body, now)
    data = _convert(body, _GatewayRegistration)
    classification = parse_classification(data.content_type, "contentType")
    return ProvisionRequest(
        content_id=parse_content_id(data.content_id),
        classification=classification,
        source=parse_object_uri(data.source_gcs_uri, "sourceGcsUri"),
        checksum=_checksum(data.checksum, "checksum"),
        protocol=parse_protocol(None, classification, ""),
        said_at=now,
        source_field="sourceGcsUri",
        tenant_id=_text(data.tenant_id, "tenantId"),
        ingest_region=_text(data.ingest_region, "ingestRegion"),
        drm=_drm(data.drm, "drm"),
        availability=_window(data.availability_window),
        geo=_geo(data.geo_restrictions),
        duration=_duration(data.duration_seconds, "durationSeconds"),
    )


def is_live(body: Any) -> bool:
    """Whether a registration is about a content that is pushed, or tries to be."""
    return isinstance(body, dict) and cast("dict[str, Any]", body).get("live", False) is not False


def _parse_live(body: Any, now: datetime) -> ProvisionRequest:
    """Its source is the slate, and another slate is other media."""
    data = _convert(body, _LiveRegistration)
    if not data.slate_gcs_uri:
        raise InvalidInput("slateGcsUri", "is missing: name a slate here, or one for all in LIVE_SLATE_URI")
    classification = parse_classification(data.content_type, "contentType")
    return ProvisionRequest(
        content_id=parse_content_id(data.content_id),
        classification=classification,
        source=parse_object_uri(data.slate_gcs_uri, "slateGcsUri"),
        checksum="slate:" + sha256(data.slate_gcs_uri.encode()).hexdigest(),
        protocol=Protocol.LL_HLS,
        said_at=now,
        source_field="slateGcsUri",
        tenant_id=_text(data.tenant_id, "tenantId"),
        ingest_region=_text(data.ingest_region, "ingestRegion"),
        drm=_drm(data.drm, "drm"),
        availability=_window(data.availability_window),
        geo=_geo(data.geo_restrictions),
        live=True,
    )


def _convert(body: Any, shape: type[_S], prefix: str = "") -> _S:
    try:
        return msgspec.convert(body, shape)
    except msgspec.ValidationError as error:
        field, reason = _locate(str(error))
        raise InvalidInput(f"{prefix}{field}", reason) from error


def _locate(message: str) -> tuple[str, str]:
    """msgspec says "… missing required field `a`" and "… - at `$.b`": both to the dotted path of the field."""
    reason, _, path = message.partition(" - at `")
    path = path.rstrip("`").removeprefix("$").removeprefix(".")
    marker = "missing required field `"
    if marker in reason:
        name = reason.partition(marker)[2].rstrip("`")
        return f"{path}.{name}" if path else name, "is missing"
    return path or "body", reason[:1].lower() + reason[1:]


def _text(value: str | None, field: str) -> str | None:
    if value is None or value == "":
        return None
    if len(value) > _MAX_TEXT or not value.isprintable():
        raise InvalidInput(field, f"must be at most {_MAX_TEXT} printable characters")
    return value


def _checksum(value: str, field: str) -> str:
    checksum = _text(value, field)
    if not checksum:
        raise InvalidInput(field, "is missing")
    return checksum


def _derived_checksum(upload_id: str, storage_url: str) -> str:
    """Without a checksum of the bytes, the same upload of the same object counts as the same media."""
    return "derived:" + sha256(f"{upload_id}\n{storage_url}".encode()).hexdigest()


def _check_video(content_type: str | None, field: str) -> None:
    if content_type is not None and not content_type.lower().startswith("video/"):
        raise InvalidInput(field, f"is {content_type[:60]!r}, not a video type")


def _application_hint(value: str | None, field: str) -> str | None:
    if value is None:
        return None
    if value not in {"reels", "series", "episodes"}:
        raise InvalidInput(field, "is not one of reels, series, episodes")
    return "series" if value == "episodes" else value


def _duration(value: float | None, field: str) -> float | None:
    if value is not None and not 0 < value < 1e7:
        raise InvalidInput(field, "is not a number of seconds above 0")
    return value


def _drm(value: _Drm | None, field: str) -> Drm | None:
    if value is None:
        return None
    key_id, server = _text(value.key_id, f"{field}.keyId"), _text(value.license_server, f"{field}.licenseServer")
    if not key_id or not server:
        raise InvalidInput(field, "needs keyId and licenseServer")
    if not server.startswith("https://"):
        raise InvalidInput(f"{field}.licenseServer", "is not an https:// URL")
    return Drm(key_id, server)


def _window(value: _Window | None) -> AvailabilityWindow | None:
    if value is None:
        return None
    start = from_wire(value.starts_at, "availabilityWindow.startsAt") if value.starts_at else None
    end = from_wire(value.ends_at, "availabilityWindow.endsAt") if value.ends_at else None
    if start and end and end <= start:
        raise InvalidInput("availabilityWindow.endsAt", "is not after startsAt")
    return AvailabilityWindow(start, end)


def _geo(value: _Geo | None) -> GeoRestrictions | None:
    if value is None:
        return None
    return GeoRestrictions(
        tuple(parse_country(item, "geoRestrictions.allow") for item in value.allow or ()),
        tuple(parse_country(item, "geoRestrictions.deny") for item in value.deny or ()),
    )
