"""The server under test, and clips where it can read them."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from streaming_service.devkit.media import make_clip
from streaming_service.devkit.ome import StandInOme, Timing
from streaming_service.domain.ladder import parse_ladder
from tests.contract.ome.target import APP, OTHER_APP, Target, real_server

LADDER = parse_ladder("360p|640x360|800,240p|426x240|400,144p|256x144|200")
# The shape of the real delays, several times as fast.
TIMING = Timing(poll=0.2, appear=(0.02, 0.1), warm_up=0.6, linger=(0.5, 0.6), segment_seconds=1.0)
TOKEN = "contract-key:contract-secret"


@pytest.fixture(scope="session")
async def server(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    real = real_server()
    async with aiohttp.ClientSession() as http:
        if real:
            target = Target(http, **real, stand_in=False, patience=20.0)
            yield target
            await target.nothing_left()
            return
        media = tmp_path_factory.mktemp("media")
        state = tmp_path_factory.mktemp("state")
        ladders = {APP: LADDER, OTHER_APP: LADDER}
        async with StandInOme(
            media_root=media, state_dir=state, applications=ladders, access_token=TOKEN, timing=TIMING
        ) as ome:
            target = Target(
                http,
                ome.api_url,
                playback_url=ome.playback_url,
                media_root=media,
                token=TOKEN,
                stand_in=True,
                patience=15.0,
                server=ome,
                dump_root=tmp_path_factory.mktemp("dumps"),
                segment_seconds=TIMING.segment_seconds,
            )
            yield target
            await target.nothing_left()


@pytest.fixture
async def ome(server: Target) -> AsyncIterator[Target]:
    yield server
    await server.clean_up()


@pytest.fixture(scope="session")
async def clip(server: Target) -> AsyncIterator[str]:
    """URL of six seconds with sound in the server's media root."""
    async for url in _clip_in(server, audio=True):
        yield url


@pytest.fixture(scope="session")
async def silent_clip(server: Target) -> AsyncIterator[str]:
    """URL of six seconds without a sound track."""
    async for url in _clip_in(server, audio=False):
        yield url


@pytest.fixture(scope="session")
async def live_clip(server: Target) -> AsyncIterator[str]:
    """URL of what a publisher sends: of another size than the others."""
    async for url in _clip_in(server, audio=True, size=(320, 240)):
        yield url


@pytest.fixture(scope="session")
async def fraction_clip(server: Target) -> AsyncIterator[str]:
    """URL of 5.4 seconds."""
    async for url in _clip_in(server, audio=True, seconds=5.4):
        yield url


@pytest.fixture(scope="session")
async def blink_clip(server: Target) -> AsyncIterator[str]:
    """URL of 0.8 seconds."""
    async for url in _clip_in(server, audio=True, seconds=0.8):
        yield url


async def _clip_in(
    server: Target, *, audio: bool, size: tuple[int, int] = (640, 360), seconds: float = 6
) -> AsyncIterator[str]:
    path = server.media_root / f"{server.unique()}.mp4"
    await make_clip(path, seconds=seconds, size=size, audio=audio)
    _make_readable(path)
    yield f"file://{path.name}"
    path.unlink()


def _make_readable(path: Path) -> None:
    # A real OME may run as somebody else.
    os.chmod(path, 0o644)  # noqa: PTH101
