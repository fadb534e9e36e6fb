"""The admin routes of channels."""

import re
from typing import Any
from uuid import UUID

import pytest

from streaming_service.domain.content import Drm, GeoRestrictions, Rendition
from tests.integration.http.harness import CONTENT, UNKNOWN, Harness, failed, playable, waiting

pytestmark = pytest.mark.anyio

STREAMS = "/v1/admin/streams"
ONE = f"{STREAMS}/{CONTENT}"
GATEWAY: dict[str, Any] = {
    "contentId": CONTENT,
    "tenantId": "tenant-1",
    "contentType": "reel",
    "sourceGcsUri": "gs://uploads/clip.mp4",
    "checksum": "sha256:1",
    "durationSeconds": 3.5,
    "ingestRegion": "us-east1",
}
READY: dict[str, Any] = {
    "uploadId": "u-1",
    "videoId": CONTENT,
    "contentType": "EPISODE",
    "sourceUpload": {
        "storageUrl": "gs://uploads/e.mp4",
        "objectKey": "e.mp4",
        "sizeBytes": 1,
        "contentType": "video/mp4",
    },
    "processedAsset": {"bucket": "manifests", "manifestObject": "m", "checksum": "sha256:2", "signedUrlTtlSeconds": 60},
    "ingestRegion": "us-east1",
    "cdn": {"defaultBaseUrl": "https://cdn.test"},
    "idempotencyKey": "k",
    "readyAt": "2026-01-02T03:04:05.678Z",
}
ALWAYS = {
    "contentId", "channelId", "classification", "manifestPath", "playbackUrl", "originEndpoint", "cacheKey", "checksum",
    "status", "phase", "retries", "sourceAssetUri", "omeApplication", "protocol", "lastProvisionedAt", "generation",
    "specHash",
}  # fmt: skip
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.mark.parametrize("body", [GATEWAY, READY], ids=["gateway", "ready-for-stream"])
async def test_register_takes_both_shapes_and_answers_with_the_channel(running: Harness, body: dict[str, Any]) -> None:
    answer = await running.admin("POST", f"{STREAMS}/register", json=body)
    assert answer.status == 202
    assert answer.headers["location"] == ONE
    assert set(answer.json) >= ALWAYS
    assert (answer.json["contentId"], answer.json["status"], answer.json["phase"]) == (
        CONTENT,
        "provisioning",
        "accepted",
    )
    assert answer.json["playbackUrl"] == "https://origin.test" + answer.json["manifestPath"]
    assert answer.json["originEndpoint"] == "https://origin.test"
    assert UUID(answer.json["channelId"])
    assert (await running.admin("GET", ONE)).json == answer.json


async def test_a_wrong_field_is_named(running: Harness) -> None:
    answer = await running.admin("POST", f"{STREAMS}/register", json={**GATEWAY, "sourceGcsUri": "gs://other/x.mp4"})
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "bucket 'other'" in answer.json["errors"][0]["message"]
    answer = await running.admin(
        "POST", f"{STREAMS}/register", json={key: GATEWAY[key] for key in GATEWAY if key != "checksum"}
    )
    assert answer.json["errors"] == [{"field": "checksum", "message": "is missing"}]


@pytest.mark.parametrize("body", ["null", "[]", "1", '"x"', "{}", '{"contentId": "' + "a" * 2000 + '"}'])
async def test_json_that_is_no_registration_is_not_processable(running: Harness, body: str) -> None:
    headers = {"content-type": "application/json"}
    assert (await running.admin("POST", f"{STREAMS}/register", headers, data=body)).status == 422


@pytest.mark.parametrize("body", ["", "{", '{"a": \xff}', "[" * 3000, '{"a": NaN}', "\x00"])
async def test_what_is_not_json_is_a_bad_request(running: Harness, body: str) -> None:
    headers = {"content-type": "application/json"}
    answer = await running.admin("POST", f"{STREAMS}/register", headers, data=body.encode("latin-1"))
    assert (answer.status, answer.json["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data"])
async def test_another_type_is_unsupported(running: Harness, media_type: str) -> None:
    answer = await running.admin("POST", f"{STREAMS}/register", {"content-type": media_type}, data=b"{}")
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


async def test_an_idempotency_key_belongs_to_one_body(running: Harness) -> None:
    key = {"idempotency-key": "key-1"}
    first = await running.admin("POST", f"{STREAMS}/register", key, json=GATEWAY)
    again = await running.admin("POST", f"{STREAMS}/register", key, json=GATEWAY)
    assert (first.status, again.status, again.json["generation"]) == (202, 202, 1)
    other = await running.admin("POST", f"{STREAMS}/register", key, json={**GATEWAY, "checksum": "sha256:9"})
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    too_long = await running.admin("POST", f"{STREAMS}/register", {"idempotency-key": "k" * 256}, json=GATEWAY)
    assert (too_long.status, too_long.json["errors"][0]["field"]) == (400, "Idempotency-Key")


