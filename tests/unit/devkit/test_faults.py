"""Each mode as a client meets it, over real sockets; the server echoes what it is sent, twice."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from streaming_service.devkit.faults import Fault, FaultProxy, Mode

pytestmark = pytest.mark.anyio


@pytest.fixture
async def proxy() -> AsyncGenerator[FaultProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data + data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with FaultProxy(host, port, rng=random.Random(1)) as proxy:
        yield proxy
    server.close()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, proxy: FaultProxy) -> "Client":
        return cls(*await asyncio.open_connection(proxy.host, proxy.port))

    async def say(self, text: bytes = b"hello") -> None:
        self.writer.write(text)
        await self.writer.drain()

    async def hear(self, seconds: float = 2.0) -> bytes:
        """All until the other side closes."""
        async with asyncio.timeout(seconds):
            return await self.reader.read()

    async def heard(self, count: int) -> bytes:
        async with asyncio.timeout(2):
            return await self.reader.readexactly(count)


async def test_everything_passes_at_first(proxy: FaultProxy) -> None:
    client = await Client.of(proxy)
    await client.say()
    assert await client.heard(10) == b"hellohello"
    assert (proxy.connections, proxy.open) == (1, 1)
    client.writer.close()


async def test_refuse_cuts_who_is_there_and_lets_nobody_in_until_the_same_port_listens_again(proxy: FaultProxy) -> None:
    port = proxy.port
    client = await Client.of(proxy)
    await client.say()
    await client.heard(10)
    await proxy.become(Fault(mode=Mode.REFUSE))
    with pytest.raises(ConnectionResetError):
        await client.hear()
    with pytest.raises(ConnectionRefusedError):
        await Client.of(proxy)
    assert proxy.open == 0
    await proxy.become(Fault())
    again = await Client.of(proxy)
    await again.say()
    assert (await again.heard(10), proxy.port) == (b"hellohello", port)
    for one in (client, again):
        one.writer.close()


async def test_reset_comes_after_so_many_bytes(proxy: FaultProxy) -> None:
    await proxy.become(Fault(mode=Mode.RESET, after=4))
    client = await Client.of(proxy)
    await client.say()
    assert await client.heard(4) == b"hell"
    with pytest.raises(ConnectionResetError):
        await client.hear()
    client.writer.close()


async def test_truncate_ends_in_good_order(proxy: FaultProxy) -> None:
    await proxy.become(Fault(mode=Mode.TRUNCATE, after=4))
    client = await Client.of(proxy)
    await client.say()
    assert await client.hear() == b"hell"
    client.writer.close()


async def test_a_blackhole_takes_everything_and_answers_nothing(proxy: FaultProxy) -> None:
    await proxy.become(Fault(mode=Mode.BLACKHOLE))
    client = await Client.of(proxy)
    await client.say()
    with pytest.raises(TimeoutError):
        await client.hear(0.2)
    client.writer.close()


async def test_it_can_swallow_what_an_open_connection_sends(proxy: FaultProxy) -> None:
    client = await Client.of(proxy)
    await client.say()
    await client.heard(10)
    await proxy.become(Fault(mode=Mode.BLACKHOLE))
    await client.say()
    with pytest.raises(TimeoutError):
        await client.hear(0.2)
    client.writer.close()


async def test_drip_takes_its_time(proxy: FaultProxy) -> None:
    await proxy.become(Fault(mode=Mode.DRIP, rate=20))
    client = await Client.of(proxy)
    began = time.monotonic()
    await client.say()
    assert await client.heard(10) == b"hellohello"
    assert time.monotonic() - began > 0.35
    client.writer.close()


async def test_latency_delays_the_answer(proxy: FaultProxy) -> None:
    await proxy.become(Fault(mode=Mode.LATENCY, delay=0.2))
    client = await Client.of(proxy)
    began = time.monotonic()
    await client.say()
    assert await client.heard(10) == b"hellohello"
    assert time.monotonic() - began > 0.19
    client.writer.close()


async def test_garbage_is_no_answer(proxy: FaultProxy) -> None:
    await proxy.become(Fault(mode=Mode.GARBAGE))
    client = await Client.of(proxy)
    await client.say(b"GET / HTTP/1.1\r\n\r\n")
    heard = await client.hear()
    assert len(heard) == 512
    assert not heard.startswith(b"HTTP")
    client.writer.close()


async def test_status_and_redirect_are_answers_of_its_own(proxy: FaultProxy) -> None:
    async with aiohttp.ClientSession() as session:
        await proxy.become(Fault(mode=Mode.STATUS, status=502))
        async with session.get(proxy.url) as answer:
            assert answer.status == 502
        await proxy.become(Fault(mode=Mode.REDIRECT))
        async with session.get(f"{proxy.url}/a/b?c=d", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["location"]) == (302, "/a/b?c=d")
        with pytest.raises(aiohttp.TooManyRedirects):
            await session.get(f"{proxy.url}/a")


async def test_a_server_that_is_not_there_closes_the_connection() -> None:
    async with FaultProxy("127.0.0.1", 9) as proxy:
        client = await Client.of(proxy)
        await client.say()
        assert await client.hear() == b""
        client.writer.close()
