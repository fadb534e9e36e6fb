"""Two workers without the API: one of them shows what OME counts, and when it is gone the other does."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.harness import Process, fetch, free_ports, running

pytestmark = pytest.mark.anyio
PATIENCE = 40.0
SCRAPER = {"authorization": "Bearer metrics"}


def environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "APP_ENV": "test",
        "HTTP_HOST": "127.0.0.1",
        "WORKER_HTTP_PORT": str(port),
        "METRICS_ACCESS_TOKEN": "metrics",
        "STATS_INTERVAL_SECONDS": "0.2",
        "SQLITE_PATH": str(folder / "store.sqlite"),
        "EVENT_SOURCE": "push",
        "DRY_RUN_PROVISIONING": "true",
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "CDN_BASE_URL": "https://cdn.example",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
    }


async def shows(port: int) -> bool | None:
    """Whether this worker shows what OME counts; None while it does not listen."""
    try:
        status, page, _ = await fetch(f"http://127.0.0.1:{port}/metrics", SCRAPER)
    except aiohttp.ClientConnectorError:
        return None
    assert status == 200
    return b"\nstreaming_ome_up{" in page


async def until(ports: list[int], wanted: list[list[bool]], *processes: Process) -> list[bool | None]:
    """Wait until the workers show one of these."""
    seen: list[bool | None] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while (seen := [await shows(port) for port in ports]) not in wanted:
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{seen}\n" + "\n".join(line for item in processes for line in item.lines)) from None
    return seen


async def test_one_worker_shows_them_and_another_takes_over(tmp_path: Path) -> None:
    first = free_ports(2)
    ports = [first, first + 1]
    async with running("db", "migrate", env=environment(tmp_path, 0), cwd=tmp_path) as process:
        assert await process.child.wait() == 0, process.lines
    async with (
        running("worker", env=environment(tmp_path, ports[0]), cwd=tmp_path) as one,
        running("worker", env=environment(tmp_path, ports[1]), cwd=tmp_path) as other,
    ):
        seen = await until(ports, [[True, False], [False, True]], one, other)
        workers = dict(zip(ports, (one, other), strict=True))
        elected, waiting = sorted(ports, key=lambda port: seen[ports.index(port)] is not True)
        assert (await fetch(f"http://127.0.0.1:{waiting}/metrics"))[0] == 401
        assert (await fetch(f"http://127.0.0.1:{waiting}/livez"))[0] == 200
        assert (await fetch(f"http://127.0.0.1:{waiting}/readyz"))[0] == 200

        assert await workers[elected].stop() == 0
        await until([waiting], [[True]], workers[waiting])
        assert await workers[waiting].stop() == 0
