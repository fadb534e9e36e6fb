"""Each way in which OME, the token service and the store may break, met over the wire: typed errors, in bounded time,
and everything works again afterwards."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streaming_service.adapters.auth_service import HttpTokenService
from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.ome import OmeClient
from streaming_service.adapters.store import migrate
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.faults import Fault, FaultProxy, Mode
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.ladder import parse_ladder
from streaming_service.errors import StoreUnavailable, StreamingServiceError, UpstreamError
from tests.conftest import require_component

pytestmark = pytest.mark.anyio

FAULTS = [Fault(mode=mode, after=20, rate=30, delay=0.3) for mode in Mode]
TIMEOUT = 2.0
PATIENCE = 2.0
# One attempt may begin just before the patience ends, and has its own time.
LONGEST_CALL = PATIENCE + TIMEOUT + 2.0
LONGEST_JOB = 18.0

Ask = Callable[[], Awaitable[object]]


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres()
    try:
        server.__enter__()
    except ComponentMissing as error:
        require_component(False, "Postgres", str(error))
    yield server
    server.__exit__(None, None, None)


async def caller(stack: AsyncExitStack, service: str) -> ResilientCaller:
    return ResilientCaller(
        service,
        await stack.enter_async_context(AiohttpTransport()),
        Breaker(service, time.monotonic, failures=3, open_seconds=0.3),
        clock=WallClock(),
        monotonic=time.monotonic,
        jitter=random.random,
        context=dict,
        patience=PATIENCE,
    )


async def through(stack: AsyncExitStack, url: str) -> FaultProxy:
    parts = urlsplit(url)
    return await stack.enter_async_context(FaultProxy(parts.hostname or "", parts.port or 0))


async def endure(ask: Ask, proxy: FaultProxy, fault: Fault, error: type[StreamingServiceError], longest: float) -> None:
    """It works; it breaks, on the connection that is open and on a new one; it works again."""
    await ask()
    await proxy.become(fault)
    for _ in range(2):
        began = time.monotonic()
        try:
            await ask()
        except error:
            pass
        else:
            assert fault.mode in {Mode.PASS, Mode.LATENCY, Mode.DRIP}, f"{fault.mode} was taken for an answer"
        assert time.monotonic() - began < longest, fault.mode
    await proxy.become(Fault())
    async with asyncio.timeout(longest + 5):
        while True:
            try:
                await ask()
            except error:
                await asyncio.sleep(0.1)
            else:
                return


async def test_ome(stack: AsyncExitStack, tmp_path: Path) -> None:
    ladder = parse_ladder("360p|640x360|900")
    ome = await stack.enter_async_context(
        StandInOme(
            media_root=tmp_path,
            state_dir=tmp_path / "ome",
            applications={"reels": ladder},
            timing=Timing.instant(),
            packager=SyntheticPackager(),
        )
    )

    async def one(fault: Fault) -> None:
        proxy = await through(stack, ome.api_url)
        client = OmeClient(await caller(stack, "ome"), proxy.url, access_token="ome-key:ome-secret", timeout=TIMEOUT)
        await endure(client.applications, proxy, fault, UpstreamError, LONGEST_CALL)

    await asyncio.gather(*map(one, FAULTS))


async def test_the_token_service(stack: AsyncExitStack) -> None:
    platform = await stack.enter_async_context(StandInPlatform())

    async def one(fault: Fault) -> None:
        proxy = await through(stack, platform.url)
        tokens = HttpTokenService(
            await caller(stack, "auth"),
            f"{proxy.url}/auth",
            "/api/v1/auth/introspect",
            None,
            timeout=TIMEOUT,
            clock=WallClock(),
        )

        async def ask() -> None:
            # Never open: whatever comes back, nobody but the token's owner is let in.
            viewer = await tokens.introspect("viewer-demo", "c")
            assert viewer is not None
            assert viewer.user_id == "demo"

        await endure(ask, proxy, fault, UpstreamError, LONGEST_CALL)

    await asyncio.gather(*map(one, FAULTS))


@pytest.mark.postgres
async def test_the_store(stack: AsyncExitStack, postgres: EmbeddedPostgres) -> None:
    dsn = postgres.create_database("faults")
    await asyncio.to_thread(migrate.upgrade, dsn)

    async def one(fault: Fault) -> None:
        proxy = await through(stack, dsn)
        store = await SqlStore.open(f"postgresql://postgres@{proxy.host}:{proxy.port}/faults")
        stack.push_async_callback(store.close)
        await endure(store.check, proxy, fault, StoreUnavailable, LONGEST_JOB)

    await asyncio.gather(*map(one, FAULTS))
