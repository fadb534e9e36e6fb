"""Dead letters on the command line."""

import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import DeadLetter
from tests.acceptance.test_cli import run

pytestmark = pytest.mark.anyio

CONTENT = "3f2a4b5c-0000-4000-8000-000000000001"
EVENT = {
    "uploadId": "u-1",
    "storageUrl": "gs://uploads/clip.mp4",
    "assetType": "video",
    "contentId": CONTENT,
    "contentClassification": "REEL",
    "emittedAt": "2026-01-02T03:04:05.678Z",
}
BUCKET = {"OME_MEDIA_MOUNTS": "gs://uploads="}
LETTERS = {
    "good": json.dumps(EVENT).encode(),
    "bad": json.dumps({**EVENT, "storageUrl": "ftp://[bold]x"}).encode(),
    "bytes": b"\xff\x00\n",
}


@pytest.fixture
async def letters(tmp_path: Path) -> Mapping[str, bytes]:
    """Three, the first of them the newest."""
    path = str(tmp_path / "store.sqlite")
    upgrade(path)
    store = await SqlStore.open(path)
    now = datetime.now(UTC)
    for age, (name, data) in enumerate(LETTERS.items()):
        letter = DeadLetter(
            name, now - timedelta(seconds=age), "pubsub", "m-1", "is [wrong]", "body", data, {"a": "\ud800"}
        )
        await store.add_dead_letter(letter)
    await store.close()
    return LETTERS


async def left(tmp_path: Path) -> list[str]:
    code, output = await run(tmp_path, "dead-letters", "list", "--json")
    assert code == 0
    return [item["id"] for item in json.loads(output)]


async def test_they_are_listed_newest_first(tmp_path: Path, letters: Mapping[str, bytes]) -> None:
    assert await left(tmp_path) == list(letters)
    code, output = await run(tmp_path, "dead-letters", "list", "--limit", "2")
    assert (code, "is [wrong]" in output, "the newest 2; more with --limit" in output) == (0, True, True)
    assert output.index("good") < output.index("bad")
    assert "bytes" not in output.splitlines()[2]


async def test_a_message_comes_out_byte_for_byte(tmp_path: Path, letters: Mapping[str, bytes]) -> None:
    code, output = await run(tmp_path, "dead-letters", "show", "bad")
    assert (code, "ftp://[bold]x" in output, "message m-1" in output) == (0, True, True)
    code, output = await run(tmp_path, "dead-letters", "show", "bytes", "--json")
    assert (code, b64decode(json.loads(output)["data"])) == (0, letters["bytes"])
    assert "--raw" in (await run(tmp_path, "dead-letters", "show", "bytes"))[1]
    code, output = await run(tmp_path, "dead-letters", "show", "good", "--raw")
    assert (code, output.encode()) == (0, letters["good"])


async def test_replay_closes_what_is_understood_now(tmp_path: Path, letters: Mapping[str, bytes]) -> None:
    code, output = await run(tmp_path, "dead-letters", "replay", "--all", **BUCKET)
    assert (code, "good understood, and closed" in output, "bad stays: storageUrl" in output) == (1, True, True)
    assert "2 of 3 could not be replayed" in output
    assert await left(tmp_path) == ["bad", "bytes"]
    code, output = await run(tmp_path, "channels", "list", "--json")
    assert [item["contentId"] for item in json.loads(output)] == [CONTENT]


async def test_they_are_given_up(tmp_path: Path, letters: Mapping[str, bytes]) -> None:
    del letters
    code, output = await run(tmp_path, "dead-letters", "delete", "bad", "bytes")
    assert (code, "bad deleted" in output) == (0, True)
    assert await left(tmp_path) == ["good"]
    assert (await run(tmp_path, "dead-letters", "replay", "good", **BUCKET))[0] == 0
    assert await run(tmp_path, "dead-letters", "list") == (0, "no dead letters")
    assert await run(tmp_path, "dead-letters", "replay", "--all") == (0, "no dead letters")


async def test_wrong_use_and_unknown_letters_are_named(tmp_path: Path, letters: Mapping[str, bytes]) -> None:
    del letters
    for command in (("show", "nothing"), ("delete", "nothing"), ("replay", "nothing")):
        code, output = await run(tmp_path, "dead-letters", *command)
        assert (code, "nothing" in output, "does not exist" in output) == (1, True, True)
    for arguments in ((), ("good", "--all")):
        code, output = await run(tmp_path, "dead-letters", "replay", *arguments)
        assert (code, "--all: one of them" in output) == (2, True)
