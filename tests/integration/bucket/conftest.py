"""A dump as ffmpeg writes it under OME's names, and the Cloud Storage emulator."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from streaming_service.devkit.emulators import CloudStorageEmulator, ComponentMissing
from streaming_service.devkit.media import run_ffmpeg
from streaming_service.domain.ladder import parse_ladder
from tests.conftest import require_component
from tests.unit.adapters.bucket.dumps import chunklist_name, master

LADDER = parse_ladder("360p|640x360|400,180p|320x180|200")
KEY = "txr8p6Fs_llhls"
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000")


@pytest.fixture(scope="session")
def shared_storage() -> Iterator[CloudStorageEmulator]:
    emulator = CloudStorageEmulator()
    try:
        emulator.start()
    except ComponentMissing as error:
        require_component(False, emulator.name, str(error))
    yield emulator
    emulator.stop()


async def make_dump(folder: Path, seconds: float) -> None:
    """Two renditions and sound, as long as that, in segments of 2 s."""
    folder.mkdir(parents=True)
    video = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")
    tracks = [
        _track(folder, number, "video", ["-map", "0:v", *video, "-s", f"{rung.width}x{rung.height}"])
        for number, rung in enumerate(LADDER.rungs)
    ]
    tracks.append(_track(folder, len(LADDER.rungs), "audio", ["-map", "1:a", "-c:a", "aac"]))
    inputs = [*PICTURE, *TONE]
    await run_ffmpeg(
        ["-loglevel", "error", *inputs, *(word for track in tracks for word in ("-t", f"{seconds}", *track))]
    )
    (folder / "master.m3u8").write_text(master(LADDER.rungs))


def _track(folder: Path, number: int, kind: str, codec: Sequence[str]) -> list[str]:
    hls = ["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    names = ["-hls_fmp4_init_filename", f"init_{number}_{kind}_{KEY}.m4s"]
    segments = ["-hls_segment_filename", str(folder / f"seg_{number}_%d_{kind}_{KEY}.m4s")]
    return [*codec, *hls, *names, *segments, str(folder / chunklist_name(number, kind))]
