"""`make run`, from outside: what it prints, what plays, what is refused, and how it ends."""

import asyncio
import shutil
import signal
import socket
import subprocess
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from streaming_service.devkit.media.clip import make_clip
from streaming_service.devkit.media.ffmpeg import run_ffmpeg
from tests.acceptance.harness import Process, fetch, free_ports, get_json, running, watch
from tests.conftest import require_component

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]

SERVICE = {"x-service-token": "dev-service-token"}
VIEWER = {"authorization": "Bearer viewer-demo"}


class Stack:
    """A running `dev` and what it printed."""

    def __init__(self, process: Process, port: int, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.api, self.edge, self.ome, _, self.platform = (f"http://127.0.0.1:{port + offset}" for offset in range(5))
        self.port = port

    async def ready(self) -> str:
        return (await self.process.line("ready: ")).removeprefix("ready: ")


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    folder = tmp_path_factory.mktemp("main-job")
    port = free_ports(5)
    async with running("dev", "--port", str(port), cwd=folder) as process:
        stack = Stack(process, port, folder)
        await stack.ready()
        yield stack


async def test_every_step_is_shown_in_its_order(stack: Stack) -> None:
    steps = ["event accepted", "channel created on OME", "manifest playable", "notifications delivered", "ready: "]
    text = "\n".join(stack.process.lines)
    assert sorted(text.index(step) for step in steps) == [text.index(step) for step in steps]


async def test_the_manifest_lists_every_rung_and_all_of_them_are_real_video(stack: Stack, tmp_path: Path) -> None:
    seen = await watch(await stack.ready())
    assert [size.partition("x")[2] for size, _ in seen.variants] == ["720", "480", "360"]
    for size, media in seen.media.items():
        file = tmp_path / f"{size}.mp4"
        file.write_bytes(media)
        await run_ffmpeg(["-v", "error", "-xerror", "-i", str(file), "-f", "null", "-"])


async def test_without_its_signature_nothing_is_served_segments_included(stack: Stack) -> None:
    url = await stack.ready()
    for signed in [url, *(await watch(url)).urls]:
        status, _, _ = await fetch(signed.partition("?")[0])
        assert status == 403, signed


async def test_a_changed_signature_expiry_or_prefix_is_refused(stack: Stack) -> None:
    url = await stack.ready()
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    later = str(int(query["Expires"]) + 600)
    prefix = urlsafe_b64decode(query["URLPrefix"]).decode()
    wider = urlsafe_b64encode(prefix.rsplit("/", 2)[0].encode() + b"/").decode()
    signature = ("B" if query["Signature"][0] == "A" else "A") + query["Signature"][1:]
    for changed in (
        url.replace(query["Signature"], signature),
        url.replace(f"Expires={query['Expires']}", f"Expires={later}"),
        url.replace(query["URLPrefix"], wider),
    ):
        assert changed != url
        assert (await fetch(changed))[0] == 403


async def test_every_neighbour_was_told_in_its_own_shape(stack: Stack) -> None:
    url = await stack.ready()
    content_id = (await get_json(f"{stack.api}/v1/admin/streams", SERVICE))["items"][0]["contentId"]

    async def received(path: str) -> list[dict[str, Any]]:
        return (await get_json(f"{stack.platform}{path}"))["received"]

    callback = (await received("/content/callback"))[0]
    assert callback["body"]["contentId"] == content_id
    assert callback["body"]["manifestUrl"].partition("?")[0] == url.partition("?")[0]
    assert set(callback["body"]) == {"contentId", "manifestUrl", "channelId", "expiresAt", "checksum"}
    gateway = (await received("/gateway/warmup"))[0]
    assert set(gateway["body"]) == {"manifestUrl", "cacheKey"}
    events = {item["body"]["event"] for item in await received("/bigquery")}
    assert {"stream.provisioned", "cdn.warmup"} <= events
    # The stand-in refuses envelopes that are not of their event's shape.
    assert {item["status"] for item in await received("/bigquery")} == {202}
    assert (await received("/observability"))[0]["body"]["event"] == "stream.provisioned"
    told = [item["body"] for item in await received("/cdn/warmup")]
    assert all(body["url"].startswith(stack.edge) and body["region"] == "iad" for body in told)
    assert {urlsplit(body["url"]).path.rpartition(".")[2] for body in told} >= {"m3u8", "m4s"}
    warm_up = next(item["body"] for item in await received("/bigquery") if item["body"]["event"] == "cdn.warmup")
    ways = {(item["region"], item["way"]) for item in warm_up["payload"]["regions"]}
    assert ways == {("iad", "cdn-control"), ("sfo", "edge")}


async def test_it_is_probed_and_nothing_is_wrong(stack: Stack) -> None:
    await stack.ready()
    content_id = (await get_json(f"{stack.api}/v1/admin/streams", SERVICE))["items"][0]["contentId"]
    url = f"{stack.api}/internal/probes/manifest"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"contentId": content_id}, headers=SERVICE) as answer,
    ):
        assert answer.status == 200
        report = await answer.json()
    found = [(item["region"], item["target"], item["verdict"]) for item in report["results"]]
    assert found == [("iad", "primary", "ok"), ("sfo", "primary", "ok")], report
    assert report["failover"]["state"] == "primary"


