"""`make bench-scale`: two APIs, two workers, Postgres and four stand-in OMEs on one machine, and what each upload, each
manifest and each delivery costs them. docs/capacity.md reckons with these figures.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import aiohttp
import msgspec
import psycopg

from bench.figures import Figure, first_line, note, report, spawn, start, stop
from bench.manifest import Load, Target, load_of, script_of
from bench.manifest_server import CONTENTS, content_id
from bench.platform_server import VIEWERS
from bench.processes import children, cpu_seconds, resident_mb
from bench.scale_settings import SERVICE_TOKEN, environment, pools
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.devkit.emulators import free_port
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.errors import ConfigurationError

_OMES = 4
_OME_LATENCY_MS = 5
_APIS = _WORKERS = 2
_IN_FLIGHT = 64
_PATIENCE = 120.0

# Each viewer asks once.
_STRANGERS = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/v1/streams/%s/manifest", {["Authorization"] = "Bearer viewer-" .. n %% %d})
end
"""


class Fleet(NamedTuple):
    """Who runs. `receiver` is the port of whoever is told."""

    dsn: str
    ports: Sequence[int]
    apis: Sequence[subprocess.Popen[str]]
    workers: Sequence[subprocess.Popen[str]]
    receiver: str
    postmaster: int

    def cpu(self) -> "Cpu":
        return Cpu(
            cpu_seconds(*(item.pid for item in self.apis)),
            cpu_seconds(*(item.pid for item in self.workers)),
            cpu_seconds(self.postmaster, *children(self.postmaster)),
        )


class Cpu(NamedTuple):
    """CPU seconds."""

    apis: float
    workers: float
    store: float

    def since(self, before: "Cpu") -> "Cpu":
        return Cpu(*(now - then for now, then in zip(self, before, strict=True)))


def measure(uploads: int, seconds: int) -> list[Figure]:
    """Raises ConfigurationError when wrk is missing, TimeoutError when something does not come about."""
    with TemporaryDirectory() as folder, _fleet(Path(folder)) as fleet:
        figures = asyncio.run(_uploads(fleet, uploads))
        figures += _manifests(fleet, Path(folder), min(uploads, CONTENTS), seconds)
        for name, found in (("API", fleet.apis), ("worker", fleet.workers)):
            note(f"{name}: {', '.join(f'{resident_mb(item.pid):.0f} MB' for item in found)}")
    return figures


