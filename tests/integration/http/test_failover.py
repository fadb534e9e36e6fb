"""Where viewers are sent, over HTTP: operators order, viewers follow with the next request."""

import pytest

from streaming_service.application.ports import DeliveryQuery
from tests.integration.http.harness import CONTENT, UNKNOWN, Harness, playable

pytestmark = pytest.mark.anyio
FAILOVER = "/v1/admin/failover"


async def test_viewers_follow_an_order_at_once(running: Harness) -> None:
    await running.add(playable())
    assert (await running.watch()).json["cdn"] == "cdn.test"

    answer = await running.admin("POST", f"{FAILOVER}/{CONTENT}/promote?reason=drill")
    assert answer.status == 200
    entry = answer.json
    assert (entry["subject"], entry["state"], entry["share"], entry["reason"]) == (CONTENT, "promoted", 1.0, "drill")
    assert (entry["manual"], entry["frozen"], entry["actor"]) == (True, False, "admin-api")
    watched = (await running.watch()).json
    assert watched["manifestUrl"].startswith("https://standby.test/")
    assert (watched["cdn"], watched["policy"]["failover"]) == ("standby.test", True)
    internal = await running.admin("GET", f"/internal/playback/{CONTENT}")
    assert internal.json["cdn"] == "standby.test"

    answer = await running.admin("POST", f"{FAILOVER}/{CONTENT}/demote")
    assert (answer.status, answer.json["state"]) == (200, "returning")
    answer = await running.admin("POST", f"{FAILOVER}/{CONTENT}/demote")
    assert (answer.json["state"], answer.json["share"]) == ("primary", 0.0)
    watched = (await running.watch()).json
    assert (watched["cdn"], watched["policy"]["failover"]) == ("cdn.test", False)


async def test_an_order_for_all_is_one_for_each(running: Harness) -> None:
    await running.add(playable())
    await running.admin("POST", f"{FAILOVER}/cdn/promote")

    assert (await running.watch()).json["policy"]["failover"] is True
    told = await running.store.list_deliveries(DeliveryQuery(endpoint="cdn-control"))
    assert [item.notification.facts["path"] for item in told.items if item.notification.topic == "cdn.failover"] == [
        "/*"
    ]


async def test_frozen_and_unfrozen(running: Harness) -> None:
    for _ in range(2):
        answer = await running.admin("POST", f"{FAILOVER}/cdn/freeze?reason=release%20night")
        assert (answer.status, answer.json["frozen"], answer.json["state"]) == (200, True, "primary")
    answer = await running.admin("DELETE", f"{FAILOVER}/cdn/freeze")
    assert (answer.status, answer.json["frozen"]) == (200, False)


async def test_they_are_listed_here_and_among_the_figures(running: Harness) -> None:
    await running.add(playable())
    await running.admin("POST", f"{FAILOVER}/{CONTENT}/freeze")
    listed = (await running.admin("GET", FAILOVER)).json["items"]

    assert [(item["subject"], item["state"], item["frozen"]) for item in listed] == [
        ("cdn", "primary", False),
        (CONTENT, "primary", True),
    ]
    assert "since" not in listed[0], "nobody ever changed it"
    assert (await running.admin("GET", "/internal/qos")).json["failovers"] == listed


@pytest.mark.parametrize(("method", "order"), [("POST", "promote"), ("POST", "demote"), ("DELETE", "freeze")])
async def test_what_does_not_exist_is_not_found(running: Harness, method: str, order: str) -> None:
    answer = await running.admin(method, f"{FAILOVER}/{UNKNOWN}/{order}")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("subject", ["nonsense", "CDN", "%00", "cdn%2F.."])
async def test_a_subject_is_cdn_or_a_content_id(running: Harness, subject: str) -> None:
    answer = await running.admin("POST", f"{FAILOVER}/{subject}/freeze")
    assert answer.status in {400, 404}
    if answer.status == 400:
        assert answer.json["errors"][0]["field"] == "subject"


async def test_a_reason_that_cannot_be_shown_is_refused(running: Harness) -> None:
    answer = await running.admin("POST", f"{FAILOVER}/cdn/freeze?reason=a%00b")
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "reason")
    answer = await running.admin("POST", f"{FAILOVER}/cdn/freeze?reason={'x' * 201}")
    assert answer.status == 400


async def test_nobody_orders_without_a_service_token(running: Harness) -> None:
    answer = await running.ask("POST", f"{FAILOVER}/cdn/promote")
    assert answer.status == 401
