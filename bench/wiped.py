"""A stand-in OME with many channels loses all of them and restarts: how long until every one plays again?

Nobody tells the service. The files are lost just after a pass of the reconciler, so that its whole pause is in the
figure.
"""

import asyncio
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from bench.figures import Figure, first_line, note, spawn, stop
from bench.uploads import IN_FLIGHT, settings_for, take
from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import Store
from streaming_service.bootstrap import open_store, wire
from streaming_service.entrypoints.worker import run_worker
from streaming_service.settings import Settings

_LATENCY_MS = 5
_ORIGIN = "default"
# A pass over one origin takes far less.
_PASS_SECONDS = 1.0


class PassNoticing:
    """Tells when a pass begins: only those look at OME's own statistics."""

    def __init__(self, inner: AiohttpTransport) -> None:
        self._inner = inner
        self.begun = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if request.url.endswith("/v1/stats/current"):
            self.begun.set()
        return await self._inner.send(request)


def measure(channels: int) -> list[Figure]:
    """Seconds from the wipe until all serve again, from streams that were started after it."""
    ome = spawn("bench.ome_server", str(_LATENCY_MS))
    try:
        api, playback = first_line(ome).split()
        with TemporaryDirectory() as folder:
            seconds = uvloop.run(_run(settings_for(Path(folder), api, playback), ome, channels))
    finally:
        stop(ome)
    note(f"{channels} channels of a wiped OME are back in {seconds:.1f} s")
    return [Figure("wiped_ome_seconds", seconds, 60.0, at_least=False)]


async def _run(settings: Settings, ome: subprocess.Popen[str], channels: int) -> float:
    async with AiohttpTransport() as inner, open_store(settings) as store:
        transport = PassNoticing(inner)
        service = wire(settings, store, transport, NullMediaLibrary())
        stopping = asyncio.Event()
        worker = asyncio.create_task(run_worker(service, stopping))
        room = asyncio.Semaphore(IN_FLIGHT)
        await asyncio.gather(*(take(number, service, room) for number in range(channels)))
        lost = await _serving(store, channels, frozenset())
        transport.begun.clear()
        await transport.begun.wait()
        await asyncio.sleep(_PASS_SECONDS)
        began = time.perf_counter()
        ome.send_signal(signal.SIGUSR1)
        await _serving(store, channels, lost)
        seconds = time.perf_counter() - began
        stopping.set()
        await worker
        return seconds


async def _serving(store: Store, channels: int, without: frozenset[str]) -> frozenset[str]:
    """The streams that viewers are sent to, once there are so many others than those."""
    while True:
        found = frozenset(row.stream for row in await store.placements(_ORIGIN) if row.serving) - without
        if len(found) >= channels:
            return found
        await asyncio.sleep(0.1)
