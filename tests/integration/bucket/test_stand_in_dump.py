"""What the stand-in OME dumps by the recipe, proved and mended; and what it leaves when it is stopped too early."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import m3u8
import pytest
from msgspec.structs import replace

from streaming_service.adapters.bucket import BucketOfManifests, DirectoryFolder
from streaming_service.application.ports import CopyReport, CopyVerdict
from streaming_service.devkit.media import make_clip
from streaming_service.devkit.ome import StandInOme, Timing
from tests.contract.ome.copies import start_dump
from tests.contract.ome.target import APP, Target, program
from tests.integration.bucket.conftest import LADDER
from tests.unit.adapters.bucket.dumps import PREFIX, plan

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]
SECONDS = 3.4
TIMING = Timing(poll=0.05, appear=(0.0, 0.05), warm_up=0.4, empty_share=0.0, linger=(0.1, 0.1), segment_seconds=1.0)
PLAN = replace(plan(SECONDS), rungs=LADDER.rungs, ladder=LADDER)


@pytest.fixture(params=[False, True], ids=["v0.21", "v0.20"])
async def ome(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    media = tmp_path / "media"
    media.mkdir()
    await make_clip(media / "once.mp4", seconds=SECONDS, size=(640, 360))
    server = StandInOme(
        media_root=media,
        state_dir=tmp_path / "state",
        applications={APP: LADDER},
        timing=TIMING,
        version_020=bool(request.param),
    )
    async with server, aiohttp.ClientSession() as http:
        yield Target(
            http,
            server.api_url,
            playback_url=server.playback_url,
            media_root=media,
            token="ome-key:ome-secret",
            stand_in=True,
            patience=15.0,
        )


async def dumped(ome: Target, folder: Path) -> str:
    """The stream whose dump holds all but its last segment."""
    name = ome.unique()
    await ome.create(name, "file://once.mp4", programs=[program("file://once.mp4", repeat=False, duration=5000)])
    await start_dump(ome, name, "copy", folder, ["master.m3u8"])
    await ome.until(
        lambda: ome.ask("GET", ome.channels(name)),
        lambda found: found.response["currentProgram"]["state"] == "offair",
    )
    return name


async def finished(root: Path) -> CopyReport:
    bucket = BucketOfManifests(DirectoryFolder(root))
    report = await bucket.finish(PLAN)
    bucket.close()
    return report


async def test_the_recipe_makes_a_complete_copy(ome: Target, tmp_path: Path) -> None:
    root = tmp_path / "bucket"
    name = await dumped(ome, root / PREFIX)
    early = await finished(root)

    await ome.act(name, "concludeHlsLive")
    async with asyncio.timeout(10):
        while (report := await finished(root)).verdict is not CopyVerdict.COMPLETE:
            await asyncio.sleep(0.1)

    assert early.verdict is CopyVerdict.INCOMPLETE
    assert report.duration == pytest.approx(SECONDS, abs=0.3)
    # ffmpeg's padding makes the sound's last segment really longer than the picture's.
    for pattern, excess in (("chunklist_*_video_*", 0.1), ("chunklist_*_audio_*", 1.0)):
        for playlist in (root / PREFIX).glob(pattern):
            length = sum(segment.duration or 0 for segment in m3u8.load(str(playlist)).segments)
            assert -0.3 <= length - SECONDS <= excess
    assert {path.name for path in (root / PREFIX).glob("[!c]*.m3u8")} == {
        "master.m3u8",
        "max-180p.m3u8",
        "llhls.m3u8",
    }


async def test_nothing_that_a_restart_cut_off_is_complete(ome: Target, tmp_path: Path) -> None:
    root = tmp_path / "bucket"
    name = await dumped(ome, root / PREFIX)
    await ome.delete(name)
    report = await finished(root)

    assert report.verdict is CopyVerdict.INCOMPLETE
    assert f"of {SECONDS:.2f} s" in report.detail
