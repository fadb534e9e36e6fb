"""The outbox on the command line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import Attempt, DeliveryState, Tried
from streaming_service.domain.notification import Endpoint, Notification
from tests.acceptance.test_cli import run

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDPOINTS = {
    "d-1": Endpoint.BIGQUERY,
    "d-2": Endpoint.BIGQUERY,
    "d-3": Endpoint.CONTENT_CALLBACK,
    "d-4": Endpoint.AUDIT,
}


@pytest.fixture(autouse=True)
async def outbox(tmp_path: Path) -> None:
    """Two that were given up, one that was delivered, and one that waits."""
    path = str(tmp_path / "store.sqlite")
    upgrade(path)
    store = await SqlStore.open(path)
    await store.owe(
        [
            Notification(name, endpoint, "stream.provisioned", f"content-{name}", NOW, {"manifestPath": "/m"})
            for name, endpoint in ENDPOINTS.items()
        ]
    )
    refused, taken = Attempt(NOW, 410, "answered 410: [gone]", 12.0), Attempt(NOW, 204, "answered 204", 3.0)
    await store.record(
        [
            Tried("d-1", refused, DeliveryState.DEAD),
            Tried("d-2", taken, DeliveryState.DELIVERED),
            Tried("d-3", refused, DeliveryState.DEAD),
            Tried("d-4", refused, DeliveryState.PENDING, NOW + timedelta(hours=1)),
        ]
    )
    await store.close()


async def listed(tmp_path: Path, *options: str) -> list[str]:
    code, output = await run(tmp_path, "deliveries", "list", "--json", *options)
    assert code == 0
    return [item["id"] for item in json.loads(output)]


async def test_they_are_listed_newest_first_and_filtered(tmp_path: Path) -> None:
    assert await listed(tmp_path) == ["d-4", "d-3", "d-2", "d-1"]
    assert await listed(tmp_path, "--state", "dead", "--endpoint", "bigquery") == ["d-1"]
    assert await listed(tmp_path, "--content-id", "content-d-2") == ["d-2"]
    code, output = await run(tmp_path, "deliveries", "list", "--limit", "2")
    assert (code, "audit" in output, "d-2" in output) == (0, True, False)
    assert "the newest 2; more with --limit" in output
    assert await run(tmp_path, "deliveries", "list", "--content-id", "none") == (0, "no deliveries")


async def test_one_is_shown_with_its_attempts(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "deliveries", "show", "d-1")
    assert (code, "answered 410: [gone]" in output, "manifestPath" in output) == (0, True, True)
    assert "next attempt 2026-01-02T04:04:05" in (await run(tmp_path, "deliveries", "show", "d-4"))[1]
    code, output = await run(tmp_path, "deliveries", "show", "d-1", "--json")
    assert (code, json.loads(output)["state"]) == (0, "dead")


async def test_what_was_given_up_is_owed_again_all_of_it_or_one(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "deliveries", "resend", "--all", "--endpoint", "bigquery")
    assert (code, output) == (0, "1 are owed again")
    assert await listed(tmp_path, "--state", "pending") == ["d-4", "d-1"]
    code, output = await run(tmp_path, "deliveries", "resend", "d-2", "d-3")
    assert (code, output.splitlines()) == (0, ["d-2 is owed again", "d-3 is owed again"])
    assert await listed(tmp_path, "--state", "pending") == ["d-4", "d-3", "d-2", "d-1"]
    assert await run(tmp_path, "deliveries", "resend", "--all") == (0, "no deliveries")


async def test_wrong_use_and_unknown_ones_are_named(tmp_path: Path) -> None:
    for command in ("show", "resend"):
        code, output = await run(tmp_path, "deliveries", command, "nothing")
        assert (code, "nothing" in output, "does not exist" in output) == (1, True, True)
    for arguments in ((), ("d-1", "--all")):
        code, output = await run(tmp_path, "deliveries", "resend", *arguments)
        assert (code, "--all: one of them" in output) == (2, True)
    assert (await run(tmp_path, "deliveries", "list", "--state", "lost"))[0] == 2
