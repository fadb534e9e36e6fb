"""What OpenAPI says about the bodies that OME sends."""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema

_ADMISSION: dict[str, Any] = {
    "client": {"address": "192.0.2.7", "port": 51024, "real_ip": "192.0.2.7", "user_agent": "encoder/1.0"},
    "request": {
        "direction": "incoming",
        "protocol": "RTMP",
        "status": "opening",
        "time": "2026-01-02T03:04:05.678+00:00",
        "url": "rtmp://ome.example:1935/reels/stream-key",
    },
}
_TRANSCODE: dict[str, Any] = {
    "source": "",
    "stream": {
        "application": "reels",
        "createdTime": "2026-01-02T03:04:05.678+00:00",
        "name": "ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1",
        "sourceType": "Scheduled",
        "tracks": [{"id": 0, "type": "Video", "video": {"codec": "H264", "width": 1280, "height": 720}}],
        "virtualHost": "default",
    },
}
_ALERT: dict[str, Any] = {
    "sourceUri": "#default#reels/ss-9b2e4c1a7c1b4d528a3f2f8f0a1c6d11-1",
    "messages": [{"code": "INGRESS_FPS_LOW", "description": "The frame rate is low."}],
    "type": "INGRESS",
}


def _body(required: list[str], example: dict[str, Any]) -> RequestBody:
    """Lenient as the routes are: versions of OME add fields."""
    schema = Schema(
        type=OpenAPIType.OBJECT,
        required=required,
        properties={name: Schema(type=OpenAPIType.OBJECT) for name in required},
        additional_properties=True,
    )
    media = OpenAPIMediaType(schema=schema, examples={"recorded": Example(value=example)})
    return RequestBody(content={"application/json": media}, required=True)


@dataclass
class AdmissionOperation(Operation):
    """May this client publish or play?"""

    def __post_init__(self) -> None:
        self.request_body = _body(["client", "request"], _ADMISSION)


@dataclass
class TranscodeOperation(Operation):
    """Which renditions does this stream get?"""

    def __post_init__(self) -> None:
        self.request_body = _body(["stream"], _TRANSCODE)


@dataclass
class AlertOperation(Operation):
    """OME noticed something."""

    def __post_init__(self) -> None:
        self.request_body = _body([], _ALERT)
