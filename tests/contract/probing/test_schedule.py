"""A whole service over the development edge: what it finds in turn, and whom it tells."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import DeliveryQuery
from streaming_service.bootstrap import Service, wire
from streaming_service.configuration import load
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause, Notification
from tests.contract.probing.conftest import CONTENT, Stage
from tests.integration.http.harness import playable

pytestmark = pytest.mark.anyio


class Running:
    """A service whose probes run."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def counted(self, region: str, verdict: str) -> float:
        labels = {"region": region, "target": "primary", "verdict": verdict}
        return self.service.metrics.registry.get_sample_value("streaming_probe_total", labels) or 0.0

    async def told(self) -> list[Notification]:
        """Alerts about probes, the oldest first."""
        page = await self.service.store.list_deliveries(DeliveryQuery(limit=100, endpoint="observability"))
        found = [item.notification for item in page.items if item.notification.topic == "stream.probe.failure"]
        return sorted(found, key=lambda item: item.occurred_at)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.05)


@pytest.fixture
async def probed(stage: Stage) -> AsyncIterator[Running]:
    variables = {
        "APP_ENV": "test",
        "CDN_BASE_URL": stage.edge.url,
        "CDN_SIGNING_SECRET": urlsafe_b64encode(bytes(16)).decode(),
        "CDN_PROBE_REGIONS": f"iad,sfo={stage.edge.url}",
        "OBSERVABILITY_EXPORT_URL": "http://observability.test",
        "OME_API_BASE_URL": stage.ome.api_url,
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "PROBES_PER_SECOND": "20",
        "PROBE_AGAIN_SECONDS": "1",
    }
    store = MemoryStore()
    await store.commit(change(playable(CONTENT), "test", Cause("test", "correlation-1")), None)
    async with AiohttpTransport() as transport:
        service = wire(load(variables, env_file=None), store, transport, NullMediaLibrary())
        assert service.probes.watch

        async def leads() -> bool:
            return True

        task = asyncio.create_task(service.probes.watch.run(leads))
        try:
            yield Running(service)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_what_breaks_is_told_once_and_what_recovers_too(stage: Stage, probed: Running) -> None:
    await probed.until(lambda: probed.counted("iad", "ok") >= 1 and probed.counted("sfo", "ok") >= 1)
    assert await probed.told() == []

    stage.middleman.spoil = lambda path, body: 404 if "/seg_" in path else body
    stage.edge.purge("/*")
    await probed.until(lambda: probed.counted("iad", "gap") >= 3)
    (broken,) = await probed.told()
    assert [item["region"] for item in broken.facts["failing"]] == ["iad", "sfo"]
    assert broken.facts["severity"] == "critical"

    stage.middleman.spoil = lambda _, body: body
    stage.edge.purge("/*")
    good = probed.counted("iad", "ok")
    await probed.until(lambda: probed.counted("iad", "ok") > good)
    assert [item.facts["resolved"] for item in await probed.told()] == [False, True]
