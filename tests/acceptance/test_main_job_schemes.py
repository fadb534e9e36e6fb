"""`make run SIGNING=…`: the main job under each scheme other than the default, which test_main_job looks at."""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.harness import PATIENCE, fetch, free_ports, get_json, running, watch

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]

SERVICE = {"x-service-token": "dev-service-token"}
VIEWER = {"authorization": "Bearer viewer-demo"}
# What carries the grant, wherever it stands; without it nothing may be served.
_GRANTS = re.compile(r"/edge-cache-token=[^/]*|\?.*")


async def told(url: str) -> dict[str, Any]:
    """The first body that this receiver was sent, once there is one."""
    async with asyncio.timeout(PATIENCE):
        while not (received := (await get_json(url))["received"]):
            await asyncio.sleep(0.05)
        return received[0]["body"]


@pytest.mark.parametrize("scheme", ["cloud-cdn-cookie", "media-cdn", "ome", "hmac"])
async def test_it_plays_with_its_grant_and_not_without(tmp_path: Path, scheme: str) -> None:
    port = free_ports(6)
    api, platform = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 4}"
    by_cookie = scheme == "cloud-cdn-cookie"
    async with running("dev", "--port", str(port), "--signing", scheme, cwd=tmp_path) as process:
        shown = (await process.line("ready: ")).removeprefix("ready: ")
        content_id = (await get_json(f"{api}/v1/admin/streams", SERVICE))["items"][0]["contentId"]
        asked = f"{api}/v1/streams/{content_id}/manifest"
        answer = await get_json(f"{asked}?session=0f8fad5b-d9cb-469f-a165-70867728950e", VIEWER)
        internal = await get_json(f"{api}/internal/playback/{content_id}", SERVICE)
        callback, gateway = await told(f"{platform}/content/callback"), await told(f"{platform}/gateway/warmup")

        assert ("&Session=0f8fad5b-d9cb-469f-a165-70867728950e" in answer["manifestUrl"]) is (scheme == "hmac")
        for url, body in (
            (answer["manifestUrl"], answer),
            (internal["playbackUrl"], internal),
            (callback["manifestUrl"], callback),
            (gateway["manifestUrl"], gateway),
        ):
            assert ("cookies" in body) is by_cookie
            cookies = body.get("cookies", [])
            headers = {"cookie": "; ".join(f"{item['name']}={item['value']}" for item in cookies)}
            assert [(item["domain"], item["path"]) for item in cookies] == (
                [("127.0.0.1", urlsplit(url).path.rpartition("/")[0] + "/")] if by_cookie else []
            )
            seen = await watch(url, headers if by_cookie else None)
            assert len(seen.media) == 3
            for address in (url, *seen.urls):
                assert (await fetch(_GRANTS.sub("", address)))[0] == 403
        assert shown.startswith(f"http://127.0.0.1:{port + 1}/reels/")
        warmed = (await get_json(f"http://127.0.0.1:{port + 1}/_edge"))["recent"][0]
        assert (warmed["verdict"], warmed["status"]) == ("valid", 200)

        published = (await process.line("published: ")).removeprefix("published: ")
        assert "/vod/reels/" in published
        answer = await get_json(asked, VIEWER)
        async with asyncio.timeout(10):  # who answers viewers follows what the worker wrote
            while "/vod/" not in answer["manifestUrl"]:
                await asyncio.sleep(0.05)
                answer = await get_json(asked, VIEWER)
        headers = {"cookie": "; ".join(f"{item['name']}={item['value']}" for item in answer.get("cookies", []))}
        assert (await watch(answer["manifestUrl"], headers if by_cookie else None)).media


async def test_an_unknown_scheme_is_wrong_usage(tmp_path: Path) -> None:
    async with running("dev", "--signing", "none", cwd=tmp_path) as process:
        assert await process.child.wait() == 2
        await process._reader
    assert "--signing: is not one of cloud-cdn, cloud-cdn-cookie, media-cdn, ome, hmac" in "\n".join(process.lines)
