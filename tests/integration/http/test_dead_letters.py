"""What could not be understood: listed, shown, tried again, given up."""

import json
from base64 import b64decode
from datetime import UTC, datetime

import pytest

from streaming_service.application.ports import DeadLetter
from tests.integration.http.harness import CONTENT, Harness

pytestmark = pytest.mark.anyio

LETTERS = "/v1/admin/dead-letters"
EVENT = {
    "uploadId": "u-1",
    "storageUrl": "gs://uploads/clip.mp4",
    "assetType": "video",
    "contentId": CONTENT,
    "contentClassification": "REEL",
    "emittedAt": "2026-01-02T03:04:05.678Z",
}


async def add(running: Harness, letter_id: str, data: bytes, attributes: dict[str, str] | None = None) -> None:
    now = datetime.now(UTC)
    await running.store.add_dead_letter(
        DeadLetter(letter_id, now, "pubsub", "m-1", "is missing", "assetType", data, attributes or {})
    )


async def test_a_letter_is_shown_whole(running: Harness) -> None:
    await add(running, "text", b'{"a": 1}', {"half": "\ud800"})
    await add(running, "bytes", b"\xff\xfe")
    text = (await running.admin("GET", f"{LETTERS}/text")).json
    assert (b64decode(text["data"]), text["text"], text["field"], text["sizeBytes"]) == (
        b'{"a": 1}',
        '{"a": 1}',
        "assetType",
        8,
    )
    assert text["attributes"] == {"half": "?"}
    binary = (await running.admin("GET", f"{LETTERS}/bytes")).json
    assert b64decode(binary["data"]) == b"\xff\xfe"
    assert "text" not in binary


async def test_listing_pages_and_leaves_out_large_data(running: Harness) -> None:
    for number in range(3):
        await add(running, f"letter-{number}", b"x" * (5000 if number == 2 else 5))
    first = (await running.admin("GET", f"{LETTERS}?limit=2")).json
    second = (await running.admin("GET", f"{LETTERS}?limit=2&cursor={first['next']}")).json
    items = [*first["items"], *second["items"]]
    assert [item["id"] for item in items] == ["letter-2", "letter-1", "letter-0"]
    assert [("data" in item, item["sizeBytes"]) for item in items] == [(False, 5000), (True, 5), (True, 5)]
    assert second["next"] is None


async def test_replay_closes_what_is_understood_now(running: Harness) -> None:
    await add(running, "good", json.dumps(EVENT).encode())
    answer = await running.admin("POST", f"{LETTERS}/good/replay")
    assert (answer.status, answer.json) == (202, {"status": "replayed"})
    assert (await running.admin("GET", f"{LETTERS}/good")).status == 404
    assert (await running.admin("GET", f"/v1/admin/streams/{CONTENT}")).status == 200


async def test_replay_says_what_is_still_wrong_and_keeps_it(running: Harness) -> None:
    await add(running, "bad", json.dumps({**EVENT, "storageUrl": "ftp://x"}).encode())
    answer = await running.admin("POST", f"{LETTERS}/bad/replay")
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "storageUrl")
    assert (await running.admin("GET", f"{LETTERS}/bad")).status == 200


async def test_giving_up(running: Harness) -> None:
    await add(running, "bad", b"x")
    assert (await running.admin("DELETE", f"{LETTERS}/bad")).status == 204
    assert (await running.admin("DELETE", f"{LETTERS}/bad")).status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=999", "cursor=x"])
async def test_wrong_paging_is_named(running: Harness, query: str) -> None:
    answer = await running.admin("GET", f"{LETTERS}?{query}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, query.partition("=")[0])


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("DELETE", ""), ("POST", "/replay")])
async def test_unknown_letters(running: Harness, method: str, suffix: str) -> None:
    assert (await running.admin(method, f"{LETTERS}/nothing{suffix}")).json["code"] == "not_found"
