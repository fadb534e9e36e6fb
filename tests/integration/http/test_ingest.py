"""Live contents and their keys over HTTP; keys are told once, to whoever asked, and to nobody else."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest

from streaming_service.adapters.clock import WallClock
from streaming_service.application.key_gate import KeyGate
from streaming_service.application.ome_hooks import HookPolicy, OmeHooks
from streaming_service.application.publisher_log import PublisherLog
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.application.viewer_gate import ViewerGate
from streaming_service.domain.clock import from_wire
from streaming_service.domain.ingest_key import content_of, digest
from streaming_service.domain.ome_webhook import sign
from streaming_service.domain.placement import ingest_name
from tests.integration.http.harness import (
    CAUSE,
    CONTENT,
    LADDER,
    UNKNOWN,
    Answer,
    Harness,
    playable,
    serving,
)
from tests.unit.application.door import FakeBoxOffice

pytestmark = pytest.mark.anyio

STREAMS = "/v1/admin/streams"
ONE = f"{STREAMS}/{CONTENT}"
ROTATE = f"{ONE}/rotate-ingest"
SECRET = "planted-webhook-secret-4242"
LIVE: dict[str, Any] = {
    "contentId": CONTENT,
    "tenantId": "tenant-1",
    "contentType": "reel",
    "live": True,
    "slateGcsUri": "gs://uploads/slate.mp4",
}


@asynccontextmanager
async def with_hooks() -> AsyncGenerator[Harness]:
    """An API that OME asks, too."""
    async with serving() as made:
        directory = StreamDirectory(made.store, "ss-", monotonic=time.monotonic)
        publishers = PublisherLog(made.store, clock=WallClock(), cause=lambda: CAUSE, changed=lambda _: None)
        hooks = OmeHooks(
            secrets=(SECRET,),
            directory=directory,
            store=made.store,
            policy=HookPolicy(ladders={"reels": LADDER}, stream_prefix="ss-", playlist="master"),
            gate=KeyGate(directory.ingest, publishers, prefix="ss-", clock=WallClock()),
            viewers=ViewerGate(FakeBoxOffice(), prefix="ss-"),
            clock=WallClock(),
            meter=made.api.metrics,
            changed=lambda _: None,
        )
        shared = {name: getattr(made.api, name) for name in ("ingest", "administration", "metrics")}
        async with serving(hooks=hooks, **shared) as asked:
            yield replace(asked, store=made.store)


async def knock(running: Harness, key: str, status: str = "opening") -> Answer:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    told = {"direction": "incoming", "protocol": "RTMP", "status": status, "time": at, "url": f"rtmp://h/reels/{key}"}
    body = json.dumps({"client": {"address": "192.0.2.7", "port": 4711}, "request": told}).encode()
    headers = {"content-type": "application/json", "x-ome-signature": sign(body, SECRET)}
    return await running.ask("POST", "/hooks/ome/admission", headers=headers, data=body)


async def settled(running: Harness) -> None:
    """What OME was answered about publishers is written down."""
    assert running.api.hooks
    await running.api.hooks.settled(5)


async def register(running: Harness, **changes: Any) -> Answer:
    body = {name: value for name, value in {**LIVE, **changes}.items() if value is not None}
    return await running.admin("POST", f"{STREAMS}/register", json=body)


# -- registration -----------------------------------------------------------------------------------------------------


async def test_a_live_content_is_registered_with_its_first_key(running: Harness) -> None:
    answer = await register(running)
    assert (answer.status, answer.headers["location"], answer.headers["cache-control"]) == (202, ONE, "no-store")
    channel, ingest = answer.json, answer.json["ingest"]
    assert (channel["live"], channel["sourceAssetUri"], channel["protocol"]) == (True, LIVE["slateGcsUri"], "ll-hls")
    assert ingest["url"] == "rtmp://ome.test:1935/reels"
    key = ingest["streamKey"]
    assert content_of(key) == CONTENT
    assert ingest["srtUrl"] == f"srt://ome.test:9999?streamid=default%2Freels%2F{key}"
    assert ingest["whipUrl"] == f"https://ome.test:3334/reels/{key}?direction=whip"
    assert [item["id"] for item in ingest["keys"]] == [digest(key)[:12]]


async def test_a_live_series_is_ready_while_it_plays(running: Harness) -> None:
    assert (await register(running, contentType="series")).json["protocol"] == "ll-hls"


async def test_a_repeat_and_a_look_show_no_key(running: Harness) -> None:
    first = await register(running)
    again = await register(running)
    shown = await running.admin("GET", ONE)
    assert again.status == 202
    for answer in (again, shown):
        assert set(answer.json["ingest"]) == {"url", "keys"}
        assert answer.json["ingest"]["keys"] == first.json["ingest"]["keys"]


async def test_an_upload_shows_nothing_of_ingest(running: Harness) -> None:
    await running.add(playable())
    assert not {"live", "ingest"} & set((await running.admin("GET", ONE)).json)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slateGcsUri": None}, "slateGcsUri"),
        ({"slateGcsUri": "gs://other/slate.mp4"}, "slateGcsUri"),
        ({"live": "yes"}, "live"),
        ({"contentType": None}, "contentType"),
        ({"contentId": "1"}, "contentId"),
    ],
)
async def test_a_wrong_field_is_named(running: Harness, changes: dict[str, Any], field: str) -> None:
    answer = await register(running, **changes)
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, field)
    assert (await running.admin("GET", ONE)).status == 404 or field == "contentId"


async def test_an_idempotency_key_belongs_to_one_body(running: Harness) -> None:
    headers = {"idempotency-key": "key-1"}
    first = await running.admin("POST", f"{STREAMS}/register", headers, json=LIVE)
    again = await running.admin("POST", f"{STREAMS}/register", headers, json=LIVE)
    other = await running.admin("POST", f"{STREAMS}/register", headers, json={**LIVE, "tenantId": "t"})
    assert ("streamKey" in first.json["ingest"], "streamKey" in again.json["ingest"]) == (True, False)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


# -- rotation ---------------------------------------------------------------------------------------------------------


async def test_a_rotation_answers_with_the_new_key(running: Harness) -> None:
    first = (await register(running)).json["ingest"]["streamKey"]
    answer = await running.admin("POST", ROTATE)
    assert (answer.status, answer.headers["cache-control"]) == (202, "no-store")
    ingest = answer.json["ingest"]
    assert answer.json["status"] == "rotation-requested"
    assert set(ingest) == {"url", "streamKey", "previousKeyValidUntil", "srtUrl", "whipUrl"}
    assert ingest["url"] == "rtmp://ome.test:1935/reels"
    assert ingest["streamKey"] != first
    until = from_wire(ingest["previousKeyValidUntil"], "")
    assert timedelta(seconds=290) < until - datetime.now(UTC) <= timedelta(seconds=300)
    keys = (await running.admin("GET", ONE)).json["ingest"]["keys"]
    assert [item.get("validUntil") for item in keys] == [ingest["previousKeyValidUntil"], None]


async def test_an_uploaded_content_gets_a_key_too(running: Harness) -> None:
    await running.add(playable())
    ingest = (await running.admin("POST", ROTATE)).json["ingest"]
    assert content_of(ingest["streamKey"]) == CONTENT
    assert ingest["previousKeyValidUntil"] is None


async def test_a_rotation_is_owed_to_the_cdn_and_the_analytics(running: Harness) -> None:
    await running.add(playable())
    await running.admin("POST", ROTATE)
    owed = (await running.admin("GET", f"/v1/admin/deliveries?contentId={CONTENT}")).json["items"]
    assert sorted((item["endpoint"], item["topic"]) for item in owed) == [
        ("bigquery", "cdn.failover"),
        ("bigquery", "cdn.purge"),
        ("bigquery", "stream.ingest.rotated"),
        ("cdn-control", "cdn.purge"),
    ]
    (failover,) = [item["facts"] for item in owed if item["topic"] == "cdn.failover"]
    assert failover["trigger"] == "ingest-rotation"
    assert failover["promoted"] is False


async def test_what_cannot_be_rotated(running: Harness) -> None:
    unknown = await running.admin("POST", f"{STREAMS}/{UNKNOWN}/rotate-ingest")
    assert (unknown.status, unknown.json["code"]) == (404, "not_found")
    malformed = await running.admin("POST", f"{STREAMS}/clip/rotate-ingest")
    assert (malformed.status, malformed.json["errors"][0]["field"]) == (400, "contentId")
    assert (await running.ask("POST", ROTATE)).status == 401
    await running.add(playable())
    await running.admin("DELETE", ONE)
    retired = await running.admin("POST", ROTATE)
    assert (retired.status, retired.json["code"]) == (410, "retired")
    running.store.down = True
    down = await running.admin("POST", ROTATE)
    assert (down.status, down.json["code"]) == (503, "store_unavailable")


# -- publishing -------------------------------------------------------------------------------------------------------


def near(key: str) -> str:
    """Wrong by its last character alone."""
    return key[:-1] + ("B" if key.endswith("A") else "A")


async def test_publishing_needs_a_key() -> None:
    async with with_hooks() as running:
        key = (await register(running)).json["ingest"]["streamKey"]
        answer = await knock(running, key)
        name = ingest_name("ss-", CONTENT)
        assert (answer.status, answer.json) == (200, {"allowed": True, "new_url": f"rtmp://h/reels/{name}"})
        assert (await knock(running, key, "closing")).json == {}
        for wrong in ("live", name, near(key)):
            assert (await knock(running, wrong)).json["allowed"] is False


async def test_who_pushes_is_shown_and_comes_and_goes_in_the_history() -> None:
    async with with_hooks() as running:
        key = (await register(running)).json["ingest"]["streamKey"]
        await knock(running, key)
        await settled(running)
        publisher = (await running.admin("GET", ONE)).json["ingest"]["publisher"]
        assert (publisher["address"], publisher["port"], publisher["protocol"]) == ("192.0.2.7", 4711, "rtmp")
        for _ in range(2):
            await knock(running, key, "closing")
        await settled(running)
        assert "publisher" not in (await running.admin("GET", ONE)).json["ingest"]
        told = [item["action"] for item in (await running.admin("GET", f"{ONE}/events")).json["items"]]
        assert [action for action in told if "publisher" in action] == ["publisher-disconnected", "publisher-connected"]


async def test_keys_stay_between_us_and_whoever_asked(log: StringIO) -> None:
    async with with_hooks() as running:
        keys = [(await register(running)).json["ingest"]["streamKey"]]
        keys += [(await running.admin("POST", ROTATE)).json["ingest"]["streamKey"] for _ in range(2)]
        seen = b""
        for key in keys:
            seen += (await knock(running, key)).body
            seen += (await knock(running, near(key))).body
            seen += (await knock(running, key, "closing")).body
        await settled(running)
        headers = {"authorization": f"Bearer {running.api.metrics_token}"}
        paths = ("", "/events")
        seen += b"".join([(await running.admin("GET", f"{ONE}{path}")).body for path in paths])
        seen += (await running.admin("GET", STREAMS)).body
        seen += (await running.admin("GET", "/v1/admin/deliveries?limit=200")).body
        seen += (await running.ask("GET", "/metrics", headers=headers)).body
        stored = repr(await running.store.get(CONTENT)) + repr(running.store.__dict__)
        everything = seen.decode() + stored + log.getvalue()
    assert b'streaming_ome_webhooks_total{hook="admission",result="allowed"}' in seen
    for key in keys:
        assert key not in everything
        assert key.partition("-")[2] not in everything
    assert SECRET not in everything
