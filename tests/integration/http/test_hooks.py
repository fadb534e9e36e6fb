"""OME's webhooks over HTTP."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streaming_service.adapters.clock import WallClock
from streaming_service.application.admission import ClosedGate
from streaming_service.application.ome_hooks import HookPolicy, OmeHooks
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.application.viewer_gate import ViewerGate
from streaming_service.domain.ome_webhook import sign
from streaming_service.telemetry import Metrics
from tests.integration.http.harness import CONTENT, LADDER, Answer, FallibleStore, Harness, playable, serving
from tests.unit.application.door import FakeBoxOffice

pytestmark = pytest.mark.anyio

SECRET = "planted-webhook-secret-4242"
KEY = "planted-stream-key-9999"
HOOKS = ("admission", "transcode", "alert")


def hooks(store: FallibleStore, metrics: Metrics) -> OmeHooks:
    def nothing(_: str) -> None: ...

    return OmeHooks(
        secrets=(SECRET, "the-next-one"),
        directory=StreamDirectory(store, "ss-", monotonic=lambda: 0.0),
        store=store,
        policy=HookPolicy(ladders={"reels": LADDER}, stream_prefix="ss-", playlist="master"),
        gate=ClosedGate(),
        viewers=ViewerGate(FakeBoxOffice(), prefix="ss-"),
        clock=WallClock(),
        meter=metrics,
        changed=nothing,
    )


class Ome:
    """Signs and sends as OME does."""

    def __init__(self, running: Harness) -> None:
        self._running = running

    async def send(self, hook: str, body: bytes, signature: str | None = None, secret: str = SECRET) -> Answer:
        headers = {"content-type": "application/json", "x-ome-signature": signature or sign(body, secret)}
        return await self._running.ask("POST", f"/hooks/ome/{hook}", headers=headers, data=body)


def moment(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="milliseconds")


def knock(status: str = "opening", **ago: float) -> bytes:
    request = {"direction": "incoming", "protocol": "RTMP", "status": status, "time": moment(**ago)}
    shape = {"client": {"address": "127.0.0.1", "port": 1}, "request": {**request, "url": f"rtmp://h/reels/{KEY}"}}
    return json.dumps(shape, separators=(",", ":")).encode()


def begins(stream: str, **ago: float) -> bytes:
    video = {"type": "Video", "video": {"width": 720, "height": 1280, "framerate": 30.0}}
    shape: dict[str, Any] = {"application": "reels", "name": stream, "sourceType": "Scheduled", "tracks": [video]}
    return json.dumps({"source": "", "stream": {**shape, "createdTime": moment(**ago)}}, indent="\t").encode()


def trouble(stream: str) -> bytes:
    shape = {"sourceUri": f"#default#reels/{stream}", "type": "INGRESS", "messages": [{"code": "INGRESS_BITRATE_LOW"}]}
    return json.dumps(shape).encode()


@pytest.fixture
async def hooked() -> AsyncIterator[Harness]:
    """An API with webhooks, which look into `store`."""
    store, metrics = FallibleStore(), Metrics()
    async with serving(hooks=hooks(store, metrics), metrics=metrics) as made:
        yield replace(made, store=store)


@pytest.fixture
def ome(hooked: Harness) -> Ome:
    return Ome(hooked)


@pytest.mark.parametrize("hook", HOOKS)
async def test_without_a_secret_there_are_no_hooks(running: Harness, hook: str) -> None:
    answer = await Ome(running).send(hook, b"{}")
    assert (answer.status, answer.json["code"]) == (404, "no_such_route")


@pytest.mark.parametrize("hook", HOOKS)
async def test_nothing_is_read_without_a_good_signature(hooked: Harness, ome: Ome, hook: str) -> None:
    for signature in ("x", sign(b"{} ", SECRET), sign(b"{}", SECRET) + "="):
        answer = await ome.send(hook, b"{}", signature)
        assert (answer.status, answer.json["code"]) == (401, "bad_signature")
    unsigned = await hooked.ask("POST", f"/hooks/ome/{hook}", data=b"{}")
    assert (unsigned.status, unsigned.headers["www-authenticate"]) == (401, "X-OME-Signature")
    assert (await hooked.admin("POST", f"/hooks/ome/{hook}", data=b"{}")).status == 401


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"{}", b'{"request": {}}', b'{"stream": {"name": 1}}'])
async def test_a_signed_body_that_makes_no_sense_is_a_problem(ome: Ome, hook: str, body: bytes) -> None:
    answer = await ome.send(hook, body)
    assert (answer.status, answer.json["code"]) == (400, "malformed_webhook")


async def test_a_body_that_is_too_large(ome: Ome) -> None:
    assert (await ome.send("transcode", b" " * 5000)).status == 413


async def test_admission_answers_as_ome_demands(ome: Ome) -> None:
    body = knock()
    answer = await ome.send("admission", body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == b'{"allowed":false,"reason":"nothing may be published here"}'
    assert (await ome.send("admission", body)).json == {"allowed": False, "reason": "repeated request"}
    assert (await ome.send("admission", knock(seconds=90))).json == {"allowed": False, "reason": "stale request"}
    goodbye = await ome.send("admission", knock("closing", hours=1))
    assert (goodbye.status, goodbye.body) == (200, b"{}")


async def test_transcode_answers_with_and_without_the_store(hooked: Harness, ome: Ome) -> None:
    channel = await hooked.add(playable())
    assert channel.serving
    answer = await ome.send("transcode", begins(channel.serving.stream), secret="the-next-one")
    assert answer.json["allowed"] is True
    (profile,) = answer.json["outputProfiles"]["outputProfile"]
    assert [(one["width"], one["height"]) for one in profile["encodes"]["videos"]] == [
        (720, 1280),
        (480, 852),
        (360, 640),
    ]
    hooked.store.down = True
    for stream in (channel.serving.stream, f"ss-{CONTENT.replace('-', '')}-77", "by-hand"):
        again = await ome.send("transcode", begins(stream))
        assert (again.status, again.json["allowed"]) == (200, True)
    assert (await ome.send("transcode", begins("by-hand", hours=1))).json["allowed"] is False


async def test_an_alert_is_taken_once_it_is_kept(hooked: Harness, ome: Ome) -> None:
    channel = await hooked.add(playable())
    assert channel.serving
    hooked.store.down = True
    answer = await ome.send("alert", trouble(channel.serving.stream))
    assert (answer.status, answer.json["code"]) == (503, "store_unavailable")
    hooked.store.down = False
    for _ in range(2):
        assert (await ome.send("alert", trouble(channel.serving.stream))).status == 200
    history = await hooked.store.history(CONTENT, 9)
    assert [entry.action for entry in history].count("ome-alert") == 1


async def test_results_are_counted_and_secrets_stay_inside(hooked: Harness, ome: Ome, log: Any) -> None:
    seen = b""
    for hook, body in (("admission", knock()), ("transcode", begins("by-hand")), ("alert", b"{")):
        seen += (await ome.send(hook, body)).body
        seen += (await ome.send(hook, body, "wrong")).body
    metrics = (
        await hooked.ask("GET", "/metrics", headers={"authorization": f"Bearer {hooked.api.metrics_token}"})
    ).body
    assert b'streaming_ome_webhooks_total{hook="admission",result="denied"} 1.0' in metrics
    assert b'streaming_ome_webhooks_total{hook="alert",result="bad_signature"} 1.0' in metrics
    everything = seen + metrics + log.getvalue().encode()
    assert SECRET.encode() not in everything
    assert KEY.encode() not in everything
