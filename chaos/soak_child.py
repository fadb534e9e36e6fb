"""API and worker in one process, as in production, which tells its parent once a second how it feels."""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping

import msgspec
import uvloop
from msgspec import Struct

from streaming_service.bootstrap import Service, open_service
from streaming_service.configuration import load
from streaming_service.entrypoints.serving import serve_http
from streaming_service.entrypoints.worker import run_worker
from streaming_service.telemetry import configure_logging

_SECONDS = 1.0


class Feeling(Struct, frozen=True):
    """One line of its output. `breakers`: 0 closed, 1 half-open, 2 open. `late`: seconds that the loop was behind."""

    tasks: int
    threads: int
    breakers: Mapping[str, int]
    late: float


async def main() -> None:
    """Until it is told to stop."""
    settings = load(env_file=None, roles=["api", "worker"])
    configure_logging("warning", "json")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_service(settings) as service, serve_http(service):
        telling = asyncio.create_task(_tell(service), name="tell")
        await run_worker(service, stop)
        telling.cancel()


async def _tell(service: Service) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _SECONDS
        await asyncio.sleep(_SECONDS)
        feeling = Feeling(len(asyncio.all_tasks()), threading.active_count(), _breakers(service), loop.time() - due)
        os.write(1, msgspec.json.encode(feeling) + b"\n")


def _breakers(service: Service) -> dict[str, int]:
    return {
        "/".join(sample.labels.values()): int(sample.value)
        for family in service.metrics.registry.collect()
        if family.name == "streaming_breaker_state"
        for sample in family.samples
    }


if __name__ == "__main__":
    uvloop.run(main())
