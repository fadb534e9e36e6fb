"""The command line, as an operator types it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.history import change
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.notification import Cause
from streaming_service.domain.source import parse_mounts
from streaming_service.domain.upload import parse_registration
from streaming_service.domain.wish import SpecPolicy, decide
from tests.acceptance.harness import running
from tests.placements import placed as put

pytestmark = pytest.mark.anyio

CONTENT = "3f2a4b5c-0000-4000-8000-000000000001"
CAUSE = Cause("test", "test")
PRESET = "720p|1280x720|2500"
POLICY = SpecPolicy(
    ladders={item: parse_ladder(PRESET) for item in Classification},
    applications={Classification.REEL: "reels", Classification.SERIES: "series"},
    mounts=parse_mounts("gs://uploads="),
)


async def run(folder: Path, *arguments: str, **env: str) -> tuple[int, str]:
    """Exit code and output of one command on the sqlite store of this folder."""
    store = str(folder / "store.sqlite")
    env = {"SQLITE_PATH": store, "COLUMNS": "250", "APP_ENV": "production", "OME_REELS_PRESET": PRESET, **env}
    async with running(*arguments, env=env, cwd=folder) as process:
        code = await process.child.wait()
        await process._reader
    return code, "\n".join(process.lines)


@pytest.fixture
async def ready_channel(tmp_path: Path) -> Channel:
    """A channel in the store that serves."""
    path = str(tmp_path / "store.sqlite")
    upgrade(path)
    store = await SqlStore.open(path)
    now = datetime.now(UTC)
    body = {
        "contentId": CONTENT,
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/clip.mp4",
        "checksum": "sha256:1",
        "tenantId": "tenant-7",
    }
    channel = decide(None, parse_registration(body, now), POLICY, now).channel
    channel = await store.commit(change(channel, "accepted", CAUSE), None)
    channel = put(channel, now, origin="default", stream=f"ss-{CONTENT}-1").started(now)
    channel = await store.commit(change(channel.playable(now, drain_after=timedelta()), "playable", CAUSE), None)
    await store.close()
    return channel


async def test_migrate_makes_the_store_usable_and_may_be_repeated(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "channels", "list")
    assert (code, "streaming-service db migrate" in output) == (2, True)
    for _ in range(2):
        assert (await run(tmp_path, "db", "migrate"))[0] == 0
    assert await run(tmp_path, "channels", "list", "--json") == (0, "[]")


async def test_the_schema_is_shown_migrated_step_by_step_and_never_taken_back(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "db", "status")
    assert (code, "no tables yet" in output, output.count("to be applied: 000")) == (0, True, 6)

    code, output = await run(tmp_path, "db", "migrate")
    assert (code, output.count("applied 000")) == (0, 6)
    assert "nothing to do" in (await run(tmp_path, "db", "status"))[1]

    code, output = await run(tmp_path, "db", "downgrade")
    assert (code, "the release before works on this schema" in output, "docs/backup.md" in output) == (1, True, True)


async def test_channels_are_listed_and_filtered(tmp_path: Path, ready_channel: Channel) -> None:
    code, output = await run(tmp_path, "channels", "list", "--json")
    assert code == 0
    assert [item["contentId"] for item in json.loads(output)] == [CONTENT]
    assert json.loads((await run(tmp_path, "channels", "list", "--json", "--status", "failed"))[1]) == []
    code, output = await run(tmp_path, "channels", "list", "--status", "broken")
    assert (code, "--status" in output) == (2, True)


async def test_a_channel_is_shown_with_its_history(tmp_path: Path, ready_channel: Channel) -> None:
    code, output = await run(tmp_path, "channels", "show", CONTENT)
    assert code == 0
    assert "gs://uploads/clip.mp4" in output
    assert output.index("accepted") < output.rindex("plays every rung")
    document = json.loads((await run(tmp_path, "channels", "show", CONTENT, "--json"))[1])
    assert [entry["action"] for entry in document["history"]] == ["playable", "accepted"]


async def test_an_unknown_channel_is_an_error_that_names_it(tmp_path: Path, ready_channel: Channel) -> None:
    missing = CONTENT[:-1] + "9"
    for command in (("channels", "show", missing), ("worker", "replay", "--content-id", missing)):
        code, output = await run(tmp_path, *command)
        assert (code, missing in output) == (1, True)
    assert (await run(tmp_path, "channels", "show", "not-a-uuid"))[0] == 2


@pytest.mark.parametrize("option", ["--content-id", "--contentId"])
async def test_replay_makes_the_channel_due_and_keeps_who_asked(
    tmp_path: Path, ready_channel: Channel, option: str
) -> None:
    code, output = await run(tmp_path, "worker", "replay", option, CONTENT)
    assert (code, CONTENT in output) == (0, True)
    store = await SqlStore.open(str(tmp_path / "store.sqlite"))
    due = await store.claim_due(datetime.now(UTC), "test", timedelta(seconds=1), 10)
    newest = (await store.history(CONTENT, 1))[0]
    await store.close()
    assert [channel.content_id for channel in due] == [CONTENT]
    assert (newest.action, newest.actor) == ("replay", "cli")


async def test_replay_that_is_waited_for_fails_when_no_worker_does_it(tmp_path: Path, ready_channel: Channel) -> None:
    code, output = await run(tmp_path, "worker", "replay", "--content-id", CONTENT, "--wait", "0.5")
    assert (code, "does a worker run?" in output) == (1, True)


async def test_config_check_shows_every_variable_its_source_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SERVICE_AUTH_TOKEN=hidden-in-dotenv\nOME_VHOST=from-dotenv\n")
    (tmp_path / "key").write_text("nZtRohdNF9m3cKM24IcK4w==\n")
    code, output = await run(
        tmp_path, "config", "check", "--role", "store", "--json", CDN_SIGNING_SECRET_FILE=str(tmp_path / "key")
    )
    assert code == 0
    rows = {row["name"]: row for row in json.loads(output)}
    assert (rows["OME_VHOST"]["value"], rows["OME_VHOST"]["source"]) == ("from-dotenv", ".env")
    assert rows["SERVICE_AUTH_TOKEN"]["value"] == "********"
    assert rows["CDN_SIGNING_SECRET"]["source"].startswith("CDN_SIGNING_SECRET_FILE=")
    assert rows["SIGNED_URL_TTL_SECONDS"] == {**rows["SIGNED_URL_TTL_SECONDS"], "value": "300", "source": "default"}
    assert "hidden-in-dotenv" not in output
    assert "nZtRohdNF9m3" not in output


async def test_config_check_names_every_problem_at_once(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "config", "check", HTTP_PORT="99999", OME_REELS_PRESET="720p", LOG_LEVEL="loud")
    assert code == 2
    assert all(name in output for name in ("HTTP_PORT", "OME_REELS_PRESET", "LOG_LEVEL"))
    code, output = await run(tmp_path, "config", "check", "--role", "api")
    assert code == 2
    assert all(name in output for name in ("CDN_BASE_URL", "SERVICE_AUTH_TOKEN", "AUTH_SERVICE_BASE_URL"))


async def test_publish_without_a_stack_says_what_to_start(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"video")
    code, output = await run(tmp_path, "publish", "clip.mp4")
    assert (code, "make run" in output) == (2, True)
    assert (await run(tmp_path, "publish", "nowhere.mp4"))[0] == 2


async def test_an_ingest_key_is_rotated_and_shown_once(tmp_path: Path, ready_channel: Channel) -> None:
    env = {"OME_INGEST_BASE_URL": "rtmp://ome:1935", "INGEST_KEY_GRACE_SECONDS": "60"}
    code, first = await run(tmp_path, "channels", "rotate-ingest", CONTENT, "--json", **env)
    made = json.loads(first)
    assert (code, made["url"], made["previousKeyValidUntil"]) == (0, "rtmp://ome:1935/reels", None)
    code, again = await run(tmp_path, "channels", "rotate-ingest", CONTENT, **env)
    assert (code, "streamKey: " in again, "not shown again" in again) == (0, True, True)
    code, shown = await run(tmp_path, "channels", "show", CONTENT, "--json")
    assert [item["action"] for item in json.loads(shown)["history"]][:2] == ["ingest-rotated", "ingest-rotated"]
    assert made["streamKey"] not in shown
    code, output = await run(tmp_path, "channels", "rotate-ingest", "3f2a4b5c-0000-4000-8000-00000000000f")
    assert (code, "has no channel" in output) == (1, True)


async def test_origins_are_listed_drained_and_used_again(tmp_path: Path, ready_channel: Channel) -> None:
    del ready_channel
    ome = {"OME_API_BASE_URL": "http://127.0.0.1:9", "OME_API_KEY": "key", "OME_API_SECRET": "secret"}
    code, output = await run(tmp_path, "origins", "list", **ome)
    assert code == 0
    assert "default" in output
    assert "1/5" in output

    code, output = await run(tmp_path, "origins", "drain", "default", "--wait", "0.1", **ome)
    assert (code, "default: 1 channel left" in output, "still holds 1 channel" in output) == (1, True, True)
    code, output = await run(tmp_path, "origins", "undrain", "default", "--json", **ome)
    assert (code, json.loads(output)["drained"]) == (0, False)
    code, output = await run(tmp_path, "origins", "drain", "nobody", **ome)
    assert (code, "nobody does not exist" in output) == (1, True)
