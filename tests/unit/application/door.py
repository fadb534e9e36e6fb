"""OME's webhooks with fakes around them, and the bodies that OME sends."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from streaming_service.application.admission import Verdict
from streaming_service.application.ome_alerts import AlertStore
from streaming_service.application.ome_hooks import HookPolicy, OmeHooks
from streaming_service.application.playback import Refused
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.application.title import ManifestAnswer, ManifestPolicy
from streaming_service.application.viewer_gate import ViewerGate
from streaming_service.domain.access import Refusal
from streaming_service.domain.channel import Channel, ChannelSpec, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.history import change
from streaming_service.domain.ladder import Ladder, parse_ladder
from streaming_service.domain.notification import Cause, Endpoint
from streaming_service.domain.ome_webhook import Admission
from streaming_service.domain.placement import stream_name
from streaming_service.domain.rendering import SignedManifest
from tests.fakes import NOW, FakeClock, FragileStore
from tests.placements import placed as put

REELS = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
OWN = parse_ladder("1080p|1920x1080|4000,240p|426x240|300")
CONTENT = str(UUID(int=1, version=4))
STREAM = stream_name("ss-", CONTENT, 1)
CAUSE = Cause("test", "correlation-1")


class Gate:
    """Lets in whoever it knows."""

    def __init__(self) -> None:
        self.gone: list[Admission] = []

    async def admit(self, asked: Admission) -> Verdict:
        allowed = asked.target[1] == "key"
        return Verdict(allowed, None if allowed else "unknown key", "rtmp://h/reels/channel" if allowed else None)

    def closed(self, asked: Admission) -> None:
        self.gone.append(asked)

    async def settled(self, within: float) -> None:
        """Writes nothing down."""


class FakeBoxOffice:
    """Gives manifests for one token."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str | None]] = []

    async def manifest(
        self, content_id: str, token: str | None, quality: str, claimed_country: str | None, correlation_id: str
    ) -> ManifestAnswer | Refused:
        self.asked.append((content_id, token, claimed_country))
        if token != "viewer":
            return Refused(Refusal.NO_TOKEN if token is None else Refusal.INACTIVE_TOKEN)
        return ManifestAnswer("https://cdn.example/", "", "", (), ManifestPolicy("", 300, failover=False))


class Results(Counter[str]):
    def ome_hook(self, hook: str, result: str) -> None:
        self[f"{hook} {result}"] += 1


class Slow(FragileStore):
    """Holds look-ups up until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event | None = None

    async def get(self, content_id: str) -> Channel | None:
        if self.gate:
            await self.gate.wait()
        return await super().get(content_id)

    async def on_ome(self) -> tuple[Channel, ...]:
        if self.down:
            raise self.down
        return await super().on_ome()


class Door:
    """OmeHooks with everything around them."""

    def __init__(self, **policy: Any) -> None:
        self.clock = FakeClock()
        self.store = Slow()
        self.gate = Gate()
        self.box_office = FakeBoxOffice()
        self.results = Results()
        self.changed: list[str] = []
        self.seconds = 0.0
        self.directory = StreamDirectory(self.store, "ss-", patience=0.05, monotonic=lambda: self.seconds)
        standard = HookPolicy(
            ladders={"reels": REELS},
            stream_prefix="ss-",
            playlist="master",
            edges=(ip_network("10.0.0.0/8"), ip_network("::1/128")),
            alert_endpoints=frozenset({Endpoint.OBSERVABILITY, Endpoint.BIGQUERY}),
            audit_topic="audit",
        )
        self.policy = replace(standard, **policy)
        self.hooks = self.made(self.store)

    def made(self, store: AlertStore, **changes: Any) -> OmeHooks:
        parts: dict[str, Any] = {
            "secrets": ("new", "old"),
            "directory": self.directory,
            "store": store,
            "policy": self.policy,
            "gate": self.gate,
            "viewers": ViewerGate(self.box_office, prefix="ss-"),
            "clock": self.clock,
            "meter": self.results,
            "changed": self.changed.append,
        }
        return OmeHooks(**{**parts, **changes})

    async def channel(self, ladder: Ladder = OWN, *, audio: bool = True, live: bool = False) -> Channel:
        spec = ChannelSpec(
            content_id=CONTENT,
            classification=Classification.REEL,
            source_uri="gs://uploads/1.mp4",
            media_path="uploads/1.mp4",
            checksum="sum",
            application="reels",
            protocol=Protocol.LL_HLS,
            rungs=ladder.rungs,
            live=live,
        )
        made = put(accepted(spec, NOW, NOW), NOW, origin="default", stream=STREAM, audio=audio, live=live)
        return await self.store.commit(change(made, "test", CAUSE), None)

    async def asks(self, stream: str = STREAM, **changes: Any) -> dict[str, Any]:
        return await self.hooks.transcode(transcode_body(stream, **changes))

    async def knocks(self, **changes: Any) -> dict[str, Any]:
        return await self.hooks.admission(admission_body(**changes))


def wire(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def transcode_body(
    stream: str = STREAM,
    *,
    size: tuple[int, int] = (1920, 1080),
    at: datetime = NOW,
    tracks: Sequence[str] = ("Video", "Audio"),
    application: str = "reels",
    source: str = "Scheduled",
) -> bytes:
    video = {"width": size[0], "height": size[1], "framerate": 27.0, "hasBframes": True}
    listed = [{"type": kind, **({"video": video} if kind == "Video" else {})} for kind in tracks]
    told = {"application": application, "name": stream, "createdTime": wire(at), "sourceType": source, "tracks": listed}
    return json.dumps({"source": "", "stream": told}).encode()


def admission_body(
    *,
    direction: str = "incoming",
    status: str = "opening",
    at: datetime = NOW,
    address: str = "192.0.2.1",
    port: int = 4711,
    url: str = "rtmp://h/reels/key",
) -> bytes:
    client = {"address": address, "port": port, "real_ip": "10.1.1.1"}
    request = {"direction": direction, "protocol": "RTMP", "status": status, "time": wire(at), "url": url}
    return json.dumps({"client": client, "request": request}).encode()


def alert_body(stream: str = STREAM, *codes: str, number: int = 1) -> bytes:
    messages = [{"code": code, "description": f"it is {number}"} for code in codes or ("INGRESS_BITRATE_LOW",)]
    told = {"sourceUri": f"#default#reels/{stream}", "type": "INGRESS", "messages": messages}
    return json.dumps({**told, "sourceInfo": {"createdTime": "T"}, "serverInfo": {"serverID": "o-1"}}).encode()


def videos(answer: dict[str, Any]) -> list[tuple[str, int, int]]:
    (profile,) = answer["outputProfiles"]["outputProfile"]
    return [(item["name"], item["width"], item["height"]) for item in profile["encodes"]["videos"]]


def unsigned(path: str, base_url: str | None) -> SignedManifest:
    """Alerts hold no URLs to sign."""
    raise AssertionError(f"nothing to sign: {path} {base_url}")
