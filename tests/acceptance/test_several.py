"""Three workers and two APIs on one Postgres, on machines whose clocks disagree by ten minutes."""

import asyncio
import json
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest
from aiohttp import web

from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.devkit.ome.rest import Reply
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.signing.cloud_cdn import KEY_BYTES, CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey, decode_key
from tests.acceptance.harness import Process, fetch, free_ports, ready, running
from tests.conftest import require_component

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

PRESET = "720p|1280x720|2500,480p|854x480|1500,360p|640x360|900"
LADDER = parse_ladder(PRESET)
KEY = "nZtRohdNF9m3cKM24IcK4w=="
SERVICE = {"authorization": "Bearer service"}
VIEWER = {"authorization": "Bearer viewer-demo"}
UPLOADS = 60
# The workers' clocks and the APIs': they do not agree.
WORKERS = (0.0, 300.0, -300.0)
APIS = (300.0, -300.0)
PATIENCE = 90.0
_ROOT = Path(__file__).parents[2]


class LoggedOme(StandInOme):
    """Counts how often it was told to make each scheduled channel, by name."""

    made: Counter[str]

    async def _reply(self, request: web.BaseRequest, content: bytes) -> Reply:
        reply = await super()._reply(request, content)
        if request.method == "POST" and request.path.endswith("/scheduledChannels") and reply.status < 300:
            self.made.update(re.findall(r"ss-[0-9a-f]{32}-\d+", content.decode()))
        return reply


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres()
    try:
        server.__enter__()
    except ComponentMissing as error:
        require_component(False, "Postgres", str(error))
    yield server
    server.__exit__(None, None, None)


