"""Start the service as a person would, and look at it as a viewer would."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import m3u8

MODULE = "streaming_service.entrypoints.cli"
PATIENCE = 60.0


def free_ports(count: int) -> int:
    """The first of `count` free neighbouring ports."""
    for first in range(20000 + os.getpid() % 20000, 60000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports")


class Process:
    """A child of ours whose output is kept."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.lines: list[str] = []
        self._reader = asyncio.create_task(self._read())
        self._news = asyncio.Condition()

    async def _read(self) -> None:
        assert self.child.stdout
        while line := await self.child.stdout.readline():
            async with self._news:
                self.lines.append(line.decode().rstrip())
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def line(self, start: str) -> str:
        """The first line that begins with `start`, waiting for it. Fails with all output when it does not come."""
        async with asyncio.timeout(PATIENCE):
            async with self._news:
                while True:
                    for line in self.lines:
                        if line.startswith(start):
                            return line
                    if self._reader.done():
                        raise AssertionError(f"ended without {start!r}:\n" + "\n".join(self.lines))
                    await self._news.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and give its exit code."""
        if self.child.returncode is None:
            self.child.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            code = await self.child.wait()
            await self._reader
        return code


@asynccontextmanager
async def running(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path, module: str = MODULE
) -> AsyncGenerator[Process]:
    """`streaming-service …`, ended in any case."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=cwd,
        env={**_clean_environment(), **(env or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    process = Process(child)
    try:
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await process._reader


def _clean_environment() -> dict[str, str]:
    """What a process needs of ours, and no configuration by accident."""
    kept = {"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name in kept}


async def fetch(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes, Mapping[str, str]]:
    """One GET."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


async def ready(url: str) -> None:
    """Until a process that may still be starting says 200 on its /readyz."""
    status: int | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            while status != 200:
                with suppress(aiohttp.ClientConnectorError):
                    status, _, _ = await fetch(f"{url}/readyz")
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise AssertionError(f"{url}/readyz answered {status or 'nothing'} for {PATIENCE:g} s") from error


async def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200, (url, answer.status, await answer.text())
        return await answer.json()


class Watched:
    """What a viewer sees who follows a manifest down to media."""

    def __init__(
        self, master: m3u8.M3U8, variants: list[tuple[str, int]], media: dict[str, bytes], urls: list[str]
    ) -> None:
        self.master = master
        self.variants = variants
        self.media = media
        self.urls = urls


async def watch(url: str, headers: Mapping[str, str] | None = None) -> Watched:
    """Every variant's init and first media segment, plainly followed: no player adds anything to a URL."""
    status, body, _ = await fetch(url, headers)
    assert status == 200, (status, body[:200])
    master = m3u8.loads(body.decode())
    assert master.is_variant
    media: dict[str, bytes] = {}
    urls: list[str] = []
    variants: list[tuple[str, int]] = []
    for item in master.playlists:
        variant_url = urljoin(url, item.uri)
        width, height = item.stream_info.resolution or (0, 0)
        variants.append((f"{width}x{height}", item.stream_info.bandwidth or 0))
        status, body, _ = await fetch(variant_url, headers)
        assert status == 200, (variant_url, status)
        playlist = m3u8.loads(body.decode())
        segment = next(item for item in playlist.segments if item.uri)
        parts = [urljoin(variant_url, part.uri) for part in (segment.init_section, segment) if part]
        urls += [variant_url, *parts]
        media[f"{width}x{height}"] = b"".join([await _media(part, headers) for part in parts])
    return Watched(master, variants, media, urls)


async def _media(url: str, headers: Mapping[str, str] | None) -> bytes:
    status, body, _ = await fetch(url, headers)
    assert status == 200, (url, status)
    return body