async def _uploads(fleet: Fleet, uploads: int) -> list[Figure]:
    before, began = fleet.cpu(), time.perf_counter()
    room = asyncio.Semaphore(_IN_FLIGHT)
    headers = {"authorization": f"Bearer {SERVICE_TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(_upload(session, fleet, number, room) for number in range(uploads)))
    taken = time.perf_counter() - began
    await _until(fleet, "SELECT count(*) FROM channels WHERE status = 'ready'", uploads)
    ready = time.perf_counter() - began
    await _until(fleet, "SELECT count(*) FROM deliveries WHERE state <> 'pending'", None)
    told = time.perf_counter() - began
    cpu = fleet.cpu().since(before)
    deliveries = _rows(fleet, "SELECT count(*) FROM deliveries")[0]
    missing = _rows(fleet, "SELECT count(*) FROM deliveries WHERE state <> 'delivered'")[0]
    origins = _rows(fleet, "SELECT count(*) FROM placements GROUP BY origin")
    starts = _rows(fleet, "SELECT sum((document::json->>'incarnation')::int) FROM channels")[0]
    note(f"{uploads} uploads accepted in {taken:.1f} s, ready in {ready:.1f} s ({uploads / ready:.0f}/s)")
    note(f"{deliveries} deliveries until {told:.1f} s")
    note(f"CPU seconds: APIs {cpu.apis:.1f}, workers {cpu.workers:.1f}, store {cpu.store:.1f}")
    return [
        Figure("scale_starts_per_upload", starts / uploads, 1.0, at_least=False),
        Figure("scale_origins_used", len(origins), _OMES, at_least=True),
        Figure("scale_fullest_origin_ratio", max(origins) * len(origins) / sum(origins), 1.5, at_least=False),
        Figure("scale_deliveries_missing", missing, 0, at_least=False),
        Figure("scale_api_cpu_ms_per_upload", cpu.apis / uploads * 1000, 30.0, at_least=False),
        Figure("scale_worker_cpu_ms_per_upload", cpu.workers / uploads * 1000, 100.0, at_least=False),
        Figure("scale_store_cpu_ms_per_upload", cpu.store / uploads * 1000, 100.0, at_least=False),
    ]


async def _upload(session: aiohttp.ClientSession, fleet: Fleet, number: int, room: asyncio.Semaphore) -> None:
    body = {
        "contentId": content_id(number),
        "tenantId": "scale",
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/clip.mp4",
        "checksum": "sha256:1",
    }
    url = f"http://127.0.0.1:{fleet.ports[number % len(fleet.ports)]}/v1/admin/streams/register"
    async with room, session.post(url, json=body) as answer:
        if answer.status != 202:
            raise RuntimeError(f"an upload was answered with {answer.status}: {await answer.text()}")


def _manifests(fleet: Fleet, folder: Path, contents: int, seconds: int) -> list[Figure]:
    script = folder / "manifest.lua"
    script.write_text(script_of("/v1/streams/", "/manifest", range(contents), "viewer-demo"))
    targets = [Target(str(port), script) for port in fleet.ports]
    for target in targets:
        load_of(target, 2, pinned=False)
    before = fleet.cpu()
    loads = [load_of(target, seconds, pinned=False) for target in targets]
    cpu = fleet.cpu().since(before)
    answered = sum(load.rate * seconds for load in loads)
    note(f"manifests of each API: {', '.join(_told(load) for load in loads)}; the store used {cpu.store:.2f} s CPU")
    strangers = folder / "strangers.lua"
    strangers.write_text(_STRANGERS % (content_id(0), VIEWERS))
    before = fleet.cpu()
    load = load_of(Target(str(fleet.ports[0]), strangers), seconds, pinned=False)
    asking = fleet.cpu().since(before).apis / (load.rate * seconds)
    note(f"manifests for viewers who are not known yet: {_told(load)}")
    return [
        Figure("scale_api_cpu_us_per_new_viewer", asking * 1e6, 1000.0, at_least=False),
        Figure("scale_api_cpu_us_per_manifest", cpu.apis / answered * 1e6, 40.0, at_least=False),
        Figure("scale_store_cpu_us_per_manifest", cpu.store / answered * 1e6, 2.0, at_least=False),
    ]


def _told(load: Load) -> str:
    return f"{load.rate:,.0f}/s, p99 {load.p99:.1f} ms"


async def _until(fleet: Fleet, question: str, wanted: int | None) -> None:
    """Until the answer is `wanted`, or, when that is None, as many as there are at all."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            goal = wanted or _rows(fleet, "SELECT count(*) FROM deliveries")[0]
            if _rows(fleet, question)[0] >= goal:
                return
            await asyncio.sleep(0.1)


def _rows(fleet: Fleet, question: str) -> list[int]:
    with psycopg.connect(fleet.dsn) as connection:
        return [int(row[0]) for row in connection.execute(question.encode())]


@contextmanager
def _fleet(folder: Path) -> Generator[Fleet]:
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres())
        dsn = postgres.create_database("scale")
        upgrade(dsn)
        omes = [_spawned(stack, "bench.ome_server", str(_OME_LATENCY_MS)) for _ in range(_OMES)]
        addresses = [first_line(ome).split() for ome in omes]
        file, playback = folder / "pools.json", addresses[0][1]
        file.write_bytes(msgspec.json.encode(pools(addresses)))
        receiver = first_line(_spawned(stack, "bench.receiver"))
        platform = first_line(_spawned(stack, "bench.platform_server"))
        env = environment(dsn, file, playback, receiver, platform)
        ports = [free_port() for _ in range(_APIS)]
        apis = [_started(stack, "serve", {**env, "HTTP_PORT": str(port)}) for port in ports]
        workers = [_started(stack, "worker", env) for _ in range(_WORKERS)]
        asyncio.run(_ready(apis, ports))
        yield Fleet(dsn, ports, apis, workers, receiver, postgres.pid)


def _spawned(stack: ExitStack, module: str, *arguments: str) -> subprocess.Popen[str]:
    process = spawn(module, *arguments)
    stack.callback(stop, process)
    return process


def _started(stack: ExitStack, command: str, env: dict[str, str]) -> subprocess.Popen[str]:
    process = start([sys.executable, "-m", "streaming_service.entrypoints.cli", command], env=env)
    stack.callback(stop, process)
    return process


async def _ready(apis: Sequence[subprocess.Popen[str]], ports: Sequence[int]) -> None:
    async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as session:
        for api, port in zip(apis, ports, strict=True):
            while not await _answers(session, port):
                if api.poll() is not None:
                    raise RuntimeError(f"an API ended with {api.returncode}")
                await asyncio.sleep(0.1)


async def _answers(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def main() -> int:
    quick = "--quick" in sys.argv[1:]
    try:
        figures = measure(100 if quick else 2000, 2 if quick else 10)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
