"""Routes for other services."""

import json
from base64 import b64encode
from typing import Any

import pytest

from streaming_service.application.ports import Ack, Message
from tests.integration.http.harness import (
    CDN,
    CONTENT,
    SERVICE_TOKEN,
    UNKNOWN,
    Harness,
    failed,
    playable,
    serving,
    waiting,
)

pytestmark = pytest.mark.anyio

PUSH = "/internal/events/pubsub"
EVENT: dict[str, Any] = {
    "uploadId": "u-1",
    "storageUrl": "gs://uploads/clip.mp4",
    "assetType": "video",
    "contentId": CONTENT,
    "contentClassification": "REEL",
    "emittedAt": "2026-01-02T03:04:05.678Z",
}


def wrapped(data: bytes) -> dict[str, Any]:
    return {
        "message": {"data": b64encode(data).decode(), "messageId": "m-1", "attributes": {"a": "b"}},
        "subscription": "s",
    }


async def test_playback_without_a_viewer(running: Harness) -> None:
    await running.add(playable())
    answer = await running.admin("GET", f"/internal/playback/{CONTENT}")
    assert answer.status == 200
    assert set(answer.json) == {"playbackUrl", "expiresAt", "cdn"}
    assert answer.json["playbackUrl"].startswith(f"{CDN}/reels/")


async def test_playback_refusals(running: Harness) -> None:
    waits = UNKNOWN.replace("0000-4", "1111-4")
    await running.add(waiting(waits))
    await running.add(playable())
    await running.admin("DELETE", f"/v1/admin/streams/{CONTENT}")
    for content_id, status, code in (
        (UNKNOWN, 404, "unknown_content"),
        (waits, 409, "not_ready"),
        (CONTENT, 410, "retired"),
    ):
        answer = await running.admin("GET", f"/internal/playback/{content_id}")
        assert (answer.status, answer.json["code"]) == (status, code)
    assert (await running.admin("GET", "/internal/playback/clip")).status == 400


async def test_a_pushed_event_is_taken_in(running: Harness) -> None:
    answer = await running.admin("POST", PUSH, json=wrapped(json.dumps(EVENT).encode()))
    assert (answer.status, answer.body) == (204, b"")
    assert (await running.store.get(CONTENT)) is not None
    (message,) = running.published
    assert (message.message_id, message.attributes) == ("m-1", {"a": "b"})


async def test_a_cloud_event_is_taken_in(running: Harness) -> None:
    headers = {"ce-type": "media.uploaded", "ce-id": "e-1", "ce-specversion": "1.0", "content-type": "application/json"}
    assert (await running.admin("POST", PUSH, headers, data=json.dumps(EVENT))).status == 204
    assert running.published[0].message_id == "e-1"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b'{"message": "x"}', b'{"message": {"data": "%%%"}, "subscription": "s"}']
)
async def test_what_can_never_be_understood_is_kept_and_acknowledged(running: Harness, body: bytes) -> None:
    answer = await running.admin("POST", PUSH, {"content-type": "application/json"}, data=body)
    assert answer.status == 204
    (letter,) = (await running.store.list_dead_letters(9, None))[0]
    assert letter.data == body


async def test_a_batch_is_kept_and_acknowledged(running: Harness) -> None:
    headers = {"content-type": "application/cloudevents-batch+json"}
    assert (await running.admin("POST", PUSH, headers, data=b"[]")).status == 204
    assert await running.store.count_dead_letters() == 1


async def test_what_cannot_be_taken_now_is_asked_for_again() -> None:
    async def publish(_: Message) -> Ack:
        return Ack.NACK

    async with serving(publish=publish) as running:
        answer = await running.admin("POST", PUSH, json=wrapped(b"{}"))
        assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "event_not_taken", "5")


async def test_a_handler_that_raises_is_not_an_acknowledgement() -> None:
    async def publish(_: Message) -> Ack:
        raise RuntimeError("planted-detail")

    async with serving(publish=publish) as running:
        answer = await running.admin("POST", PUSH, json=wrapped(b"{}"))
        assert answer.status == 500
        assert b"planted" not in answer.body


async def test_qos(running: Harness) -> None:
    await running.add(failed())
    await running.admin("POST", PUSH, data=b"broken")
    answer = await running.admin("GET", "/internal/qos")
    assert answer.status == 200
    assert answer.json["channels"] == {"provisioning": 0, "ready": 0, "failed": 1, "retired": 0}
    assert answer.json["deadLetters"] == 1
    assert answer.json["outbox"]["dead"] == 0
    assert [(item["name"], item["state"]) for item in answer.json["origins"]] == [("ome-1", "up"), ("ome-2", "down")]
    assert answer.json["waiting"] == {"reel": 1, "series": 0}
    (failure,) = answer.json["lastFailures"]
    assert (failure["contentId"], failure["failure"]["code"]) == (CONTENT, "not_playable")


async def test_the_other_header_is_as_good(running: Harness) -> None:
    assert (await running.ask("GET", "/internal/qos", headers={"x-service-token": SERVICE_TOKEN})).status == 200
