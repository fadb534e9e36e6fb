"""What OpenAPI says about request bodies that routes read themselves."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import Example, OpenAPIFormat, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

_CONTENT_ID = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
_GATEWAY_EXAMPLE = {
    "contentId": _CONTENT_ID,
    "tenantId": "tenant-1",
    "contentType": "reel",
    "sourceGcsUri": "gs://uploads/videos/clip.mp4",
    "checksum": "sha256:6f1c3b5a",
    "durationSeconds": 12.5,
    "ingestRegion": "us-east1",
    "availabilityWindow": {"startsAt": "2026-01-02T03:04:05.678Z"},
    "geoRestrictions": {"deny": ["KP"]},
}
_LIVE_EXAMPLE = {
    "contentId": "5f0d7d4e-3a51-4c0e-9d0a-1c3f5b7a9e22",
    "tenantId": "tenant-1",
    "contentType": "series",
    "live": True,
    "slateGcsUri": "gs://uploads/slates/soon.mp4",
    "ingestRegion": "us-east1",
}
_READY_EXAMPLE = {
    "uploadId": "upload-1",
    "videoId": _CONTENT_ID,
    "tenantId": "tenant-1",
    "contentType": "EPISODE",
    "sourceUpload": {
        "storageUrl": "gs://uploads/videos/episode.mp4",
        "objectKey": "videos/episode.mp4",
        "sizeBytes": 1048576,
        "contentType": "video/mp4",
    },
    "processedAsset": {
        "bucket": "manifests",
        "manifestObject": "videos/episode/master.m3u8",
        "renditions": [{"name": "1080p", "codec": "h264", "bitrateKbps": 4500, "resolution": "1920x1080"}],
        "checksum": "sha256:6f1c3b5a",
        "signedUrlTtlSeconds": 300,
    },
    "ingestRegion": "us-east1",
    "cdn": {"defaultBaseUrl": "https://cdn.example"},
    "omeHints": {"application": "series", "protocol": "HLS"},
    "idempotencyKey": "upload-1",
    "readyAt": "2026-01-02T03:04:05.678Z",
}


def _text(description: str = "", **more: Any) -> Schema:
    return Schema(type=OpenAPIType.STRING, description=description or None, **more)


def _object(required: list[str], properties: dict[str, Schema], description: str | None = None) -> Schema:
    return Schema(
        type=OpenAPIType.OBJECT, required=required or None, properties={**properties}, description=description
    )


_NUMBER = Schema(type=OpenAPIType.NUMBER)
_INTEGER = Schema(type=OpenAPIType.INTEGER)
_UUID = _text(format=OpenAPIFormat.UUID)
_MOMENT = _text(format=OpenAPIFormat.DATE_TIME)
_COUNTRIES = Schema(type=OpenAPIType.ARRAY, items=_text(pattern="^[A-Za-z]{2}$"))
_DRM = _object(["keyId", "licenseServer"], {"keyId": _text(), "licenseServer": _text()})

_GATEWAY = _object(
    ["contentId", "contentType", "sourceGcsUri", "checksum"],
    {
        "contentId": _UUID,
        "tenantId": _text(),
        "contentType": _text("`reel` or `series`.", enum=["reel", "series"]),
        "sourceGcsUri": _text("The upload: gs://bucket/object, in one of the allowed buckets."),
        "checksum": _text("Another checksum means another video."),
        "durationSeconds": _NUMBER,
        "ingestRegion": _text(),
        "drm": _DRM,
        "availabilityWindow": _object([], {"startsAt": _MOMENT, "endsAt": _MOMENT}),
        "geoRestrictions": _object([], {"allow": _COUNTRIES, "deny": _COUNTRIES}),
    },
    "The gateway's shape.",
)
_LIVE = _object(
    ["contentId", "contentType", "live"],
    {
        "contentId": _UUID,
        "tenantId": _text(),
        "contentType": _text("`reel` or `series`.", enum=["reel", "series"]),
        "live": Schema(type=OpenAPIType.BOOLEAN, const=True),
        "slateGcsUri": _text("What plays while nobody pushes; needed where LIVE_SLATE_URI is not set."),
        "ingestRegion": _text(),
        "drm": _DRM,
        "availabilityWindow": _object([], {"startsAt": _MOMENT, "endsAt": _MOMENT}),
        "geoRestrictions": _object([], {"allow": _COUNTRIES, "deny": _COUNTRIES}),
    },
    "A live content: pushed, not uploaded.",
)
_RENDITION = _object(
    ["name", "codec", "bitrateKbps", "resolution"],
    {"name": _text(), "codec": _text(), "bitrateKbps": _NUMBER, "resolution": _text(), "frameRate": _NUMBER},
)
_READY = _object(
    ["uploadId", "videoId", "contentType", "sourceUpload", "processedAsset", "readyAt"],
    {
        "uploadId": _text(),
        "videoId": _UUID,
        "tenantId": _text(),
        "contentType": _text("`REEL` or `EPISODE`.", enum=["REEL", "EPISODE"]),
        "sourceUpload": _object(
            ["objectKey"],
            {"storageUrl": _text(), "objectKey": _text(), "sizeBytes": _INTEGER, "contentType": _text()},
        ),
        "processedAsset": _object(
            ["bucket", "checksum"],
            {
                "bucket": _text(),
                "manifestObject": _text(),
                "storagePrefix": _text(),
                "renditions": Schema(type=OpenAPIType.ARRAY, items=_RENDITION),
                "checksum": _text(),
                "signedUrlTtlSeconds": _INTEGER,
            },
        ),
        "encryption": _DRM,
        "ingestRegion": _text(),
        "cdn": _object([], {"defaultBaseUrl": _text("Used only when its host is an allowed one.")}),
        "omeHints": _object([], {"application": _text(), "protocol": _text()}),
        "idempotencyKey": _text(),
        "readyAt": _MOMENT,
    },
    "The `data` object of `media.ready-for-stream`.",
)
_PUSH = _object(
    ["message"],
    {
        "message": _object(
            ["data"],
            {
                "data": _text("The event, base64."),
                "messageId": _text(),
                "publishTime": _MOMENT,
                "attributes": Schema(type=OpenAPIType.OBJECT, additional_properties=_text()),
            },
        ),
        "subscription": _text(),
    },
    "Pub/Sub's push envelope. CloudEvents (structured or binary) and unwrapped events are understood, too.",
)


def _json_body(schema: Schema, examples: dict[str, Any]) -> RequestBody:
    return RequestBody(
        content={
            "application/json": OpenAPIMediaType(
                schema=schema, examples={name: Example(summary=name, value=value) for name, value in examples.items()}
            )
        },
        required=True,
    )


@dataclass
class RegisterOperation(Operation):
    """The register route with its three bodies."""

    def __post_init__(self) -> None:
        self.request_body = _json_body(
            Schema(any_of=[_GATEWAY, _READY, _LIVE]),
            {"gateway": _GATEWAY_EXAMPLE, "ready-for-stream": _READY_EXAMPLE, "live": _LIVE_EXAMPLE},
        )


@dataclass
class ProbeOperation(Operation):
    """The probe route: which content."""

    def __post_init__(self) -> None:
        self.request_body = _json_body(
            _object(["contentId"], {"contentId": _UUID}), {"content": {"contentId": _CONTENT_ID}}
        )


@dataclass
class PushOperation(Operation):
    """The push route with its envelope."""

    def __post_init__(self) -> None:
        self.request_body = _json_body(
            _PUSH,
            {
                "pubsub": {
                    "message": {"data": "eyJ1cGxvYWRJZCI6ICIxIn0=", "messageId": "1", "attributes": {}},
                    "subscription": "projects/p/subscriptions/s",
                }
            },
        )
