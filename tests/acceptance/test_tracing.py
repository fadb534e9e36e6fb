"""One trace from an upload event to the delivery, and one from a viewer to the token service, as an OTLP receiver
sees them."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.domain.clock import to_wire
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.signing.cloud_cdn import KEY_BYTES, CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey, decode_key
from tests.acceptance.harness import PATIENCE, Process, fetch, free_ports, running
from tests.otlp import OtlpReceiver, Seen, otlp_receiver

pytestmark = pytest.mark.anyio

LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
KEY = "nZtRohdNF9m3cKM24IcK4w=="
WEBHOOK = f"whsec_{b64encode(b'planted-webhook-secret-of-32-byte').decode()}"
# Whatever of these is in a span has no business there.
PLANTED = {
    "service token": "planted-service-token",
    "metrics token": "planted-metrics-token",
    "auth token": "planted-auth-token",
    "CDN control key": "planted-cdn-key",
    "OME secret": "planted-ome-secret",
    "OTLP key": "planted-otlp-key",
    "viewer token": "viewer-demo",
    "signing key": KEY,
    "webhook secret": WEBHOOK,
    "a signature": "Signature=",
    "a signed prefix": "URLPrefix=",
    "a query": "quality=720p",
}
UPLOAD_TRACE, UPLOAD_SPAN = "a1" * 16, "b1" * 8
VIEWER_TRACE, VIEWER_SPAN = "a2" * 16, "b2" * 8


class World:
    """A running service, and what is around it."""

    def __init__(self, api: str, process: Process, platform: StandInPlatform, receiver: OtlpReceiver) -> None:
        self.api = api
        self.process = process
        self.platform = platform
        self.receiver = receiver
        self.content_id = str(uuid4())

    async def upload(self) -> None:
        """A `media.uploaded` event as Pub/Sub pushes it, in the uploader's trace."""
        event = {
            "uploadId": str(uuid4()),
            "objectKey": "clip.mp4",
            "storageUrl": "gs://uploads/clip.mp4",
            "assetType": "video",
            "adminId": "acceptance",
            "contentId": self.content_id,
            "contentClassification": "REEL",
            "validation": {"checksum": "sha256:1", "durationSeconds": 8, "width": 1280, "height": 720},
            "emittedAt": to_wire(datetime.now(UTC)),
        }
        message = {
            "data": b64encode(json.dumps(event).encode()).decode(),
            "attributes": {"googclient_traceparent": f"00-{UPLOAD_TRACE}-{UPLOAD_SPAN}-01"},
            "messageId": "m-1",
        }
        body = {"message": message, "subscription": "projects/p/subscriptions/s"}
        headers = {"authorization": f"Bearer {PLANTED['service token']}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.api}/internal/events/pubsub", json=body) as answer,
        ):
            assert answer.status == 204, await answer.text()

    async def watch(self) -> None:
        """A manifest, as a viewer's app asks for it in its own trace."""
        headers = {"authorization": "Bearer viewer-demo", "traceparent": f"00-{VIEWER_TRACE}-{VIEWER_SPAN}-01"}
        url = f"{self.api}/v1/streams/{self.content_id}/manifest?quality=720p"
        status, body, _ = await fetch(url, headers)
        assert status == 200, body


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    folder = tmp_path_factory.mktemp("tracing")
    media = folder / "media"
    media.mkdir()
    (media / "clip.mp4").write_bytes(b"synthetic")
    signer = CloudCdnSigner(Keyring(SigningKey("primary", decode_key(KEY, "key", KEY_BYTES))))
    ome = StandInOme(
        media_root=media,
        state_dir=folder / "ome",
        applications={"reels": LADDER, "series": LADDER},
        timing=Timing(warm_up=0.2, poll=0.05),
        access_token=f"ome-key:{PLANTED['OME secret']}",
        packager=SyntheticPackager(),
    )
    port = free_ports(1)
    async with (
        ome,
        otlp_receiver() as receiver,
        StandInEdge(ome.playback_url, signer.verify) as edge,
        StandInPlatform(auth_token=PLANTED["auth token"], cdn_token=PLANTED["CDN control key"]) as platform,
        running("serve", "--with-worker", env=_env(port, ome, edge, platform, receiver, folder), cwd=folder) as process,
    ):
        world = World(f"http://127.0.0.1:{port}", process, platform, receiver)
        await _up(world.api)
        await world.upload()
        await platform.inbox.wait("/content/callback", 1, PATIENCE)
        await world.watch()
        await receiver.until(lambda spans: _named(spans, "POST content-callback") and _viewers(spans), PATIENCE)
        yield world


