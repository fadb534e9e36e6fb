"""API and worker as processes of their own, as in production: Postgres, Pub/Sub by StreamingPull, OME, and an edge."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.emulators import ComponentMissing, PubSubEmulator
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.clock import to_wire
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.signing.cloud_cdn import KEY_BYTES, CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey, decode_key
from tests.acceptance.harness import Process, fetch, free_ports, get_json, running
from tests.conftest import require_component

pytestmark = [pytest.mark.anyio, pytest.mark.postgres, pytest.mark.pubsub]

LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500,360p|640x360|900")
KEY = "nZtRohdNF9m3cKM24IcK4w=="
SERVICE = {"authorization": "Bearer service-two"}
VIEWER = {"authorization": "Bearer viewer-demo"}
PROJECT = "streaming-acceptance"


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres()
    try:
        server.__enter__()
    except ComponentMissing as error:
        require_component(False, "Postgres", str(error))
    yield server
    server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def pubsub() -> Iterator[PubSubEmulator]:
    emulator = PubSubEmulator()
    try:
        emulator.start()
    except ComponentMissing as error:
        require_component(False, "the Pub/Sub emulator", str(error))
    yield emulator
    emulator.stop()


class World:
    """Everything around the service, and the environment that leads the service to it."""

    def __init__(self, env: dict[str, str], ome: StandInOme, publish: Callable[[bytes], None], folder: Path) -> None:
        self.env = env
        self.ome = ome
        self.publish = publish
        self.folder = folder
        self.api = f"http://127.0.0.1:{env['HTTP_PORT']}"

    def upload(self, content_id: str, checksum: str = "sha256:1") -> None:
        """A `media.uploaded` event on the topic."""
        event = {
            "uploadId": str(uuid4()),
            "objectKey": "clip.mp4",
            "storageUrl": "gs://uploads/clip.mp4",
            "assetType": "video",
            "adminId": "acceptance",
            "contentId": content_id,
            "contentClassification": "REEL",
            "contentType": "video/mp4",
            "validation": {"checksum": checksum, "durationSeconds": 8, "width": 1280, "height": 720},
            "emittedAt": to_wire(datetime.now(UTC)),
        }
        self.publish(json.dumps(event).encode())

    async def channel(self, content_id: str) -> dict[str, Any] | None:
        try:
            status, body, _ = await fetch(f"{self.api}/v1/admin/streams/{content_id}", SERVICE)
        except aiohttp.ClientConnectorError:
            return None  # the API is still starting
        return json.loads(body) if status == 200 else None

    async def until(self, content_id: str, **wanted: Any) -> dict[str, Any]:
        """The channel once it shows these values."""
        seen: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(30):
                while True:
                    seen = await self.channel(content_id)
                    if seen and all(seen.get(name) == value for name, value in wanted.items()):
                        return seen
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{wanted} never came; last seen {seen}") from None

    def on_ome(self, content_id: str) -> list[str]:
        """Names of this content's scheduled channels on OME."""
        folder = self.ome.state_dir / "sch-reels"
        return sorted(file.stem for file in folder.glob(f"*{content_id.replace('-', '')}*.sch"))


@pytest.fixture
async def world(
    tmp_path: Path, postgres: EmbeddedPostgres, pubsub: PubSubEmulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World]:
    from google.cloud import pubsub_v1

    for name, value in pubsub.environment.items():
        monkeypatch.setenv(name, value)
    topic = f"projects/{PROJECT}/topics/media-uploaded-{uuid4().hex[:8]}"
    subscription = topic.replace("/topics/", "/subscriptions/")
    publisher = pubsub_v1.PublisherClient()
    with pubsub_v1.SubscriberClient() as subscriber:
        publisher.create_topic(name=topic)
        subscriber.create_subscription(name=subscription, topic=topic)
    media = tmp_path / "media"
    media.mkdir()
    (media / "clip.mp4").write_bytes(b"synthetic")
    signer = CloudCdnSigner(Keyring(SigningKey("primary", decode_key(KEY, "key", KEY_BYTES))))
    ome = StandInOme(
        media_root=media,
        state_dir=tmp_path / "ome",
        applications={"reels": LADDER, "series": LADDER},
        timing=Timing.instant(),
        packager=SyntheticPackager(),
    )
    async with (
        ome,
        StandInEdge(ome.playback_url, signer.verify) as edge,
        StandInPlatform(auth_token="auth") as platform,
    ):
        env = {
            **pubsub.environment,
            "APP_ENV": "production",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(free_ports(1)),
            "LOG_FORMAT": "json",
            "SERVICE_AUTH_TOKEN": "service-one,service-two",
            "METRICS_ACCESS_TOKEN": "metrics",
            "CHANNEL_REPOSITORY_BACKEND": "postgres",
            "POSTGRES_DSN": postgres.create_database(f"acceptance-{uuid4().hex[:8]}"),
            "EVENT_SOURCE": "pubsub",
            "PUBSUB_UPLOAD_SUBSCRIPTION": subscription,
            "OME_API_BASE_URL": ome.api_url,
            "OME_API_KEY": "ome-key",
            "OME_API_SECRET": "ome-secret",
            "OME_PLAYBACK_BASE_URL": ome.playback_url,
            "OME_ORIGIN_CAPACITY": "100",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "MEDIA_INSPECTION": "false",
            "RECONCILE_INTERVAL_SECONDS": "0.5",
            "LEASE_SECONDS": "1",
            "CDN_BASE_URL": edge.url,
            "CDN_SIGNING_SECRET": KEY,
            "AUTH_SERVICE_BASE_URL": f"{platform.url}/auth",
            "AUTH_SERVICE_INTERNAL_TOKEN": "auth",
            "BIGQUERY_EXPORT_URL": f"{platform.url}/bigquery",
            "CONTENT_SERVICE_CALLBACK_URL": f"{platform.url}/content/callback",
        }

        def publish(data: bytes) -> None:
            publisher.publish(topic, data).result(timeout=20)

        yield World(env, ome, publish, tmp_path)
    publisher.transport.close()


