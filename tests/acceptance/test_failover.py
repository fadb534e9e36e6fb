"""Two APIs on one store: what one is told, the other follows."""

import asyncio
import sqlite3
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest

from streaming_service.adapters.store.migrate import upgrade
from streaming_service.devkit.platform import StandInPlatform
from tests.acceptance.harness import PATIENCE, Process, fetch, free_ports, get_json, ready, running
from tests.contract.store.builders import content_id

pytestmark = pytest.mark.anyio

VIEWER = {"authorization": "Bearer viewer-demo"}
CONTENT = content_id(1)


async def upload(port: int) -> None:
    """Registered, and ready."""
    body = {
        "contentId": CONTENT,
        "tenantId": "tenant-7",
        "contentType": "reel",
        "sourceGcsUri": "gs://uploads/clip.mp4",
        "checksum": "sha256:1",
        "durationSeconds": 10,
        "ingestRegion": "us-east1",
    }
    url, headers = f"http://127.0.0.1:{port}/v1/admin/streams", {"authorization": "Bearer service"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{url}/register", json=body) as answer:
        assert answer.status == 202, await answer.text()
    async with asyncio.timeout(PATIENCE):
        while (await get_json(f"{url}/{CONTENT}", headers))["status"] != "ready":
            await asyncio.sleep(0.05)


async def leads_to(port: int) -> tuple[str, bool]:
    url = f"http://127.0.0.1:{port}/v1/streams/{CONTENT}/manifest"
    answer = await get_json(url, VIEWER)
    assert answer["manifestUrl"].startswith(f"https://{answer['cdn']}/")
    return answer["cdn"], answer["policy"]["failover"]


async def follow(port: int, cdn: str) -> None:
    """Until it sends viewers there."""
    async with asyncio.timeout(PATIENCE):
        while (await leads_to(port))[0] != cdn:
            await asyncio.sleep(0.02)


async def test_every_process_follows(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite")
    upgrade(path)
    first = free_ports(2)
    ports = [first, first + 1]
    async with StandInPlatform(auth_token="auth") as platform:
        env = {
            "APP_ENV": "test",
            "HTTP_HOST": "127.0.0.1",
            "SQLITE_PATH": path,
            "EVENT_SOURCE": "push",
            "DRY_RUN_PROVISIONING": "true",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "SERVICE_AUTH_TOKEN": "service",
            "METRICS_ACCESS_TOKEN": "metrics",
            "AUTH_SERVICE_BASE_URL": f"{platform.url}/auth",
            "AUTH_SERVICE_INTERNAL_TOKEN": "auth",
            "CDN_BASE_URL": "https://cdn.example",
            "CDN_FAILOVER_BASE_URL": "https://standby.example",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        }

        def serve(port: int, *options: str) -> AbstractAsyncContextManager[Process]:
            return running("serve", *options, env={**env, "HTTP_PORT": str(port)}, cwd=tmp_path)

        async with serve(ports[0], "--with-worker"):
            await ready(f"http://127.0.0.1:{ports[0]}")
            await upload(ports[0])
            assert await leads_to(ports[0]) == ("cdn.example", False)
            await order(ports[0], f"{CONTENT}/promote")
            assert await leads_to(ports[0]) == ("standby.example", True)
            async with serve(ports[1]):
                await ready(f"http://127.0.0.1:{ports[1]}")
                assert await leads_to(ports[1]) == ("standby.example", True), "it knew before it was asked"
                url = f"http://127.0.0.1:{ports[1]}/metrics"
                _, metrics, _ = await fetch(url, {"authorization": "Bearer metrics"})
                assert b'streaming_failover_contents{state="promoted"} 1.0' in metrics

                for _ in range(2):  # the second one ends the ramp
                    await order(ports[0], f"{CONTENT}/demote")
                await follow(ports[1], "cdn.example")

                async with running("failover", "promote", "cdn", env=env, cwd=tmp_path) as process:
                    assert await process.child.wait() == 0, process.lines
                for port in ports:
                    await follow(port, "standby.example")
    with sqlite3.connect(path) as connection:
        jobs = {name for (name,) in connection.execute("SELECT name FROM leases")}
    connection.close()
    assert "failover" in jobs, "the worker writes down what time alone changes"


async def order(port: int, path: str) -> None:
    """The store has it when the answer comes."""
    url = f"http://127.0.0.1:{port}/v1/admin/failover/{path}"
    headers = {"authorization": "Bearer service"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url) as answer:
        assert answer.status == 200, await answer.text()
