"""The service under soak and everything around it, each behind a proxy that breaks."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit

import msgspec

from bench.figures import note
from chaos.soak_child import Feeling
from streaming_service.adapters.store import migrate
from streaming_service.devkit.emulators import free_port
from streaming_service.devkit.faults import FaultProxy
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.ladder import parse_ladder

SERVICE_TOKEN = "soak-service"
VIEWERS = 200

_LADDER = "480p|854x480|1500,360p|640x360|900"
_START_SECONDS = 30.0


class Sample(NamedTuple):
    """The child once a second. `memory_mb` is what is resident, `late` how many seconds its loop was behind."""

    at: float
    memory_mb: float
    tasks: int
    sockets: int
    threads: int
    late: float


class Child:
    """The process, and how it felt."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.samples: list[Sample] = []
        self.breakers: dict[str, int] = {}
        self.opened: set[str] = set()
        self.half_opened: set[str] = set()
        self._reading = asyncio.create_task(self._read())

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def _read(self) -> None:
        if self.process.stdout is None:
            return
        loop = asyncio.get_running_loop()
        while line := await self.process.stdout.readline():
            felt = msgspec.json.decode(line, type=Feeling)
            self.breakers = dict(felt.breakers)
            self.opened |= {name for name, state in felt.breakers.items() if state == 2}
            self.half_opened |= {name for name, state in felt.breakers.items() if state == 1}
            memory, sockets = _measured(self.process.pid)
            self.samples.append(Sample(loop.time(), memory, felt.tasks, sockets, felt.threads, felt.late))

    async def stop(self) -> int:
        """As an orchestrator does, and its exit code; -9 when it did not come to its end."""
        if self.alive:
            self.process.terminate()
        try:
            async with asyncio.timeout(_START_SECONDS):
                code = await self.process.wait()
        except TimeoutError:
            self.process.kill()
            code = await self.process.wait()
        await self._reading
        return code


class SoakWorld(NamedTuple):
    """Who is there. `proxies` by what is behind them."""

    api: str
    child: Child
    proxies: dict[str, FaultProxy]
    platform: StandInPlatform
    log: Path


class Surroundings(NamedTuple):
    """Everything but the service, and the environment that leads the service to it."""

    env: dict[str, str]
    proxies: dict[str, FaultProxy]
    platform: StandInPlatform
    dsn: str

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.env['HTTP_PORT']}"


@asynccontextmanager
async def surroundings(folder: Path, ome_token: str = "ome-key:ome-secret") -> AsyncGenerator[Surroundings]:  # noqa: S107
    """Started, everything passing, the store migrated. `ome_token` is what OME wants to be shown."""
    async with AsyncExitStack() as stack:
        postgres = await asyncio.to_thread(EmbeddedPostgres().__enter__)
        stack.callback(postgres.__exit__, None, None, None)
        dsn = postgres.create_database("soak")
        await asyncio.to_thread(migrate.upgrade, dsn)
        ome = await stack.enter_async_context(_ome(folder, ome_token))
        platform = await stack.enter_async_context(StandInPlatform())
        known = platform.tokens.introspect("viewer-demo")
        for number in range(VIEWERS):
            platform.tokens.add(f"viewer-{number}", {**known, "userId": f"u{number}"})
        services = ("auth", "content", "cdn-control", "receivers")
        behind = {"store": dsn, "ome-api": ome.api_url, "ome-playback": ome.playback_url}
        behind |= dict.fromkeys(services, platform.url)
        proxies = {name: await stack.enter_async_context(_proxy(url)) for name, url in behind.items()}
        yield Surroundings(_environment(proxies, dsn.rpartition("/")[2], free_port()), proxies, platform, dsn)


@asynccontextmanager
async def soak_world(folder: Path) -> AsyncGenerator[SoakWorld]:
    """The same with the service. Raises RuntimeError when it does not start."""
    async with surroundings(folder) as around:
        log = folder / "service.log"
        child = await _start(around.env, log)
        try:
            yield SoakWorld(around.api, child, around.proxies, around.platform, log)
        finally:
            await child.stop()


