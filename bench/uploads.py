"""Many uploads through a stand-in OME that takes its time, against what its answers alone would take."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import uvloop

from bench.figures import Figure, first_line, note, spawn, stop
from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import Ack
from streaming_service.bootstrap import Service, open_store, wire
from streaming_service.configuration import load
from streaming_service.domain.state import Status
from streaming_service.entrypoints.worker import handle_upload_event, run_worker
from streaming_service.settings import Settings

_LATENCY_MS = 50
IN_FLIGHT = 64


class CountingTransport:
    """Counts the calls that really go out."""

    def __init__(self, inner: AiohttpTransport) -> None:
        self._inner = inner
        self.calls = 0

    async def send(self, request: Request) -> Response:
        self.calls += 1
        return await self._inner.send(request)


def measure(uploads: int) -> list[Figure]:
    """Wall time from the first event to the last `ready`, over calls times latency by concurrency."""
    ome = spawn("bench.ome_server", str(_LATENCY_MS))
    try:
        api, playback = first_line(ome).split()
        with TemporaryDirectory() as folder:
            seconds, calls = uvloop.run(_run(settings_for(Path(folder), api, playback), uploads))
    finally:
        stop(ome)
    ideal = calls * _LATENCY_MS / 1000 / IN_FLIGHT
    note(
        f"{uploads} uploads ready in {seconds:.2f} s; "
        f"{calls} calls of {_LATENCY_MS} ms, {IN_FLIGHT} at a time, take {ideal:.2f} s"
    )
    return [Figure("uploads_vs_latency_ratio", seconds / ideal, 1.3, at_least=False)]


async def _run(settings: Settings, uploads: int) -> tuple[float, int]:
    async with AiohttpTransport() as inner, open_store(settings) as store:
        transport = CountingTransport(inner)
        service = wire(settings, store, transport, NullMediaLibrary())
        stopping = asyncio.Event()
        worker = asyncio.create_task(run_worker(service, stopping))
        began = time.perf_counter()
        # The events arrive as a subscription hands them over: as many at a time as are in flight.
        room = asyncio.Semaphore(IN_FLIGHT)
        await asyncio.gather(*(take(number, service, room) for number in range(uploads)))
        while (await store.count_by_status()).get(Status.READY, 0) < uploads:
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - began
        stopping.set()
        await worker
        return seconds, transport.calls


async def take(number: int, service: Service, room: asyncio.Semaphore) -> None:
    """Hand one upload event in."""
    async with room:
        if await handle_upload_event(_event(number), service) is not Ack.ACK:
            raise RuntimeError("an event was not taken")


def _event(number: int) -> dict[str, object]:
    return {
        "uploadId": f"u{number}",
        "objectKey": "clip.mp4",
        "storageUrl": "gs://uploads/clip.mp4",
        "assetType": "video",
        "adminId": "bench",
        "contentId": str(UUID(int=0x3F2A_0000_0000_4000_8000_0000_0000_0000 + number)),
        "contentClassification": "REEL",
        "emittedAt": "2026-01-02T03:04:05.678Z",
    }


def settings_for(folder: Path, api: str, playback: str) -> Settings:
    """Everything at its default, but for what the harness is made of."""
    return load(
        {
            "APP_ENV": "test",
            "SQLITE_PATH": str(folder / "bench.sqlite"),
            "EVENT_SOURCE": "push",
            "OME_API_BASE_URL": api,
            "OME_API_KEY": "ome-key",
            "OME_API_SECRET": "ome-secret",
            "OME_PLAYBACK_BASE_URL": playback,
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "MEDIA_INSPECTION": "false",
            "OME_ORIGIN_CAPACITY": "10000",
            "PROVISION_CONCURRENCY": str(IN_FLIGHT),
            "CDN_BASE_URL": "https://cdn.example",
            "PROBES_PER_SECOND": "0",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        },
        env_file=None,
    )
