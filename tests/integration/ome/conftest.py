"""An OME to drive: the stand-in, or the real one that OME_CONTRACT_API_URL names.

    OME_CONTRACT_API_URL=http://127.0.0.1:8081 OME_CONTRACT_PLAYBACK_URL=http://127.0.0.1:3333 \\
    OME_API_KEY=… OME_API_SECRET=… OME_CONTRACT_MEDIA_ROOT=/media \\
    OME_CONTRACT_DUMP_ROOT=/manifests OME_CONTRACT_RTMP_URL=rtmp://127.0.0.1:1935 pytest tests/integration/ome

A real one is left as it was found. It needs an application `reels` with a ladder of 720p, 480p and 360p, and a file
`test.mp4` of at least eight seconds with sound in its media root.
"""

import asyncio
import os
import random
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.ome import OmeClient, OmeOrigin
from streaming_service.adapters.ome.dumping import OmeRecorder
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.ports import Playability, PlayabilityReport
from streaming_service.devkit.ome import MediaFacts, StandInOme, SyntheticPackager, Timing
from streaming_service.domain.ladder import Rung, parse_ladder
from streaming_service.domain.placement import Placement, stream_name
from tests.contract.ome.publishing import pushing

LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
SILENT = "silent.mp4"
MISSING = "no-such-file.mp4"
REAL = "OME_CONTRACT_API_URL" in os.environ


class Ome:
    """One OME, a client and an origin of it, and what the test made there."""

    def __init__(
        self,
        transport: AiohttpTransport,
        api_url: str,
        playback_url: str,
        token: str,
        dumps: str | None = None,
        name: str = "default",
        patience: float = 8.0,
        breaker_time: Callable[[], float] = time.monotonic,
        server: StandInOme | None = None,
    ) -> None:
        """`dumps` is the folder for VOD copies, `server` the stand-in."""
        self.server = server
        self.name, self._patience, self._breaker_time = name, patience, breaker_time
        self.dumps = dumps
        self.api_url, self.playback_url, self.token = api_url, playback_url, token
        self._transport = transport
        self.prefix = f"it{secrets.token_hex(3)}-"
        self.client = self.client_with(token)
        self._playback_url = playback_url
        self.origin = self.origin_with(fitted=False)
        self._count = 0

    def origin_with(self, *, fitted: bool) -> OmeOrigin:
        """`fitted`: as one that gets its ladders from our webhook."""
        watcher = OmeWatcher(
            self.client,
            self._caller("ome-playback"),
            self._playback_url,
            playlist="master",
            timeout=5.0,
            fitted=fitted,
        )
        recorder = OmeRecorder(self.client, self.dumps, playlist="master", sleep=asyncio.sleep) if self.dumps else None
        return OmeOrigin(self.name, self.client, watcher, recorder, vhost="default", sleep=asyncio.sleep)

    def client_with(self, token: str, *, url: str | None = None, vhost: str = "default") -> OmeClient:
        caller = self._caller("ome", tolerated=frozenset({500}))
        return OmeClient(caller, url or self.api_url, access_token=token, vhost=vhost)

    def _caller(self, service: str, *, tolerated: frozenset[int] = frozenset()) -> ResilientCaller:
        return ResilientCaller(
            service,
            self._transport,
            Breaker(service, self._breaker_time),
            clock=WallClock(),
            monotonic=time.monotonic,
            jitter=random.random,
            context=dict,
            tolerated=tolerated,
            patience=self._patience,
        )

    def placement(self, media: str = "test.mp4", *, audio: bool = True, rungs: tuple[Rung, ...] = ()) -> Placement:
        """A start under a name that nothing else on the server has."""
        self._count += 1
        return Placement(
            incarnation=1,
            origin="default",
            application="reels",
            stream=stream_name(self.prefix, str(uuid4()), self._count),
            media_path=media,
            media_hash="hash",
            checksum="sum",
            rungs=rungs or LADDER.rungs,
            audio=audio,
            placed_at=datetime.now(UTC),
        )

    async def started(self, media: str = "test.mp4", *, audio: bool = True) -> Placement:
        placement = self.placement(media, audio=audio)
        await self.origin.start(placement, datetime.now(UTC))
        await until(lambda: self.listed(placement))
        return placement

    async def listed(self, placement: Placement) -> bool:
        return placement.stream in await self.origin.streams(placement.application)

    async def playing(self, media: str = "test.mp4") -> Placement:
        placement = await self.started(media)
        await until(lambda: self.plays(placement))
        return placement

    @asynccontextmanager
    async def publishing(self, name: str) -> AsyncGenerator[Callable[[], bool]]:
        """`test.mp4` is pushed as that stream of `reels`; gives whether it is still let in."""
        if self.server:
            async with self.server.publish("reels", name, file="test.mp4") as publisher:
                yield lambda: publisher.live
            return
        file, url = Path(setting("OME_CONTRACT_MEDIA_ROOT"), "test.mp4"), setting("OME_CONTRACT_RTMP_URL")
        async with pushing(file, f"{url.rstrip('/')}/reels/{name}") as running:
            yield running

    async def plays(self, placement: Placement) -> bool:
        return (await self.origin.playability(placement)).verdict is Playability.PLAYABLE

    async def look(self, placement: Placement, *, rungs: tuple[Rung, ...] = ()) -> PlayabilityReport:
        return await self.origin.playability(replace(placement, rungs=rungs or placement.rungs))

    async def clean_up(self) -> None:
        for application in ("reels", "series"):
            for stream in await self.origin.streams(application):
                if stream.startswith(self.prefix):
                    await self.origin.stop(application, stream)


def setting(name: str) -> str:
    """A variable of the real server; what needs it is skipped without it."""
    if name not in os.environ:
        pytest.skip(f"set {name} to run this")
    return os.environ[name]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Look again and again; TimeoutError when it does not come about."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def stand_in(folder: Path, timing: Timing | None = None, **options: Any) -> AsyncGenerator[StandInOme]:
    silent = MediaFacts(duration=8.0, width=1280, height=720, audio=False)
    packager = SyntheticPackager({SILENT: silent}, missing=frozenset({MISSING}))
    async with StandInOme(
        media_root=folder / "media",
        state_dir=folder / "state",
        applications={"reels": LADDER, "series": LADDER},
        access_token="key:secret",
        timing=timing or Timing.instant(),
        packager=packager,
        **options,
    ) as server:
        yield server


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    async with AiohttpTransport() as carrier:
        yield carrier


@pytest.fixture
async def ome(transport: AiohttpTransport, tmp_path: Path) -> AsyncIterator[Ome]:
    async with AsyncExitStack() as stack:
        if REAL:
            token = f"{os.environ.get('OME_API_KEY', '')}:{os.environ.get('OME_API_SECRET', '')}"
            found = Ome(
                transport,
                os.environ["OME_CONTRACT_API_URL"],
                os.environ["OME_CONTRACT_PLAYBACK_URL"],
                token,
                os.environ.get("OME_CONTRACT_DUMP_ROOT"),
            )
        else:
            server = await stack.enter_async_context(stand_in(tmp_path))
            dumps = str(tmp_path / "dumps")
            found = Ome(transport, server.api_url, server.playback_url, "key:secret", dumps, server=server)
        yield found
        await found.clean_up()
