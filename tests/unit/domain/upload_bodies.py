"""Upload bodies as senders write them, and how to break them."""

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from streaming_service.errors import InvalidInput

CONTENT_ID = "0b0e8c0a-6f0b-4a53-9a5e-2f7a7c1d9e10"

UPLOADED: dict[str, Any] = {
    "uploadId": "upload-1",
    "objectKey": "2026/film.mp4",
    "storageUrl": "gs://uploads/2026/film.mp4",
    "cdnUrl": "https://cdn.example/2026/film.mp4",
    "assetType": "video",
    "adminId": "admin-1",
    "contentId": CONTENT_ID,
    "contentClassification": "REEL",
    "sizeBytes": 1234,
    "contentType": "video/mp4",
    "validation": {"durationSeconds": 12.5, "width": 1280, "height": 720, "checksum": "abc", "bitrateKbps": 2500},
    "emittedAt": "2026-01-02T03:04:05.678Z",
}

READY_DATA: dict[str, Any] = {
    "uploadId": "upload-1",
    "videoId": CONTENT_ID,
    "tenantId": "tenant-1",
    "contentType": "EPISODE",
    "sourceUpload": {
        "storageUrl": "gs://uploads/2026/film.mp4",
        "objectKey": "2026/film.mp4",
        "sizeBytes": 1234,
        "contentType": "video/mp4",
    },
    "processedAsset": {
        "bucket": "processed",
        "manifestObject": "films/1/master.m3u8",
        "storagePrefix": "films/1",
        "renditions": [
            {"name": "720p", "codec": "h264", "bitrateKbps": 2500, "resolution": "1280x720", "frameRate": 25}
        ],
        "checksum": "def",
        "signedUrlTtlSeconds": 300,
        "lifecycle": {"deleteAfterDays": 30},
    },
    "encryption": {"keyId": "key-1", "licenseServer": "https://license.example/v1"},
    "ingestRegion": "europe-west1",
    "cdn": {"defaultBaseUrl": "https://cdn.example"},
    "omeHints": {"application": "episodes", "protocol": "ll-hls"},
    "idempotencyKey": "idem-1",
    "readyAt": "2026-01-02T03:04:05.678Z",
}

READY: dict[str, Any] = {
    "eventId": "event-1",
    "eventType": "media.ready-for-stream",
    "version": "1",
    "occurredAt": "2026-01-02T03:04:06.000Z",
    "data": READY_DATA,
    "acknowledgement": {"deadlineSeconds": 60},
}

GATEWAY: dict[str, Any] = {
    "contentId": CONTENT_ID,
    "tenantId": "tenant-1",
    "contentType": "series",
    "sourceGcsUri": "gs://uploads/2026/film.mp4",
    "checksum": "abc",
    "durationSeconds": 12.5,
    "ingestRegion": "europe-west1",
    "drm": {"keyId": "key-1", "licenseServer": "https://license.example/v1"},
    "availabilityWindow": {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2027-01-01T00:00:00Z"},
    "geoRestrictions": {"allow": ["de", "AT"], "deny": []},
}

DELETE = object()


def changed(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `body` with the field at the dotted `path` set, or removed by `DELETE`."""
    copied = copy.deepcopy(dict(body))
    *parents, last = path.split(".")
    place = copied
    for name in parents:
        place = place[name]
    if value is DELETE:
        del place[last]
    else:
        place[last] = value
    return copied


def paths(body: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted paths of all fields, nested ones too; fields with a dot in their own name cannot be said."""
    found: list[str] = []
    for name, value in body.items():
        if "." in name:
            continue
        found.append(prefix + name)
        if isinstance(value, dict):
            found += paths(value, f"{prefix}{name}.")
    return found


# Everything JSON can say, with the characters and numbers that break careless code.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(
        ["", "video", "REEL", "gs://a/../b", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59", "-" * 36]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def broken(draw: st.DrawFn, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with one to three of its fields replaced by anything at all, or gone."""
    result = dict(body)
    for _ in range(draw(st.integers(1, 3))):
        candidates = paths(result)
        if candidates:
            result = changed(result, draw(st.sampled_from(candidates)), draw(JSON | st.just(DELETE)))
    return result


def assert_told_well(error: InvalidInput) -> None:
    """The sender learns which field and why."""
    assert error.field
    assert error.reason
