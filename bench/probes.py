"""Probes of the schedule, met by an edge: as many as the budget says, and never many at once."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uvloop
from aiohttp import web

from bench.figures import Figure, note
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.bootstrap import Service, wire
from streaming_service.configuration import load
from streaming_service.domain.channel import accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.history import change
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.notification import Cause
from streaming_service.domain.placement import Placement, stream_name
from streaming_service.domain.spec import ChannelSpec
from streaming_service.settings import Settings

_LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
_BUDGET = 20.0
_WINDOW = 1.0
_MANIFEST = "#EXTM3U\n" + "".join(
    f"#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION={rung.width}x{rung.height}\n{rung.name}.m3u8\n" for rung in _LADDER.rungs
)
_MEDIA = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nseg.m4s\n#EXT-X-ENDLIST\n"
_SEGMENT = bytes(600_000)  # two seconds of the best rung


class Edge:
    """Serves one copy under every name, and knows when manifests were asked for."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, request: web.Request) -> web.Response:
        if request.path.endswith("/master.m3u8"):
            self.asked.append(time.monotonic())
            return web.Response(text=_MANIFEST)
        return web.Response(text=_MEDIA) if request.path.endswith(".m3u8") else web.Response(body=_SEGMENT)


def measure(seconds: float) -> list[Figure]:
    """A catalogue of 1,000 contents at 20 probes a second."""
    asked, cost, verdicts = uvloop.run(_run(seconds))
    whole = asked[-1] - asked[0]
    rate = (len(asked) - 1) / whole
    burst = max(sum(1 for other in asked if 0 <= other - moment < _WINDOW) for moment in asked)
    note(f"{len(asked)} probes in {whole:.1f} s, at most {burst} within a second")
    note(f"{cost:.1f} ms of processor each, with what the edge takes")
    return [
        Figure("probes_rate_of_budget", rate / _BUDGET, 0.9, at_least=True),
        Figure("probes_largest_second_of_budget", burst / (_BUDGET * _WINDOW), 1.2, at_least=False),
        Figure("probes_ok_ratio", verdicts, 1.0, at_least=True),
    ]


async def _run(seconds: float) -> tuple[list[float], float, float]:
    edge = Edge()
    async with _listening(edge) as url, AiohttpTransport() as transport:
        service = wire(_settings(url), await _catalogue(1000), transport, NullMediaLibrary())
        watch = service.probes.watch
        if watch is None:
            raise RuntimeError("there is no schedule")
        task = asyncio.create_task(watch.run(_leads))
        spent = time.process_time()
        await asyncio.sleep(seconds)
        spent = time.process_time() - spent
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return edge.asked, 1000 * spent / len(edge.asked), _good(service)


async def _leads() -> bool:
    return True


def _good(service: Service) -> float:
    """Share of the probes that found nothing wrong."""
    samples = [
        sample
        for family in service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "streaming_probe_total"
    ]
    good = sum(sample.value for sample in samples if sample.labels["verdict"] == "ok")
    return good / sum(sample.value for sample in samples)


def _settings(url: str) -> Settings:
    return load(
        {
            "APP_ENV": "test",
            "CDN_BASE_URL": url,
            "CDN_SIGNING_SECRET": urlsafe_b64encode(bytes(16)).decode(),
            "CDN_PROBE_REGIONS": "here",
            "PROBES_PER_SECOND": f"{_BUDGET:g}",
            "OME_API_BASE_URL": "http://ome.invalid",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
        },
        env_file=None,
    )


async def _catalogue(count: int) -> MemoryStore:
    store, now = MemoryStore(), datetime.now(UTC)
    for number in range(1, count + 1):
        content_id = str(UUID(int=number, version=4))
        spec = ChannelSpec(
            content_id=content_id,
            classification=Classification.REEL,
            source_uri="gs://uploads/clip.mp4",
            media_path="clip.mp4",
            checksum="1",
            application="reels",
            protocol=Protocol.LL_HLS,
            rungs=_LADDER.rungs,
        )
        placement = Placement(
            incarnation=1,
            origin="default",
            application="reels",
            stream=stream_name("ss-", content_id, 1),
            media_path="clip.mp4",
            media_hash=spec.media_hash,
            checksum="1",
            rungs=spec.rungs,
            audio=True,
            placed_at=now,
            seat=number,
        )
        channel = accepted(spec, now, now).placed(placement, now).started(now)
        playing = channel.playable(now, drain_after=timedelta(seconds=300))
        await store.commit(change(playing, "bench", Cause("bench", "bench")), None)
    return store


@asynccontextmanager
async def _listening(edge: Edge) -> AsyncGenerator[str]:
    async def handle(request: web.Request) -> web.Response:
        return await edge(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
