"""Fixtures of the adapters' tests: servers that stop with the test, a transport, a clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from streaming_service.adapters.transport import AiohttpTransport
from tests.unit.adapters.servers import Conversation, Converse, Handler, ManualClock, Serve, serving


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport() as carrier:
        yield carrier


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers that stop with the test."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> str:
            return await stack.enter_async_context(serving(handler))

        yield start


@pytest.fixture
async def converse() -> AsyncIterator[Converse]:
    """Start servers below HTTP, for answers that no well-behaved server gives."""
    servers: list[asyncio.Server] = []

    async def start(conversation: Conversation) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await conversation(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
