"""A film on the stand-in OME, the development edge in front of it, and somebody in between who spoils things."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.faults import FaultProxy
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.placement import stream_name
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_journey import Finding, Journey, signed_journey
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey

LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
SIGNER = CloudCdnSigner(Keyring(SigningKey("primary", bytes(16))))
TOKEN = "key:secret"
CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
NAME = stream_name("ss-", CONTENT, 1)
PATH = f"/reels/{NAME}/"

# Path and text of a playlist → what is given instead; bytes of media likewise.
Spoil = Callable[[str, bytes], "bytes | int"]


class Middleman:
    """Hands everything on from OME to the edge, but for what `spoil` makes of it: other bytes, or a status."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.spoil: Spoil = lambda _, body: body
        self.asked: list[str] = []
        self.url = ""

    async def __call__(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        async with aiohttp.ClientSession() as session, session.get(self.upstream + request.path_qs) as answer:
            body = await answer.read()
            made = self.spoil(request.path, body) if answer.status == 200 else answer.status
            if isinstance(made, int):
                return web.Response(status=made)
            return web.Response(body=made, content_type=answer.content_type)


class Stage:
    """Everything that a probe meets. `vod` is what lies in the edge's bucket."""

    def __init__(self, ome: StandInOme, middleman: Middleman, edge: StandInEdge, prober: HttpProber, vod: Path) -> None:
        self.ome = ome
        self.middleman = middleman
        self.edge = edge
        self.prober = prober
        self.vod = vod

    def journey(
        self,
        path: str = PATH,
        *,
        base: str | None = None,
        expires: float = 300,
        patient: bool = False,
        limit: float = 2.0,
    ) -> Journey:
        """As the service would ask for it."""
        prefix = (base or self.edge.url) + path
        grant = SIGNER.sign(prefix, int(time.time() + expires))
        return signed_journey(grant, "master.m3u8", Target.PRIMARY, LADDER.rungs, limit, patient=patient)

    async def probe(self, edge: str | None = None, **journey: object) -> Finding:
        return await self.prober.follow(self.journey(**journey), edge)  # type: ignore[arg-type]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        timing = Timing(poll=0.05, appear=(0.02, 0.05), warm_up=0.2, linger=(0.5, 0.6), segment_seconds=0.5)
        ome = await stack.enter_async_context(
            StandInOme(
                media_root=tmp_path,
                state_dir=tmp_path / "ome",
                applications={"reels": LADDER},
                access_token=TOKEN,
                timing=timing,
                packager=SyntheticPackager(),
            )
        )
        middleman = Middleman(ome.playback_url)
        middleman.url = await _serve(stack, middleman)
        vod = tmp_path / "bucket"
        edge = await stack.enter_async_context(StandInEdge(middleman.url, SIGNER.verify, bucket_dir=vod))
        transport = await stack.enter_async_context(AiohttpTransport())
        await _film(ome)
        yield Stage(ome, middleman, edge, HttpProber(transport, clock=WallClock(), monotonic=time.monotonic), vod)


@pytest.fixture
async def proxied(stage: Stage) -> AsyncIterator[FaultProxy]:
    """Between the prober and the edge."""
    parts = urlsplit(stage.edge.url)
    async with FaultProxy(parts.hostname or "", parts.port or 0) as proxy:
        yield proxy


async def _serve(stack: AsyncExitStack, middleman: Middleman) -> str:
    async def handle(request: web.Request) -> web.Response:
        return await middleman(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


async def _film(ome: StandInOme) -> None:
    """A loop of eight seconds that plays when this returns."""
    headers = {"authorization": aiohttp.encode_basic_auth(*TOKEN.split(":"))}
    body = {
        "stream": {"name": NAME, "bypassTranscoder": False, "videoTrack": True, "audioTrack": True},
        "programs": [
            {
                "name": "main",
                "scheduled": "2026-11-22T13:46:13.591+00:00",
                "repeat": True,
                "items": [{"url": "file://film.mp4", "start": 0, "duration": -1}],
            }
        ],
    }
    async with aiohttp.ClientSession() as session:
        url = f"{ome.api_url}/v1/vhosts/default/apps/reels/scheduledChannels"
        async with session.post(url, json=body, headers=headers) as answer:
            assert answer.status == 201
        await _until_whole(session, f"{ome.playback_url}{PATH}")


async def _until_whole(session: aiohttp.ClientSession, base: str) -> None:
    """Its first chunklist is there, which OME holds back until the third segment has begun."""
    deadline = time.monotonic() + 10
    while True:
        async with session.get(f"{base}master.m3u8") as answer:
            text = await answer.text() if answer.status == 200 else ""
        if text:
            chunklist = next(line for line in text.splitlines() if line.startswith("chunklist_"))
            async with session.get(f"{base}{chunklist}") as answer:
                assert answer.status == 200
                return
        assert time.monotonic() < deadline, "the film does not play"
        await asyncio.sleep(0.02)
