"""For orchestrators and scrapers."""

import asyncio

import pytest

from tests.integration.http.harness import METRICS_TOKEN, Harness, playable, serving

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/health", "/livez"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_up(running: Harness, method: str, path: str) -> None:
    running.store.down = True
    answer = await running.ask(method, path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    if method == "GET":
        assert answer.json == {"status": "ok", "version": "1.2.3"}


async def test_ready_and_not_ready(running: Harness) -> None:
    answer = await running.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready"})
    running.store.down = True
    answer = await running.ask("GET", "/readyz")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "not_ready", "2")
    assert b"planted" not in answer.body


async def test_a_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming_service.entrypoints.http.health._PATIENCE_SECONDS", 0.05)

    async def hang() -> None:
        await asyncio.sleep(60)

    async with serving(check_ready=hang) as running:
        assert (await running.ask("GET", "/readyz")).status == 503


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        ("", "text/plain", ""),
        ("text/plain", "text/plain", ""),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text", "# EOF\n"),
        ("text/plain; version=x", "text/plain", ""),
        ("application/openmetrics-text; version=", "application/openmetrics-text", "# EOF\n"),
        ("application/openmetrics-text; version=1.x", "application/openmetrics-text", "# EOF\n"),
        ("text/plain; escaping=x; version=1.0.0", "text/plain", ""),
    ],
)
async def test_metrics_in_both_formats(running: Harness, accept: str, content_type: str, end: str) -> None:
    await running.add(playable())
    await running.watch()
    headers = {"authorization": f"Bearer {METRICS_TOKEN}", "accept": accept}
    answer = await running.ask("GET", "/metrics", headers=headers)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type)
    text = answer.body.decode()
    assert 'streaming_manifest_requests_total{result="ok"} 1.0' in text
    assert 'streaming_manifest_latency_ms_bucket{le="0.1"}' in text
    assert text.endswith(end)