def _ome(folder: Path, token: str) -> StandInOme:
    media = folder / "media"
    media.mkdir()
    return StandInOme(
        media_root=media,
        state_dir=folder / "ome",
        applications={name: parse_ladder(_LADDER) for name in ("reels", "series")},
        timing=Timing.instant(),
        packager=SyntheticPackager(),
        access_token=token,
    )


def _proxy(url: str) -> FaultProxy:
    parts = urlsplit(url)
    return FaultProxy(parts.hostname or "127.0.0.1", parts.port or 0)


async def _start(env: dict[str, str], log: Path) -> Child:
    with log.open("wb") as output:
        process = await start(env, "chaos.soak_child", stdout=asyncio.subprocess.PIPE, stderr=output)
    child = Child(process)
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not child.samples and child.alive:
                await asyncio.sleep(0.05)
    except TimeoutError:
        await child.stop()
    if not child.samples:
        raise RuntimeError(f"the service did not start: {_end_of(log)}")
    return child


async def start(
    env: Mapping[str, str], module: str, *arguments: str, stdout: int | IO[bytes], stderr: int | IO[bytes]
) -> asyncio.subprocess.Process:
    """A Python process with this configuration and no other by accident."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "LANG", "HOME"}}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, env={**kept, **env}, stdout=stdout, stderr=stderr
    )


def tell_tracebacks(log: Path) -> None:
    """Mistakes of ours, which no fault of others may bring about: how many, and the first of them."""
    text = log.read_text(errors="replace")
    if found := text.count("Traceback"):
        at = text.index("Traceback")
        note(f"{found} tracebacks in its log, the first: {text[max(0, at - 300) : at + 3000]}")


def _environment(proxies: dict[str, FaultProxy], database: str, port: int) -> dict[str, str]:
    store, receivers = proxies["store"], proxies["receivers"].url
    return {
        "APP_ENV": "test",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "SERVICE_AUTH_TOKEN": SERVICE_TOKEN,
        "CHANNEL_REPOSITORY_BACKEND": "postgres",
        "POSTGRES_DSN": f"postgresql://postgres@{store.host}:{store.port}/{database}",
        "EVENT_SOURCE": "embedded",
        "OME_API_BASE_URL": proxies["ome-api"].url,
        "OME_API_KEY": "ome-key",
        "OME_API_SECRET": "ome-secret",
        "OME_PLAYBACK_BASE_URL": proxies["ome-playback"].url,
        "OME_REELS_PRESET": _LADDER,
        "OME_SERIES_PRESET": _LADDER,
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "OME_ORIGIN_CAPACITY": "200",
        "MEDIA_INSPECTION": "false",
        "CDN_BASE_URL": "https://cdn.example",
        "PROBES_PER_SECOND": "0",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        "CDN_CONTROL_BASE_URL": f"{proxies['cdn-control'].url}/cdn",
        "AUTH_SERVICE_BASE_URL": f"{proxies['auth'].url}/auth",
        "CONTENT_SERVICE_BASE_URL": f"{proxies['content'].url}/content",
        "CONTENT_SERVICE_CALLBACK_URL": f"{receivers}/content/callback",
        "API_GATEWAY_CACHE_WARMUP_URL": f"{receivers}/gateway/warmup",
        "OBSERVABILITY_EXPORT_URL": f"{receivers}/observability",
        "BIGQUERY_EXPORT_URL": f"{receivers}/bigquery",
        # What has failed is taken up again within the soak.
        "RECONCILIATION_WINDOW_MINUTES": "0.05",
        "RECONCILE_INTERVAL_SECONDS": "2",
        "ORIGIN_POLL_SECONDS": "1",
        "LEASE_SECONDS": "5",
        "DRAIN_SECONDS": "1",
    }


def _measured(pid: int) -> tuple[float, int]:
    """Resident memory in MB, and open sockets."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has ended
        return 0.0, 0
    sockets = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets += str(entry.readlink()).startswith("socket:")
        except OSError:  # closed while we looked
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, sockets


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
