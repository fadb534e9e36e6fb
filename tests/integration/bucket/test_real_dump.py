"""A dump of real fragments: proved, mended, and played to its end."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from streaming_service.adapters.bucket import BucketOfManifests, DirectoryFolder
from streaming_service.application.ports import CopyReport, CopyVerdict
from streaming_service.devkit.media import run_ffmpeg
from tests.integration.bucket.conftest import LADDER, make_dump
from tests.unit.adapters.bucket.dumps import PREFIX, chunklist_name, plan

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]
PLAN = plan(5.0, rungs=LADDER.rungs, ladder=LADDER)
TRACKS = [chunklist_name(0, "video"), chunklist_name(1, "video"), chunklist_name(2, "audio")]


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    await make_dump(tmp_path / PREFIX, 4.88)
    return tmp_path


async def finished(root: Path, duration: float = 5.0) -> CopyReport:
    bucket = BucketOfManifests(DirectoryFolder(root))
    report = await bucket.finish(replace(PLAN, duration=duration))
    bucket.close()
    return report


async def played(playlist: Path) -> tuple[float, float]:
    """Seconds that a player takes it for, and seconds that it really decodes."""
    text = await run_ffmpeg(["-allowed_extensions", "ALL", "-i", str(playlist), "-map", "0:v:0", "-f", "null", "-"])
    said = re.search(r"Duration: (\d+):(\d+):([\d.]+)", text)
    decoded = re.findall(r"time=(\d+):(\d+):([\d.]+)", text)[-1]
    assert said is not None
    return _seconds(said.groups()), _seconds(decoded)


def _seconds(clock: tuple[str, ...]) -> float:
    hours, minutes, seconds = clock
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


async def test_a_whole_dump_is_complete_and_plays_from_every_playlist(root: Path) -> None:
    report = await finished(root)

    assert (report.verdict, report.detail) == (CopyVerdict.COMPLETE, "3 tracks, 3 playlists, 0 ends corrected")
    for name in ("master.m3u8", "max-180p.m3u8", "llhls.m3u8"):
        assert await played(root / PREFIX / name) == pytest.approx((4.88, 4.88), abs=0.1)


async def test_the_wrong_end_of_v020_is_put_right(root: Path) -> None:
    for name in TRACKS:
        path = root / PREFIX / name
        text = path.read_text()
        path.write_text(re.sub(r"#EXTINF:[\d.]+(?=,\s*seg\S*\s*#EXT-X-ENDLIST)", "#EXTINF:30.360000", text))
    assert (await played(root / PREFIX / "master.m3u8"))[0] > 30

    report = await finished(root)

    assert (report.verdict, report.detail) == (CopyVerdict.COMPLETE, "3 tracks, 3 playlists, 3 ends corrected")
    assert await played(root / PREFIX / "master.m3u8") == pytest.approx((4.88, 4.88), abs=0.1)


async def test_a_dump_that_was_cut_off_looks_finished_and_is_not(root: Path) -> None:
    for name in TRACKS:
        path = root / PREFIX / name
        lines = path.read_text().splitlines()
        last = max(index for index, line in enumerate(lines) if line.startswith("#EXTINF"))
        path.write_text("\n".join([*lines[:last], "#EXT-X-ENDLIST", ""]))
    report = await finished(root)

    assert report.verdict is CopyVerdict.INCOMPLETE
    assert "of 5.00 s" in report.detail


async def test_a_second_loop_is_not_a_longer_film(root: Path) -> None:
    report = await finished(root, duration=2.5)

    assert report.verdict is CopyVerdict.INCOMPLETE
    assert "too long" in report.detail
