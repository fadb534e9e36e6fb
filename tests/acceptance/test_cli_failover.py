"""Where viewers are sent, on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import DeliveryQuery
from tests.acceptance.test_cli import run
from tests.contract.store.builders import accept, channel, content_id, placement

pytestmark = pytest.mark.anyio
STANDBY = {"CDN_FAILOVER_BASE_URL": "https://standby.example", "CDN_CONTROL_BASE_URL": "https://control.example"}


@pytest.fixture(autouse=True)
async def playing(tmp_path: Path) -> None:
    """A content that plays."""
    path = str(tmp_path / "store.sqlite")
    upgrade(path)
    store = await SqlStore.open(path)
    await store.commit(accept(channel(1, serving=placement(1))), None)
    await store.close()


async def listed(tmp_path: Path) -> list[dict[str, Any]]:
    code, output = await run(tmp_path, "failover", "list", "--json", **STANDBY)
    assert code == 0, output
    return json.loads(output)


async def test_an_order_is_written_told_and_listed(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "failover", "promote", content_id(1), "--reason", "drill", **STANDBY)
    assert (code, output.strip()) == (0, f"{content_id(1)}: viewers are on the failover")

    whole, content = await listed(tmp_path)
    assert (whole["subject"], whole["state"], whole["since"]) == ("cdn", "primary", None)
    assert (content["state"], content["share"], content["actor"], content["reason"]) == (
        "promoted",
        1.0,
        "cli",
        "drill",
    )
    store = await SqlStore.open(str(tmp_path / "store.sqlite"))
    told = (await store.list_deliveries(DeliveryQuery(endpoint="cdn-control"))).items
    await store.close()
    assert [item.notification.facts["path"] for item in told] == ["/reels/stream-1/*"]

    code, output = await run(tmp_path, "failover", "list", **STANDBY)
    assert code == 0
    assert "on the failover" in output
    code, output = await run(tmp_path, "failover", "demote", content_id(1), **STANDBY)
    assert "returning, " in output
    code, output = await run(tmp_path, "failover", "demote", content_id(1), **STANDBY)
    assert "on the primary" in output


async def test_freeze_and_unfreeze(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "failover", "freeze", "cdn", **STANDBY)
    assert (code, output.strip()) == (0, "cdn: viewers are on the primary, frozen")
    assert [item["frozen"] for item in await listed(tmp_path)] == [True]
    code, output = await run(tmp_path, "failover", "unfreeze", "cdn", "--json", **STANDBY)
    assert json.loads(output)["frozen"] is False


async def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "failover", "promote", "cdn")
    assert code == 2
    assert "CDN_FAILOVER_BASE_URL" in output
    code, output = await run(tmp_path, "failover", "promote", content_id(9), **STANDBY)
    assert code == 1
    assert "has no channel" in output
    code, output = await run(tmp_path, "failover", "freeze", "everything", **STANDBY)
    assert code == 2
    assert "subject" in output
