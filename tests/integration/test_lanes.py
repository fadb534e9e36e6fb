"""Receivers do not wait for each other, over real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing, suppress

import pytest

from streaming_service.bootstrap import open_service
from streaming_service.configuration import load
from streaming_service.domain.notification import Endpoint, Notification
from tests.fakes import NOW

pytestmark = pytest.mark.anyio
MANY = 150


class Receivers:
    """All of them on one host and port: one does not answer until it is let, the others at once."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.all_told = asyncio.Event()
        self.all_asked = asyncio.Event()
        self._connections: list[asyncio.Task[None]] = []
        self.patience_ends = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await asyncio.gather(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.append(task)
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                path = head.split(" ")[1]
                self.told[path] += 1
                if path == "/silent":
                    if self.told[path] == MANY:
                        self.all_asked.set()
                    await self.patience_ends.wait()
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                if self.told["/quick"] == MANY:
                    self.all_told.set()


async def test_a_receiver_that_never_answers_keeps_no_socket_from_the_others() -> None:
    receivers = Receivers()
    async with receivers.open() as base:
        settings = load(
            {
                "APP_ENV": "test",
                "EVENT_SOURCE": "push",
                "CHANNEL_REPOSITORY_BACKEND": "memory",
                "DRY_RUN_PROVISIONING": "true",
                "CDN_BASE_URL": "https://cdn.example",
                "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
                "CONTENT_SERVICE_CALLBACK_URL": f"{base}/silent",
                "API_GATEWAY_CACHE_WARMUP_URL": f"{base}/quick",
                "WEBHOOK_TIMEOUT_MS": "30000",
                "DELIVERY_CONCURRENCY": str(MANY),
            },
            env_file=None,
        )
        async with open_service(settings) as service:
            facts = {"manifestPath": "/m", "baseUrl": None, "channelId": "c", "cacheKey": "k", "checksum": "s"}
            for endpoint in (Endpoint.CONTENT_CALLBACK, Endpoint.GATEWAY_WARMUP):
                for number in range(MANY):
                    name = f"{endpoint}-{number}"
                    owed = Notification(name, endpoint, "stream.provisioned", str(number), NOW, facts)
                    await service.store.owe([owed])
            delivering = asyncio.create_task(service.delivery.run())
            async with asyncio.timeout(20):
                await receivers.all_asked.wait()
                await receivers.all_told.wait()
            assert receivers.told["/silent"] == MANY
            assert not delivering.done()
            receivers.patience_ends.set()
            delivering.cancel()
            with suppress(asyncio.CancelledError):
                await delivering