async def test_a_channel_is_rendered_whole(running: Harness) -> None:
    await running.add(
        playable(
            tenant_id="t",
            drm=Drm("k", "https://drm.test"),
            geo=GeoRestrictions(deny=("KP",)),
            renditions=(Rendition("720p", "h264", 2500, "1280x720"),),
            bucket="manifests",
            storage_prefix="a/b",
        )
    )
    channel = (await running.admin("GET", ONE)).json
    assert (channel["status"], channel["phase"], channel["tenantId"]) == ("ready", "playable", "t")
    assert channel["drm"] == {"keyId": "k", "licenseServer": "https://drm.test"}
    assert channel["geoRestrictions"] == {"deny": ["KP"]}
    assert channel["renditions"] == [{"name": "720p", "codec": "h264", "bitrateKbps": 2500, "resolution": "1280x720"}]
    assert (channel["gcsBucket"], channel["storagePrefix"]) == ("manifests", "a/b")
    assert all(MOMENT.fullmatch(channel[name]) for name in ("readyAt", "lastProvisionedAt", "createdAt", "updatedAt"))
    assert not {"failure", "availabilityWindow", "ingestRegion", "retiredAt"} & set(channel)


async def test_a_failure_is_told(running: Harness) -> None:
    await running.add(failed())
    channel = (await running.admin("GET", ONE)).json
    assert channel["status"] == "failed"
    assert channel["failure"].keys() == {"code", "detail", "at"}
    assert MOMENT.fullmatch(channel["failure"]["at"])


def ids(count: int) -> list[str]:
    return [f"00000000-0000-4000-8000-{number:012d}" for number in range(count)]


async def test_listing_goes_page_by_page_and_loses_nothing(running: Harness) -> None:
    for content_id in ids(5):
        await running.add(waiting(content_id))
    seen: list[str] = []
    path = f"{STREAMS}?limit=2"
    pages = 0
    while True:
        page = (await running.admin("GET", path)).json
        seen += [item["contentId"] for item in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        path = f"{STREAMS}?limit=2&cursor={page['next']}"
    assert (seen, pages) == (ids(5), 3)


async def test_listing_filters(running: Harness) -> None:
    first, second, third = ids(3)
    await running.add(playable(first, tenant_id="a"))
    await running.add(waiting(second, tenant_id="b"))
    await running.add(failed(third))

    async def found(query: str) -> list[str]:
        return [item["contentId"] for item in (await running.admin("GET", f"{STREAMS}?{query}")).json["items"]]

    assert await found("status=ready") == [first]
    assert await found("tenantId=b") == [second]
    assert await found(f"q={third}") == [third]
    assert await found("q=CLIP.mp4") == [first, second, third]
    assert await found("classification=series") == []
    assert await found("classification=reel&status=failed&unknown=1") == [third]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("status=on", "status"),
        ("classification=film", "classification"),
        ("cursor=!", "cursor"),
        ("cursor=" + "a" * 3000, "cursor"),
        ("q=" + "a" * 300, "q"),
    ],
)
async def test_a_wrong_filter_is_named(running: Harness, query: str, field: str) -> None:
    answer = await running.admin("GET", f"{STREAMS}?{query}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)


async def test_history_tells_who_what_and_when(running: Harness) -> None:
    await running.add(playable())
    await running.admin("DELETE", ONE, {"x-correlation-id": "op-1"})
    newest, oldest = (await running.admin("GET", f"{ONE}/events")).json["items"]
    assert (newest["action"], newest["actor"], newest["correlationId"]) == ("retired", "admin-api", "op-1")
    assert MOMENT.fullmatch(newest["at"])
    assert oldest["action"] == "test"


async def test_retiring_is_final_and_repeatable(running: Harness) -> None:
    await running.add(playable())
    assert (await running.watch()).status == 200
    for _ in range(2):
        answer = await running.admin("DELETE", ONE)
        assert (answer.status, answer.body) == (204, b"")
    assert (await running.watch()).status == 410
    assert (await running.admin("GET", ONE)).json["status"] == "retired"
    replay = await running.admin("POST", f"{ONE}/replay")
    assert (replay.status, replay.json["code"]) == (410, "retired")


async def test_purge_is_owed(running: Harness) -> None:
    await running.add(playable())
    answer = await running.admin("POST", f"{ONE}/purge")
    assert (answer.status, answer.json) == (202, {"status": "purge-requested"})
    owed = (await running.admin("GET", "/v1/admin/deliveries?endpoint=cdn-control")).json["items"]
    assert [item["topic"] for item in owed] == ["cdn.purge"]


async def test_replay_answers_with_the_channel(running: Harness) -> None:
    await running.add(failed())
    answer = await running.admin("POST", f"{ONE}/replay")
    assert (answer.status, answer.json["status"]) == (202, "provisioning")
    assert "failure" not in answer.json


@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("GET", "/events"), ("DELETE", ""), ("POST", "/purge"), ("POST", "/replay")]
)
async def test_unknown_and_malformed_ids(running: Harness, method: str, suffix: str) -> None:
    unknown = await running.admin(method, f"{STREAMS}/{UNKNOWN}{suffix}")
    assert (unknown.status, unknown.json["code"]) == (404, "not_found")
    malformed = await running.admin(method, f"{STREAMS}/clip{suffix}")
    assert (malformed.status, malformed.json["errors"][0]["field"]) == (400, "contentId")


async def test_a_store_that_is_down_is_not_now(running: Harness) -> None:
    running.store.down = True
    for method, path in (("GET", STREAMS), ("GET", ONE), ("DELETE", ONE)):
        answer = await running.admin(method, path)
        assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "store_unavailable", "2")
        assert b"planted" not in answer.body