class World:
    """Everything around the service, and its processes."""

    def __init__(self, env: dict[str, str], ome: LoggedOme, folder: Path, stack: AsyncExitStack) -> None:
        self.env = env
        self.ome = ome
        self.folder = folder
        self.elected: list[tuple[str, str]] = []
        self._stack = stack

    async def run(self, command: str, off_by: float, **env: str) -> Process:
        everything = {**self.env, "CLOCK_OFF_BY": str(off_by), **env}
        return await self._stack.enter_async_context(
            running(command, env=everything, cwd=self.folder, module="tests.acceptance.skewed")
        )

    async def run_api(self, off_by: float, port: int) -> Process:
        process = await self.run("serve", off_by, HTTP_PORT=str(port))
        await ready(f"http://127.0.0.1:{port}")
        return process

    async def upload(self, port: int, content_id: str, classification: str) -> None:
        """Until an API has taken it: one may be restarting."""
        body = {
            "contentId": content_id,
            "tenantId": "several",
            "contentType": classification,
            "sourceGcsUri": "gs://uploads/clip.mp4",
            "checksum": "sha256:1",
        }
        url = f"http://127.0.0.1:{port}/v1/admin/streams/register"
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(headers=SERVICE) as session:
            while True:
                with suppress(aiohttp.ClientError):
                    async with session.post(url, json=body) as answer:
                        if answer.status < 300:
                            return
                        assert answer.status >= 500, await answer.text()
                await asyncio.sleep(0.1)

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.env["POSTGRES_DSN"]) as connection:
            return connection.execute(query.encode()).fetchall()

    async def until_ready(self, number: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while self.rows("SELECT count(*) FROM channels WHERE status = 'ready'")[0][0] < number:
                    await asyncio.sleep(0.2)
        except TimeoutError:
            late = self.rows("SELECT content_id FROM channels WHERE status <> 'ready' LIMIT 1")
            told = "SELECT document::json->>'at', document::json->>'action', document::json->>'reason' FROM history"
            entries = self.rows(f"{told} WHERE content_id = '{late[0][0]}' ORDER BY id") if late else []
            raise AssertionError(f"{number} never came; of the late ones:\n" + "\n".join(map(str, entries))) from None

    async def watch_elections(self) -> None:
        """Who is elected for what, looked at again and again."""
        while True:
            self.elected += self.rows("SELECT name, owner FROM leases")
            await asyncio.sleep(0.1)


@pytest.fixture
async def world(tmp_path: Path, postgres: EmbeddedPostgres) -> AsyncGenerator[World]:
    media = tmp_path / "media"
    media.mkdir()
    (media / "clip.mp4").write_bytes(b"synthetic")
    signer = CloudCdnSigner(Keyring(SigningKey("primary", decode_key(KEY, "key", KEY_BYTES))))
    ome = LoggedOme(
        media_root=media,
        state_dir=tmp_path / "ome",
        applications={"reels": LADDER, "series": LADDER},
        # A start takes longer than a lease: only heartbeats keep it.
        timing=Timing(warm_up=2.5, poll=0.05),
        packager=SyntheticPackager(),
    )
    ome.made = Counter()
    async with (
        ome,
        StandInEdge(ome.playback_url, signer.verify) as edge,
        StandInPlatform(auth_token="auth") as platform,
        AsyncExitStack() as stack,
    ):
        env = {
            "PYTHONPATH": f"{_ROOT}:{_ROOT / 'src'}",
            "APP_ENV": "production",
            "HTTP_HOST": "127.0.0.1",
            "LOG_FORMAT": "json",
            "SERVICE_AUTH_TOKEN": "service",
            "METRICS_ACCESS_TOKEN": "metrics",
            "CHANNEL_REPOSITORY_BACKEND": "postgres",
            "POSTGRES_DSN": postgres.create_database(f"several-{uuid4().hex[:8]}"),
            "EVENT_SOURCE": "push",
            "OME_API_BASE_URL": ome.api_url,
            "OME_API_KEY": "ome-key",
            "OME_API_SECRET": "ome-secret",
            "OME_PLAYBACK_BASE_URL": ome.playback_url,
            "OME_REELS_PRESET": PRESET,
            "OME_SERIES_PRESET": PRESET,
            "OME_ORIGIN_CAPACITY": "100",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "MEDIA_INSPECTION": "false",
            "RECONCILE_INTERVAL_SECONDS": "0.5",
            "STATS_INTERVAL_SECONDS": "0.5",
            "LEASE_SECONDS": "2",
            "PROVISION_CONCURRENCY": "4",
            "CDN_BASE_URL": edge.url,
            "CDN_SIGNING_SECRET": KEY,
            "SIGNED_URL_TTL_SECONDS": "120",
            "AUTH_SERVICE_BASE_URL": f"{platform.url}/auth",
            "AUTH_SERVICE_INTERNAL_TOKEN": "auth",
            "BIGQUERY_EXPORT_URL": f"{platform.url}/bigquery",
        }
        async with running("db", "migrate", env=env, cwd=tmp_path) as process:
            assert await process.child.wait() == 0, process.lines
        yield World(env, ome, tmp_path, stack)


@asynccontextmanager
async def watched_elections(world: World) -> AsyncGenerator[None]:
    task = asyncio.create_task(world.watch_elections())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_sixty_uploads_while_processes_die(world: World) -> None:
    first = free_ports(2)
    ports = (first, first + 1)
    workers = [await world.run("worker", off_by) for off_by in WORKERS]
    apis = [await world.run_api(off_by, port) for off_by, port in zip(APIS, ports, strict=True)]
    contents = [str(uuid4()) for _ in range(UPLOADS)]
    kinds = ["EPISODE" if number % 6 == 0 else "REEL" for number in range(UPLOADS)]

    async with watched_elections(world):
        taken = [
            asyncio.create_task(world.upload(ports[number % 2], content_id, kind))
            for number, (content_id, kind) in enumerate(zip(contents, kinds, strict=True))
        ]
        for number, ready in enumerate((6, 20, 34)):
            await world.until_ready(ready)
            await workers[number].stop(signal.SIGKILL)
            workers.append(await world.run("worker", WORKERS[number]))
            if number == 1:
                assert await apis[1].stop() == 0
                apis[1] = await world.run_api(APIS[1], ports[1])
        await asyncio.gather(*taken)
        await world.until_ready(UPLOADS)

    _check_one_start_each(world, contents)
    _check_elections(world.elected)
    assert any("clock is off" in line for process in (*workers, *apis) for line in process.lines)
    await _check_urls_and_retirement(world, ports, contents)
    for process in (*workers[3:], *apis):
        assert await process.stop() == 0
        assert "Traceback" not in "\n".join(process.lines), "\n".join(process.lines)


def _check_one_start_each(world: World, contents: list[str]) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for stream, number in world.ome.made.items():
        assert number == 1, f"{stream} was made {number} times"
        names[stream.split("-")[1]].append(stream)
    assert {hexed: len(streams) for hexed, streams in names.items()} == {
        content_id.replace("-", ""): 1 for content_id in contents
    }


def _check_elections(seen: list[tuple[str, str]]) -> None:
    """Each keeps a job until it dies: a job that goes to and fro is done by two."""
    for job in ("reconciler", "statistics"):
        holders = [owner for owner, _ in groupby(owner for name, owner in seen if name == job)]
        assert holders
        assert len(holders) == len(set(holders)), holders


async def _check_urls_and_retirement(world: World, ports: tuple[int, int], contents: list[str]) -> None:
    """Both APIs sign URLs that the edge takes, and both stop when one is told to retire the content."""
    urls = [f"http://127.0.0.1:{port}/v1/streams/{contents[0]}/manifest" for port in ports]
    for url in urls:
        status, body, _ = await fetch(url, VIEWER)
        assert status == 200, body
        assert (await fetch(json.loads(body)["manifestUrl"]))[0] == 200
    retire = f"http://127.0.0.1:{ports[0]}/v1/admin/streams/{contents[0]}"
    async with aiohttp.ClientSession(headers=SERVICE) as session, session.delete(retire) as answer:
        assert answer.status < 300, await answer.text()
    began = time.monotonic()
    while any([(await fetch(url, VIEWER))[0] == 200 for url in urls]):
        assert time.monotonic() - began < 2.0, "a retired content is still signed"
        await asyncio.sleep(0.05)
