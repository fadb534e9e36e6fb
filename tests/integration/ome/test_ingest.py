"""Pushing to a live content: the whole service in one process, and a stand-in OME that asks it."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.bootstrap import Service, wire
from streaming_service.configuration import load
from streaming_service.devkit.ome import MediaFacts, StandInOme, SyntheticPackager, Timing, Webhook
from streaming_service.domain.channel import Channel
from streaming_service.domain.placement import ingest_name
from streaming_service.domain.state import Status
from streaming_service.entrypoints.serving import serve_http
from streaming_service.entrypoints.worker import run_worker
from streaming_service.errors import StoreUnavailable
from tests.integration.ome.conftest import LADDER, until

pytestmark = pytest.mark.anyio

CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
NAME = ingest_name("ss-", CONTENT)
SECRET = "hook-secret"
TOKEN = "service-token"
GRACE = 2.0
SLATE = MediaFacts(duration=4.0, width=320, height=180)


class FragileStore(MemoryStore):
    """Answers until it is told not to."""

    down = False

    async def get(self, content_id: str) -> Channel | None:
        self._must_be_up()
        return await super().get(content_id)

    async def on_ome(self) -> tuple[Channel, ...]:
        self._must_be_up()
        return await super().on_ome()

    def _must_be_up(self) -> None:
        if self.down:
            raise StoreUnavailable("down")


class Broadcast:
    """A live content on the air, and everything that makes it."""

    def __init__(self, ome: StandInOme, service: Service, store: FragileStore, url: str) -> None:
        self.ome, self.service, self.store, self.url = ome, service, store, url
        self.key = ""

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession() as session:
            address = f"{self.url}/v1/admin/streams/{path}"
            async with session.request(method, address, json=body, headers=headers) as answer:
                assert answer.status < 300, await answer.text()
                return await answer.json()

    async def registers(self) -> None:
        body = {"contentId": CONTENT, "contentType": "reel", "live": True, "slateGcsUri": "gs://uploads/slate.mp4"}
        self.key = (await self.admin("POST", "register", body))["ingest"]["streamKey"]

        async def ready() -> bool:
            channel = await self.store.get(CONTENT)
            return channel is not None and channel.status is Status.READY

        await until(ready)
        assert self.service.hooks
        await self.service.hooks.directory.refresh()

    async def rotates(self) -> str:
        return (await self.admin("POST", f"{CONTENT}/rotate-ingest"))["ingest"]["streamKey"]

    async def playlists(self) -> tuple[str, str]:
        """What a viewer sees: the ladder, and the segments of its first rung."""
        channel = await self.store.get(CONTENT)
        assert channel
        assert channel.serving
        base = f"{self.ome.playback_url}{channel.serving.path}"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{base}master.m3u8") as answer:
                assert answer.status == 200
                ladder = await answer.text()
            uri = next(line for line in ladder.splitlines() if line and not line.startswith("#"))
            async with session.get(f"{base}{uri}") as answer:
                return ladder, await answer.text()

    async def switched(self, times: int) -> None:
        """The viewer's one playlist has gone over between slate and live so often."""

        async def seen() -> bool:
            return (await self.playlists())[1].count("#EXT-X-DISCONTINUITY\n") >= times

        await until(seen)

    async def told(self) -> list[str]:
        history = (await self.admin("GET", f"{CONTENT}/events"))["items"]
        return [item["action"] for item in reversed(history)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def serving(ome: StandInOme, store: FragileStore, port: int) -> AsyncGenerator[Service]:
    """API and worker in one process."""
    variables = {
        "APP_ENV": "test",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "CHANNEL_REPOSITORY_BACKEND": "memory",
        "EVENT_SOURCE": "push",
        "SERVICE_AUTH_TOKEN": TOKEN,
        "OME_API_BASE_URL": ome.api_url,
        "OME_PLAYBACK_BASE_URL": ome.playback_url,
        "OME_API_KEY": "key",
        "OME_API_SECRET": "secret",
        "OME_WEBHOOK_SECRET": SECRET,
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "INGEST_KEY_GRACE_SECONDS": str(GRACE),
        "POLL_INTERVAL_MS": "50",
        "CDN_BASE_URL": "https://cdn.example",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        "AUTH_SERVICE_BASE_URL": "http://auth.example",
    }
    async with AiohttpTransport() as transport:
        service = wire(load(variables, env_file=None), store, transport, NullMediaLibrary())
        stop = asyncio.Event()
        async with serve_http(service):
            worker = asyncio.create_task(run_worker(service, stop))
            try:
                yield service
            finally:
                stop.set()
                await worker


@pytest.fixture
async def broadcast(tmp_path: Path) -> AsyncIterator[Broadcast]:
    port, store = free_port(), FragileStore()
    url = f"http://127.0.0.1:{port}"
    ome = StandInOme(
        media_root=tmp_path / "media",
        state_dir=tmp_path / "state",
        applications={"reels": LADDER, "series": LADDER},
        access_token="key:secret",
        timing=Timing.instant(segment_seconds=0.2),
        packager=SyntheticPackager({"slate.mp4": SLATE}),
        admission_webhook=Webhook(f"{url}/hooks/ome/admission", SECRET),
        transcode_webhook=Webhook(f"{url}/hooks/ome/transcode", SECRET),
    )
    async with ome, serving(ome, store, port) as service:
        made = Broadcast(ome, service, store, url)
        await made.registers()
        yield made


async def test_a_publisher_with_the_key_takes_over_from_the_slate(broadcast: Broadcast) -> None:
    ladder, _ = await broadcast.playlists()
    assert [int(height) for height in re.findall(r"RESOLUTION=\d+x(\d+)", ladder)] == [720, 480, 360], "not the slate's"
    async with broadcast.ome.publish("reels", broadcast.key) as encoder:
        assert encoder.live, encoder.error
        await broadcast.switched(1)
        assert encoder.live, "its own stream is passed on as it is, not refused"
        assert (await broadcast.admin("GET", CONTENT))["ingest"]["publisher"]["protocol"] == "rtmp"
    await broadcast.switched(2)

    async def gone() -> bool:
        return "publisher" not in (await broadcast.admin("GET", CONTENT))["ingest"]

    await until(gone)
    assert [action for action in await broadcast.told() if "publisher" in action] == [
        "publisher-connected",
        "publisher-disconnected",
    ]


async def test_over_srt(broadcast: Broadcast) -> None:
    async with broadcast.ome.publish("reels", broadcast.key, protocol="SRT") as encoder:
        assert encoder.live, encoder.error
        await broadcast.switched(1)


async def test_without_the_key_nobody_gets_in(broadcast: Broadcast) -> None:
    wrong = [f"{broadcast.key[:-1]}{'A' if broadcast.key[-1] != 'A' else 'B'}", NAME, "live"]
    for application, key in [*(("reels", item) for item in wrong), ("series", broadcast.key)]:
        async with broadcast.ome.publish(application, key) as encoder:
            assert not encoder.live
            assert "does not admit" in encoder.error
    assert not any("publisher" in action for action in await broadcast.told())


async def test_after_a_rotation_the_old_key_has_its_grace_and_then_its_publisher_is_cut(broadcast: Broadcast) -> None:
    async with broadcast.ome.publish("reels", broadcast.key) as first:
        assert first.live
        new = await broadcast.rotates()
        assert first.live, "nothing is cut by the rotation itself"
        async with asyncio.timeout(GRACE + 5):
            await first.cut()

    async def revoked() -> bool:
        return "ingest-revoked" in await broadcast.told()

    await until(revoked)
    async with broadcast.ome.publish("reels", broadcast.key) as late:
        assert not late.live, "the old key is void"
    async with broadcast.ome.publish("reels", new) as encoder:
        assert encoder.live, encoder.error
        await asyncio.sleep(0.3)
        assert encoder.live
    channel = await broadcast.store.get(CONTENT)
    assert channel
    assert len(channel.ingest) == 1


async def test_who_comes_with_the_old_key_in_its_grace_is_cut_when_that_is_over(broadcast: Broadcast) -> None:
    new = await broadcast.rotates()
    async with broadcast.ome.publish("reels", broadcast.key) as encoder:
        assert encoder.live, encoder.error
        async with asyncio.timeout(GRACE + 5):
            await encoder.cut()
    async with broadcast.ome.publish("reels", new) as encoder:
        assert encoder.live, encoder.error


async def test_while_the_store_is_down_a_known_key_lets_in(broadcast: Broadcast) -> None:
    broadcast.store.down = True
    async with broadcast.ome.publish("reels", broadcast.key) as encoder:
        assert encoder.live, encoder.error
        await asyncio.sleep(0.5)
        assert encoder.live
    broadcast.store.down = False


async def test_a_retired_content_cuts_its_publisher(broadcast: Broadcast) -> None:
    async with broadcast.ome.publish("reels", broadcast.key) as encoder:
        assert encoder.live
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession() as session:
            await session.delete(f"{broadcast.url}/v1/admin/streams/{CONTENT}", headers=headers)
        async with asyncio.timeout(10):
            await encoder.cut()
    async with broadcast.ome.publish("reels", broadcast.key) as late:
        assert not late.live
