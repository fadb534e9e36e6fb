"""`DRY_RUN_PROVISIONING=true`: the whole service in one process, and nothing that is sent to OME."""

from pathlib import Path

import aiohttp
import pytest

from streaming_service.devkit.platform import StandInPlatform
from tests.acceptance.harness import free_ports, get_json, ready, running

pytestmark = pytest.mark.anyio

CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
REGISTRATION = {
    "contentId": CONTENT,
    "tenantId": "tenant-7",
    "contentType": "series",
    "sourceGcsUri": "gs://uploads/episode.mp4",
    "checksum": "sha256:1",
    "durationSeconds": 10,
    "ingestRegion": "us-east1",
}


async def test_a_registration_runs_through_everything_but_ome(tmp_path: Path) -> None:
    port = free_ports(1)
    api = f"http://127.0.0.1:{port}"
    async with StandInPlatform(auth_token="auth") as platform:
        env = {
            "APP_ENV": "development",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "SQLITE_PATH": str(tmp_path / "store.sqlite"),
            "EVENT_SOURCE": "embedded",
            "DRY_RUN_PROVISIONING": "true",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "CDN_BASE_URL": "https://cdn.example",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
            "AUTH_SERVICE_BASE_URL": f"{platform.url}/auth",
            "AUTH_SERVICE_INTERNAL_TOKEN": "auth",
            "CONTENT_SERVICE_CALLBACK_URL": f"{platform.url}/content/callback",
        }
        async with running("serve", "--with-worker", env=env, cwd=tmp_path) as process:
            await ready(api)
            async with aiohttp.ClientSession() as session:
                answer = await session.post(f"{api}/v1/admin/streams/register", json=REGISTRATION)
                assert answer.status == 202, await answer.text()
            (callback,) = await platform.wait_for("/content/callback")
            channel = await get_json(f"{api}/v1/admin/streams/{CONTENT}")
            viewer = {"authorization": "Bearer viewer-demo"}
            manifest = await get_json(f"{api}/v1/streams/{CONTENT}/manifest", viewer)
            assert await process.stop() == 0
    assert channel["status"] == "ready"
    assert channel["playbackUrl"] == f"http://dry-run.invalid{channel['manifestPath']}"
    assert manifest["manifestUrl"].startswith(f"https://cdn.example{channel['manifestPath']}?URLPrefix=")
    assert callback.body["contentId"] == CONTENT
