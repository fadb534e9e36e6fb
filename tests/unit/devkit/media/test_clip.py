"""Sample clips."""

import asyncio
from pathlib import Path

import pytest

from streaming_service.devkit.media import FfmpegFailed, make_clip, probe, run_ffmpeg

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]


@pytest.mark.parametrize("audio", [True, False])
async def test_clip_is_what_was_asked_for(tmp_path: Path, audio: bool) -> None:
    path = await make_clip(tmp_path / "clip.mp4", seconds=1.5, size=(320, 180), audio=audio)

    facts = await probe(path)

    assert facts
    assert (facts.width, facts.height, facts.framerate, facts.audio) == (320, 180, 25.0, audio)
    assert facts.duration == pytest.approx(1.5, abs=0.1)
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


async def test_failure_says_why(tmp_path: Path) -> None:
    with pytest.raises(FfmpegFailed, match="No such file"):
        await run_ffmpeg(["-i", str(tmp_path / "nothing.mp4"), "-f", "null", "-"])


async def test_cancelling_kills_the_child(tmp_path: Path) -> None:
    endless = run_ffmpeg(["-re", "-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(endless, 0.3)