def _env(
    port: int, ome: StandInOme, edge: StandInEdge, platform: StandInPlatform, receiver: OtlpReceiver, folder: Path
) -> dict[str, str]:
    return {
        "APP_ENV": "test",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "HTTP_LINGER_SECONDS": "0",
        "LOG_FORMAT": "json",
        "SERVICE_AUTH_TOKEN": PLANTED["service token"],
        "METRICS_ACCESS_TOKEN": PLANTED["metrics token"],
        "CHANNEL_REPOSITORY_BACKEND": "sqlite",
        "SQLITE_PATH": str(folder / "service.sqlite"),
        "EVENT_SOURCE": "embedded",
        "OME_API_BASE_URL": ome.api_url,
        "OME_API_KEY": "ome-key",
        "OME_API_SECRET": PLANTED["OME secret"],
        "OME_PLAYBACK_BASE_URL": ome.playback_url,
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "MEDIA_INSPECTION": "false",
        "CDN_BASE_URL": edge.url,
        "CDN_SIGNING_SECRET": KEY,
        "CDN_CONTROL_BASE_URL": f"{platform.url}/cdn",
        "CDN_CONTROL_API_KEY": PLANTED["CDN control key"],
        "CDN_PROBE_REGIONS": "iad",
        "AUTH_SERVICE_BASE_URL": f"{platform.url}/auth",
        "AUTH_SERVICE_INTERNAL_TOKEN": PLANTED["auth token"],
        "CONTENT_SERVICE_CALLBACK_URL": f"{platform.url}/content/callback",
        "API_GATEWAY_CACHE_WARMUP_URL": f"{platform.url}/gateway/warmup",
        "BIGQUERY_EXPORT_URL": f"{platform.url}/bigquery",
        "BIGQUERY_EXPORT_BATCH": "50",
        "WEBHOOK_SIGNING_SECRET": WEBHOOK,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={PLANTED['OTLP key']}",
        "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=video",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


async def _up(api: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(aiohttp.ClientConnectorError):
                await fetch(f"{api}/readyz")
                return
            await asyncio.sleep(0.05)


def _named(spans: list[Seen], name: str) -> list[Seen]:
    return [item for item in spans if item.name == name]


def _viewers(spans: list[Seen]) -> list[Seen]:
    return [item for item in spans if item.trace_id == VIEWER_TRACE and item.kind == "server"]


def _one(spans: list[Seen], name: str) -> Seen:
    found = _named(spans, name)
    assert len(found) == 1, [item.name for item in spans]
    return found[0]


async def test_an_upload_is_one_trace_from_the_event_to_the_delivery(world: World) -> None:
    spans = world.receiver.of(UPLOAD_TRACE)
    event = _one(spans, "process upload event")
    assert (event.parent, event.kind) == (UPLOAD_SPAN, "consumer")
    assert event.attributes["messaging.message.id"] == "m-1"
    assert event.attributes["streaming.content_id"] == world.content_id
    assert event.attributes["streaming.event.result"] == "created"
    converging = [item for item in _named(spans, "converge") if item.parent == event.span_id]
    assert converging
    steps = {item.name: item for item in spans if item.parent in {run.span_id for run in converging}}
    assert {"place", "start", "await playable"} <= steps.keys()
    asked = [item for item in spans if item.parent == steps["start"].span_id and item.kind == "client"]
    assert any(item.attributes.get("service.peer.name", "").startswith("ome") for item in asked), asked
    assert any(item.name == "store channels.commit" for item in asked), [item.name for item in asked]

    delivery = _one(spans, "deliver content-callback")
    assert delivery.parent in {item.span_id for item in converging}
    assert delivery.attributes["streaming.delivery.state"] == "delivered"
    call = _one(spans, "POST content-callback")
    assert (call.parent, call.kind) == (delivery.span_id, "client")
    told = world.platform.inbox.of("/content/callback")[0]
    assert told.headers["traceparent"] == f"00-{UPLOAD_TRACE}-{call.span_id}-01"


async def test_a_pushed_event_names_the_request_that_brought_it(world: World) -> None:
    event = _one(world.receiver.of(UPLOAD_TRACE), "process upload event")
    request = _one(world.receiver.spans, "POST /internal/events/pubsub")
    assert (request.kind, request.parent) == ("server", "")
    assert request.attributes["http.response.status_code"] == 204
    assert event.links == ((request.trace_id, request.span_id),)


async def test_a_viewer_is_one_trace_to_the_token_service(world: World) -> None:
    spans = world.receiver.of(VIEWER_TRACE)
    request = _one(spans, "GET /v1/streams/{contentId}/manifest")
    assert (request.kind, request.parent) == ("server", VIEWER_SPAN)
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["url.path"] == f"/v1/streams/{world.content_id}/manifest"
    asked = _one(spans, "POST auth")
    assert (asked.kind, asked.parent) == ("client", request.span_id)
    assert asked.attributes["service.peer.name"] == "auth"
    told = world.platform.inbox.of("/auth/api/v1/auth/introspect")[0]
    assert told.headers["traceparent"] == f"00-{VIEWER_TRACE}-{asked.span_id}-01"
    assert _one(spans, "store channels.get").parent == request.span_id


async def test_a_batch_for_analytics_names_the_traces_of_what_is_in_it(world: World) -> None:
    def sent(spans: list[Seen]) -> list[Seen]:
        batches = _named(spans, "deliver bigquery together")
        return [item for item in batches if UPLOAD_TRACE in {trace for trace, _ in item.links}]

    batch = sent(await world.receiver.until(sent, PATIENCE))[0]
    (call,) = [item for item in _named(world.receiver.spans, "POST bigquery") if item.parent == batch.span_id]
    received = world.platform.inbox.of("/bigquery")
    assert {line.headers["content-type"] for line in received} == {"application/x-ndjson"}
    assert {line.status for line in received} == {202}
    assert f"00-{batch.trace_id}-{call.span_id}-01" in {line.headers["traceparent"] for line in received}


async def test_the_process_says_who_it_is_and_shows_its_key(world: World) -> None:
    resource = world.receiver.spans[0].resource
    assert (resource["service.name"], resource["service.namespace"]) == ("streaming-service", "video")
    assert world.receiver.headers[0]["x-api-key"] == PLANTED["OTLP key"]


async def test_log_lines_name_the_span_that_they_belong_to(world: World) -> None:
    lines = [json.loads(line) for line in world.process.lines if line.startswith("{")]
    accepted = next(line for line in lines if line["event"] == "upload accepted")
    event = _one(world.receiver.of(UPLOAD_TRACE), "process upload event")
    assert (accepted["trace_id"], accepted["span_id"]) == (UPLOAD_TRACE, event.span_id)
    plays = next(line for line in lines if line["event"] == "channel plays")
    assert plays["trace_id"] == UPLOAD_TRACE


async def test_probes_are_traced_and_the_asked_for_metrics_are_not(world: World) -> None:
    await world.receiver.until(lambda spans: _named(spans, "probe"), PATIENCE)
    probe = _named(world.receiver.spans, "probe")[0]
    assert probe.attributes["streaming.probe.region"] == "iad"
    headers = {"authorization": f"Bearer {PLANTED['metrics token']}"}
    _, page, _ = await fetch(f"{world.api}/metrics", headers)
    assert b'streaming_trace_spans_total{result="exported"}' in page
    _, _, _ = await fetch(f"{world.api}/v1/admin/streams", {"x-service-token": PLANTED["service token"]})
    await world.receiver.until(lambda spans: _named(spans, "GET /v1/admin/streams"), PATIENCE)
    assert not [item for item in world.receiver.spans if "metrics" in item.name or "readyz" in item.name]


async def test_what_was_planted_is_in_no_span(world: World) -> None:
    sent = b"".join(world.receiver.bodies)
    assert world.content_id.encode() in sent
    for what, secret in PLANTED.items():
        assert secret.encode() not in sent, what


async def test_the_last_spans_are_sent_when_the_process_ends(world: World) -> None:
    await fetch(f"{world.api}/v1/admin/streams/{world.content_id}", {"x-service-token": PLANTED["service token"]})
    assert await world.process.stop() == 0
    assert _named(world.receiver.spans, "GET /v1/admin/streams/{contentId}")
