"""A publisher on the server under test: ours without media on the wire, a real one's over RTMP by ffmpeg."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streaming_service.devkit.media.ffmpeg import ffmpeg_path
from tests.contract.ome.target import APP, Answer, Target

_Running = Callable[[], bool]


@asynccontextmanager
async def publishing(ome: Target, name: str, clip: str) -> AsyncGenerator[_Running]:
    """Publishes a clip of the media root as a stream of the application; gives whether it is still let in."""
    file = clip.removeprefix("file://")
    if ome.server:
        async with ome.server.publish(APP, name, file=file) as publisher:
            assert publisher.live, publisher.error
            yield lambda: publisher.live
        return
    url = os.environ.get("OME_CONTRACT_RTMP_URL")
    if not url:
        pytest.skip("set OME_CONTRACT_RTMP_URL to the server's RTMP address to run this")
    async with pushing(ome.media_root / file, f"{url.rstrip('/')}/{APP}/{name}") as running:
        await listed(ome, name)
        yield running


@asynccontextmanager
async def pushing(source: Path, url: str) -> AsyncGenerator[_Running]:
    """ffmpeg publishes a file, looped, to an RTMP URL; gives whether it still runs."""
    encoder = await _encoder(source, url)
    try:
        yield lambda: encoder.returncode is None
    finally:
        if encoder.returncode is None:
            encoder.terminate()
        await encoder.wait()


async def listed(ome: Target, name: str) -> Answer:
    """What GET says of the stream once it is there."""
    return await ome.until(lambda: ome.ask("GET", ome.streams(name)), lambda found: found.status == 200)


async def gone(ome: Target, name: str) -> None:
    await ome.until(lambda: ome.ask("GET", ome.streams(name)), lambda found: found.status == 404)


async def _encoder(source: Path, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(ffmpeg_path(), "-hide_banner", "-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1"),
        *("-i", str(source), "-c", "copy", "-f", "flv", url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
