"""An upload becomes ready with everything kept in Firestore."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from streaming_service.devkit.emulators import ComponentMissing, FirestoreEmulator
from streaming_service.devkit.platform import StandInPlatform
from tests.acceptance.harness import free_ports, get_json, ready, running
from tests.acceptance.test_dry_run import CONTENT, REGISTRATION
from tests.conftest import require_component

pytestmark = [pytest.mark.anyio, pytest.mark.firestore]


@pytest.fixture
def firestore() -> Iterator[dict[str, str]]:
    emulator = FirestoreEmulator()
    try:
        emulator.start()
    except ComponentMissing as missing:
        require_component(False, emulator.name, str(missing))
    yield emulator.environment
    emulator.stop()


async def test_a_registration_runs_through_everything_but_ome(firestore: dict[str, str], tmp_path: Path) -> None:
    port = free_ports(1)
    api = f"http://127.0.0.1:{port}"
    async with StandInPlatform(auth_token="auth") as platform:
        env = firestore | {
            "APP_ENV": "development",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "CHANNEL_REPOSITORY_BACKEND": "firestore",
            "FIRESTORE_PROJECT_ID": f"acceptance-{uuid4().hex[:8]}",
            "EVENT_SOURCE": "embedded",
            "DRY_RUN_PROVISIONING": "true",
            "OME_MEDIA_MOUNTS": "gs://uploads=",
            "CDN_BASE_URL": "https://cdn.example",
            "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
            "AUTH_SERVICE_BASE_URL": f"{platform.url}/auth",
            "AUTH_SERVICE_INTERNAL_TOKEN": "auth",
            "CONTENT_SERVICE_CALLBACK_URL": f"{platform.url}/content/callback",
        }
        async with running("db", "migrate", env=env, cwd=tmp_path) as process:
            assert "firebase deploy --only firestore:indexes" in await process.line("  cd infra/firestore")
        async with running("serve", "--with-worker", env=env, cwd=tmp_path) as process:
            await ready(api)
            async with aiohttp.ClientSession() as session:
                answer = await session.post(f"{api}/v1/admin/streams/register", json=REGISTRATION)
                assert answer.status == 202, await answer.text()
            (callback,) = await platform.wait_for("/content/callback")
            channel = await get_json(f"{api}/v1/admin/streams/{CONTENT}")
            manifest = await get_json(f"{api}/v1/streams/{CONTENT}/manifest", {"authorization": "Bearer viewer-demo"})
            assert await process.stop() == 0
    assert channel["status"] == "ready"
    assert manifest["manifestUrl"].startswith(f"https://cdn.example{channel['manifestPath']}?URLPrefix=")
    assert callback.body["contentId"] == CONTENT
