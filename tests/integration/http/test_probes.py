"""`POST /internal/probes/manifest`."""

from typing import Any

import pytest

from streaming_service.domain.probe import ProbeVerdict, Target
from tests.fakes import FakeProber
from tests.integration.http.harness import CONTENT, UNKNOWN, Harness, playable, waiting

pytestmark = pytest.mark.anyio

PROBE = "/internal/probes/manifest"


def prober(running: Harness) -> FakeProber:
    found: Any = running.api.probing
    return found._prober


async def test_what_every_region_finds_at_every_target(running: Harness) -> None:
    await running.add(playable())
    prober(running).fails("ams", ProbeVerdict.INCOMPLETE)
    answer = await running.admin("POST", PROBE, json={"contentId": CONTENT})
    assert answer.status == 200, answer.json
    assert [
        (item["region"], item["target"], item["success"], item["verdict"], item["statusCode"], item["latencyMs"])
        for item in answer.json["results"]
    ] == [
        ("iad", "primary", True, "ok", 200, 12.5),
        ("sfo", "primary", True, "ok", 200, 12.5),
        ("ams", "primary", False, "incomplete", 200, 12.5),
        ("iad", "failover", True, "ok", 200, 12.5),
        ("sfo", "failover", True, "ok", 200, 12.5),
        ("ams", "failover", True, "ok", 200, 12.5),
    ]
    assert answer.json["failover"] == {"state": "primary", "reason": ""}
    assert answer.json["unknown"] == []


async def test_a_silent_region_is_unknown(running: Harness) -> None:
    await running.add(playable())
    prober(running).findings["ams", Target.PRIMARY] = None
    answer = await running.admin("POST", PROBE, json={"contentId": CONTENT.upper()})
    assert answer.json["unknown"] == [{"region": "ams", "target": "primary"}]
    assert len(answer.json["results"]) == 5
    scraped = await running.ask("GET", "/metrics", headers={"authorization": "Bearer planted-metrics-token-1234"})
    assert 'streaming_probe_total{region="ams",target="primary",verdict="unknown"} 1.0' in scraped.body.decode()
    assert 'streaming_probe_total{region="iad",target="failover",verdict="ok"} 1.0' in scraped.body.decode()


async def test_what_cannot_be_probed(running: Harness) -> None:
    await running.add(waiting())
    not_ready = await running.admin("POST", PROBE, json={"contentId": CONTENT})
    assert (not_ready.status, not_ready.json["code"], not_ready.headers["retry-after"]) == (409, "not_ready", "2")
    assert (await running.admin("POST", PROBE, json={"contentId": UNKNOWN})).status == 404
    await running.admin("DELETE", f"/v1/admin/streams/{CONTENT}")
    assert (await running.admin("POST", PROBE, json={"contentId": CONTENT})).status == 410
    assert prober(running).asked == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "contentId"), ({"contentId": "x"}, "contentId"), ({"contentId": 1}, "contentId"), ([], "body")],
)
async def test_wrong_bodies(running: Harness, body: Any, field: str) -> None:
    answer = await running.admin("POST", PROBE, json=body)
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, field)


async def test_what_is_no_json(running: Harness) -> None:
    headers = {"content-type": "application/json"}
    assert (await running.admin("POST", PROBE, headers, data=b"{")).status == 400
    assert (await running.admin("POST", PROBE, {"content-type": "text/plain"}, data=b"{}")).status == 415
    assert (await running.admin("POST", PROBE, headers, data=b"x" * 5000)).status == 413


async def test_it_is_for_services_only(running: Harness) -> None:
    assert (await running.ask("POST", PROBE, json={"contentId": CONTENT})).status == 401
    wrong = {"authorization": "Bearer nobody"}
    assert (await running.ask("POST", PROBE, json={"contentId": CONTENT}, headers=wrong)).status == 403


async def test_a_store_that_is_down(running: Harness) -> None:
    running.store.down = True
    assert (await running.admin("POST", PROBE, json={"contentId": CONTENT})).status == 503