async def migrate(world: World) -> None:
    async with running("db", "migrate", env=world.env, cwd=world.folder) as process:
        assert await process.child.wait() == 0, process.lines


def worker(world: World) -> Any:
    return running("worker", env=world.env, cwd=world.folder)


def api(world: World) -> Any:
    return running("serve", env=world.env, cwd=world.folder)


async def test_an_upload_by_pubsub_becomes_a_signed_manifest_that_plays(world: World) -> None:
    await migrate(world)
    content_id = str(uuid4())
    async with api(world) as serving, worker(world) as working:
        world.upload(content_id)
        await world.until(content_id, status="ready")
        answer = await get_json(f"{world.api}/v1/streams/{content_id}/manifest?quality=480p", VIEWER)
        status, body, _ = await fetch(answer["manifestUrl"])
        assert (status, body.count(b"#EXT-X-STREAM-INF")) == (200, 2)
        assert (await fetch(answer["manifestUrl"].partition("?")[0]))[0] == 403
        # What nobody can understand is kept, not redelivered for ever.
        world.publish(b"{not json")
        await _dead_letter(world)
        assert await working.stop() == 0
        assert await serving.stop() == 0
    _no_traceback(serving, working)


async def _dead_letter(world: World) -> None:
    async with asyncio.timeout(20):
        while not (letters := (await get_json(f"{world.api}/v1/admin/dead-letters", SERVICE))["items"]):
            await asyncio.sleep(0.05)
    assert letters[0]["text"] == "{not json"


async def test_a_worker_that_is_killed_leaves_nothing_half_done(world: World) -> None:
    await migrate(world)
    contents = [str(uuid4()) for _ in range(12)]
    async with api(world):
        async with worker(world) as first:
            for content_id in contents:
                world.upload(content_id)
            await world.until(contents[0], status="ready")
            await first.stop(signal.SIGKILL)
        async with worker(world):
            for content_id in contents:
                await world.until(content_id, status="ready")
                assert len(world.on_ome(content_id)) == 1


async def test_a_wiped_ome_is_filled_again_without_a_person(world: World) -> None:
    await migrate(world)
    content_id = str(uuid4())
    async with api(world), worker(world):
        world.upload(content_id)
        before = await world.until(content_id, status="ready")
        await world.ome.restart(wipe=True)
        async with asyncio.timeout(30):
            while (now := await world.until(content_id, status="ready"))["manifestPath"] == before["manifestPath"]:
                await asyncio.sleep(0.05)
        # A fresh name: no CDN can serve the old stream's bytes for it.
        assert world.on_ome(content_id) == [now["manifestPath"].split("/")[2]]


async def test_production_names_everything_that_is_missing_and_does_not_start(world: World) -> None:
    missing = ("SERVICE_AUTH_TOKEN", "CDN_SIGNING_SECRET", "AUTH_SERVICE_BASE_URL")
    env = {name: value for name, value in world.env.items() if name not in missing}
    async with running("serve", env=env, cwd=world.folder) as process:
        assert await process.child.wait() == 2
        await process._reader
    for name in missing:
        assert any(name in line for line in process.lines)


async def test_a_database_without_our_schema_is_refused_with_what_to_do(world: World) -> None:
    async with api(world) as process:
        assert await process.child.wait() == 2
        await process._reader
    assert "streaming-service db migrate" in process.lines[-1]


def _no_traceback(*processes: Process) -> None:
    for process in processes:
        assert "Traceback" not in "\n".join(process.lines), "\n".join(process.lines)