async def test_viewers_are_moved_to_the_copy_in_the_bucket(stack: Stack, tmp_path: Path) -> None:
    url = (await stack.process.line("published: ")).removeprefix("published: ")
    assert urlsplit(url).path.startswith("/vod/reels/")
    seen = await watch(url)
    assert [size.partition("x")[2] for size, _ in seen.variants] == ["720", "480", "360"]
    for size, media in seen.media.items():
        file = tmp_path / f"{size}.mp4"
        file.write_bytes(media)
        await run_ffmpeg(["-v", "error", "-xerror", "-i", str(file), "-f", "null", "-"])
    for signed in [url, *seen.urls]:
        assert (await fetch(signed.partition("?")[0]))[0] == 403, signed
    channel = (await get_json(f"{stack.api}/v1/admin/streams", SERVICE))["items"][0]
    assert (channel["phase"], channel["gcsBucket"]) == ("published", "manifests")
    assert channel["storagePrefix"] in url


async def test_a_cap_plays_from_the_copy_too(stack: Stack) -> None:
    await stack.process.line("published: ")
    content_id = (await get_json(f"{stack.api}/v1/admin/streams", SERVICE))["items"][0]["contentId"]
    answer = await get_json(f"{stack.api}/v1/streams/{content_id}/manifest?quality=480p", VIEWER)
    assert urlsplit(answer["manifestUrl"]).path.endswith("/max-480p.m3u8")
    seen = await watch(answer["manifestUrl"])
    assert [size.partition("x")[2] for size, _ in seen.variants] == ["480", "360"]


async def test_prometheus_understands_every_metric(stack: Stack) -> None:
    promtool = shutil.which("promtool")
    require_component(promtool is not None, "promtool", "Install it, on Debian with: apt-get install prometheus")
    status, page, _ = await fetch(f"{stack.api}/metrics", {"authorization": "Bearer dev-metrics-token"})
    assert status == 200
    command = [promtool or "", "check", "metrics"]
    lint = await asyncio.to_thread(subprocess.run, command, input=page, capture_output=True, check=False)
    # That name is fixed by the dashboards that read it.
    complaint = "streaming_manifest_latency_ms metric names should not contain abbreviated units"
    assert lint.stderr.decode().strip() == complaint
    for name in ("streaming_provisioning_total", "streaming_channels", "streaming_outbox_pending", "streaming_ome_up"):
        assert f"\n{name}{{".encode() in page
    assert (await fetch(f"{stack.api}/metrics"))[0] == 401


async def test_a_viewers_own_video_can_be_published_and_replaced(stack: Stack, tmp_path: Path) -> None:
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    await make_clip(first, seconds=3, size=(640, 360))
    await make_clip(second, seconds=3, size=(640, 360), tone_hz=880)
    content_id = "6f1c2d3e-4a5b-4c6d-8e7f-001122334455"
    urls: list[str] = []
    for file in (first, second):
        async with running("publish", str(file), "--content-id", content_id, cwd=stack.folder) as process:
            urls.append((await process.line("ready: ")).removeprefix("ready: "))
            assert await process.child.wait() == 0
    assert urls[0].partition("?")[0] != urls[1].partition("?")[0]
    # Whoever watches the first one still does: it is only taken away when its URLs have expired.
    for url in urls:
        assert (await fetch(url))[0] == 200
    channel = await get_json(f"{stack.api}/v1/admin/streams/{content_id}", SERVICE)
    assert (channel["generation"], channel["status"]) == (2, "ready")


async def test_a_second_stack_on_the_same_port_says_what_to_do(stack: Stack, tmp_path: Path) -> None:
    async with running("dev", "--port", str(stack.port), cwd=tmp_path) as process:
        assert await process.child.wait() == 2
        await process._reader
    assert f"port {stack.port}" in process.lines[-1]
    assert "make run PORT=" in process.lines[-1]


async def test_an_interrupt_ends_it_cleanly_with_nothing_left(tmp_path: Path) -> None:
    port = free_ports(5)
    async with running("dev", "--port", str(port), cwd=tmp_path) as process:
        await process.line("ready: ")
        assert await process.stop(signal.SIGINT) == 0
    assert process.lines[-1] == "stopped"
    assert "Traceback" not in "\n".join(process.lines)
    for offset in range(5):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port + offset)) != 0
