"""The outbox and its log."""

from datetime import UTC, datetime, timedelta

import pytest

from streaming_service.application.ports import Attempt, DeliveryState, Tried
from streaming_service.domain.notification import Endpoint
from tests.integration.http.harness import CONTENT, Harness, playable

pytestmark = pytest.mark.anyio

DELIVERIES = "/v1/admin/deliveries"


async def owe(running: Harness, times: int = 1) -> list[str]:
    """Owe some CDN purges; their ids, newest first."""
    await running.add(playable())
    for number in range(times):
        await running.admin("POST", f"/v1/admin/streams/{CONTENT}/purge", {"x-correlation-id": f"op-{number}"})
    page = (await running.admin("GET", f"{DELIVERIES}?endpoint=cdn-control")).json
    return [item["id"] for item in page["items"]]


async def test_a_delivery_is_shown_with_its_log(running: Harness) -> None:
    (delivery_id,) = await owe(running)
    now = datetime.now(UTC)
    await running.store.claim_deliveries(now, "me", timedelta(seconds=5), 9, [Endpoint.CDN_CONTROL])
    await running.store.record([Tried(delivery_id, Attempt(now, 503, "busy", 1.5), DeliveryState.DEAD)])
    (item,) = (await running.admin("GET", f"{DELIVERIES}?state=dead")).json["items"]
    assert (item["id"], item["endpoint"], item["topic"], item["contentId"]) == (
        delivery_id,
        "cdn-control",
        "cdn.purge",
        CONTENT,
    )
    assert (item["state"], item["correlationId"]) == ("dead", "op-0")
    assert item["facts"]["path"].endswith("*")
    (attempt,) = item["attempts"]
    assert (attempt["status"], attempt["detail"], attempt["durationMs"]) == (503, "busy", 1.5)
    assert attempt["at"].endswith("Z")
    assert "nextAttemptAt" not in item


async def test_a_dead_one_can_be_sent_again(running: Harness) -> None:
    (delivery_id,) = await owe(running)
    now = datetime.now(UTC)
    await running.store.claim_deliveries(now, "me", timedelta(seconds=5), 9, [Endpoint.CDN_CONTROL])
    await running.store.record([Tried(delivery_id, Attempt(now, None, "no answer", 1), DeliveryState.DEAD)])
    answer = await running.admin("POST", f"{DELIVERIES}/{delivery_id}/resend")
    assert (answer.status, answer.json["state"], answer.json["tries"]) == (202, "pending", 0)
    assert answer.json["nextAttemptAt"]


async def test_listing_pages_the_newest_first(running: Harness) -> None:
    known = await owe(running, 3)
    first = (await running.admin("GET", f"{DELIVERIES}?endpoint=cdn-control&limit=2")).json
    second = (await running.admin("GET", f"{DELIVERIES}?endpoint=cdn-control&limit=2&cursor={first['next']}")).json
    assert [item["id"] for item in [*first["items"], *second["items"]]] == known
    assert second["next"] is None
    assert (await running.admin("GET", f"{DELIVERIES}?contentId=other")).json == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [("state=lost", "state"), ("endpoint=mars", "endpoint"), ("limit=0", "limit"), ("cursor=x", "cursor")],
)
async def test_a_wrong_filter_is_named(running: Harness, query: str, field: str) -> None:
    answer = await running.admin("GET", f"{DELIVERIES}?{query}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)


async def test_an_unknown_delivery(running: Harness) -> None:
    answer = await running.admin("POST", f"{DELIVERIES}/nothing/resend")
    assert (answer.status, answer.json["code"]) == (404, "not_found")
