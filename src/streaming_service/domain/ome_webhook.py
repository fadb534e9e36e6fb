"""What OME asks and tells us over webhooks: whether it is really OME, whether it is now, and what it means.

OME signs the raw body and sends no id, so a request can be recorded and sent again: the time inside the body and
the memory of a `ReplayGuard` are what there is against that.
"""

import hmac
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from streaming_service.domain.ingest_url import target_of
from streaming_service.errors import InvalidInput

SIGNATURE_HEADER = "x-ome-signature"

_MAX_SIDE = 65_535

_T = TypeVar("_T")
_Moment = Annotated[datetime, Meta(tz=True)]


# -- is it OME? -------------------------------------------------------------------------------------------------------


def sign(body: bytes, secret: str) -> str:
    """OME's signature: unpadded base64url of HMAC-SHA1 over the raw body."""
    return urlsafe_b64encode(hmac.digest(secret.encode(), body, "sha1")).rstrip(b"=").decode()


def verify(body: bytes, signature: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of these secrets signed the body. Every secret is tried, so the time taken tells nothing."""
    offered, found = (signature or "").encode("utf-8", "surrogateescape"), False
    for secret in secrets:
        found |= hmac.compare_digest(offered, sign(body, secret).encode())
    return found


# -- is it now, and for the first time? -------------------------------------------------------------------------------


def is_fresh(moment: datetime, now: datetime, window: timedelta) -> bool:
    """Not older than `window`, and not further in the future either: clocks differ both ways."""
    return abs(now - moment) <= window


def replay_key(body: bytes) -> bytes:
    """The same bytes are the same request: OME's carry milliseconds, and an address with a port."""
    return sha256(body).digest()


class ReplayGuard:
    """Remembers keys for `window`, at most `capacity` of them: the oldest are forgotten first."""

    def __init__(self, window: timedelta, capacity: int = 100_000) -> None:
        self._window = window
        self._capacity = capacity
        self._seen: OrderedDict[object, datetime] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def is_new(self, key: object, now: datetime) -> bool:
        """False when the key came before within the window; remembers it otherwise."""
        while self._seen and now - next(iter(self._seen.values())) > self._window:
            self._seen.popitem(last=False)
        if key in self._seen:
            return False
        if len(self._seen) >= self._capacity:
            self._seen.popitem(last=False)
        self._seen[key] = now
        return True

    def forget(self, key: object) -> None:
        """It came to nothing: the next one counts as the first."""
        self._seen.pop(key, None)


# -- admission --------------------------------------------------------------------------------------------------------


class Direction(StrEnum):
    """`incoming` publishes to OME, `outgoing` plays from it."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class Admission(Struct, frozen=True):
    """May somebody publish or play? `address` and `port` are of the TCP peer, `real_ip` is what a proxy claims.

    `new_url` is the address that an earlier answer rewrote `url` to.
    """

    direction: Direction
    closing: bool
    protocol: str
    url: str
    at: datetime
    address: str = ""
    port: int = 0
    real_ip: str = ""
    user_agent: str = ""
    new_url: str | None = None

    @property
    def target(self) -> tuple[str, str]:
        """Application and stream that the URL names; empty where it names none."""
        return target_of(self.url)


class _Client(Struct):
    address: str = ""
    port: int = 0
    real_ip: str = ""
    user_agent: str = ""


class _AdmissionRequest(Struct):
    direction: str
    status: str
    time: _Moment
    url: str
    protocol: str = ""
    new_url: str | None = None


class _AdmissionBody(Struct):
    request: _AdmissionRequest
    client: _Client = msgspec.field(default_factory=_Client)


def parse_admission(body: bytes) -> Admission:
    """Raises InvalidInput naming what cannot be understood."""
    sent = _decode(body, _AdmissionBody)
    client, request = sent.client, sent.request
    if request.direction.lower() not in set(Direction):
        raise InvalidInput("request.direction", "is not one of incoming, outgoing")
    if request.status.lower() not in {"opening", "closing"}:
        raise InvalidInput("request.status", "is not one of opening, closing")
    return Admission(
        direction=Direction(request.direction.lower()),
        closing=request.status.lower() == "closing",
        protocol=request.protocol.lower(),
        url=request.url,
        at=request.time,
        address=client.address,
        port=client.port,
        real_ip=client.real_ip,
        user_agent=client.user_agent,
        new_url=request.new_url,
    )


# -- transcode --------------------------------------------------------------------------------------------------------


class TranscodeQuery(Struct, frozen=True):
    """Which renditions shall this stream have? Sides in pixels, 0 when OME does not know; `framerate` as measured.

    `audio` is None when OME lists no tracks at all.
    """

    application: str
    stream: str
    source_type: str
    created_at: datetime
    width: int = 0
    height: int = 0
    framerate: float = 0.0
    b_frames: bool = False
    audio: bool | None = None

    @property
    def scheduled(self) -> bool:
        """One of our channels, not something that is pushed or pulled."""
        return self.source_type.lower() == "scheduled"


class _Video(Struct, rename="camel"):
    width: int = 0
    height: int = 0
    framerate: float = 0.0
    has_bframes: bool = False


class _Track(Struct):
    type: str = ""
    video: _Video | None = None


class _Stream(Struct, rename="camel"):
    name: str
    application: str
    created_time: _Moment
    source_type: str = ""
    tracks: list[_Track] = []


class _TranscodeBody(Struct):
    stream: _Stream


def parse_transcode(body: bytes) -> TranscodeQuery:
    """Raises InvalidInput naming what cannot be understood."""
    stream = _decode(body, _TranscodeBody).stream
    video = next((track.video for track in stream.tracks if track.video), _Video())
    return TranscodeQuery(
        application=stream.application,
        stream=stream.name,
        source_type=stream.source_type,
        created_at=stream.created_time,
        width=min(max(0, video.width), _MAX_SIDE),
        height=min(max(0, video.height), _MAX_SIDE),
        framerate=video.framerate,
        b_frames=video.has_bframes,
        audio=any(track.type.lower() == "audio" for track in stream.tracks) if stream.tracks else None,
    )


# -- alert ------------------------------------------------------------------------------------------------------------


class AlertMessage(Struct, frozen=True):
    """OME's code, such as `INGRESS_BITRATE_LOW`, and its sentence for a person."""

    code: str
    description: str = ""


class OmeAlert(Struct, frozen=True):
    """Something that OME noticed. Alerts carry no time: `created_time` is the stream's, as OME wrote it."""

    source_uri: str
    kind: str = ""
    messages: tuple[AlertMessage, ...] = ()
    created_time: str = ""
    server: str = ""

    @property
    def stream(self) -> str:
        """The stream named by `#vhost#application/stream`; empty where there is none."""
        return self.source_uri.rpartition("/")[2] if "/" in self.source_uri else ""

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(message.code for message in self.messages)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for the same trouble of the same start of a stream, whatever numbers the sentences hold."""
        return self.server, self.source_uri, self.created_time, tuple(sorted(self.codes))


class _SourceInfo(Struct, rename="camel"):
    created_time: str = ""


class _ServerInfo(Struct):
    id: str = msgspec.field(default="", name="serverID")


class _AlertBody(Struct, rename="camel"):
    source_uri: str
    type: str = ""
    messages: tuple[AlertMessage, ...] = ()
    source_info: _SourceInfo | None = None
    server_info: _ServerInfo | None = None


def parse_alert(body: bytes) -> OmeAlert:
    """Raises InvalidInput naming what cannot be understood."""
    sent = _decode(body, _AlertBody)
    return OmeAlert(
        source_uri=sent.source_uri,
        kind=sent.type,
        messages=sent.messages,
        created_time=sent.source_info.created_time if sent.source_info else "",
        server=sent.server_info.id if sent.server_info else "",
    )


def _decode(body: bytes, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=shape, strict=False)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at ")
        raise InvalidInput(
            where.strip("`").removeprefix("$.") or "body", f"is not as OME sends it: {reason}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("body", "is not JSON") from error
