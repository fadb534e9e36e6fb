"""The API over a store that is filled already, with everything on: arguments are its kind and its address.

Prints its port when it listens; ends on SIGTERM.
"""

import asyncio
import signal
import sys
from importlib import import_module

import uvloop

from bench.manifest_server import SETTINGS, TokenServiceOnly
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.bootstrap import wire
from streaming_service.configuration import load
from streaming_service.entrypoints.serving import serve_http
from streaming_service.telemetry import configure_logging


async def main(address: str) -> None:
    configure_logging("error")
    import_module("streaming_service.entrypoints.cli")  # every process has loaded it, and is weighed with it
    store = await SqlStore.open(address)
    service = wire(load(SETTINGS, env_file=None), store, TokenServiceOnly(), NullMediaLibrary())
    async with serve_http(service) as server:
        print(server.port, flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
    await store.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
