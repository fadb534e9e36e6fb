"""One dump, with a clock that we turn."""

from pathlib import Path
from random import Random

import m3u8
import pytest
from msgspec.structs import replace

from streaming_service.devkit.media import MediaFacts
from streaming_service.devkit.ome.channel import Channel, Ticks
from streaming_service.devkit.ome.dump import Dump, DumpFailed, DumpOrder
from streaming_service.devkit.ome.packager import Package
from streaming_service.devkit.ome.playlists import Names
from streaming_service.devkit.ome.schedule import Item, Program, Schedule, StreamSpec
from streaming_service.devkit.ome.synthetic import SyntheticPackage, SyntheticPackager
from streaming_service.devkit.ome.timing import Timing
from streaming_service.devkit.ome.webhooks import local_outputs
from streaming_service.domain.ladder import parse_ladder
from tests.unit.devkit.ome.test_boxes import init
from tests.unit.devkit.ome.test_trim import SIZES, fragment

pytestmark = pytest.mark.anyio

LADDER = parse_ladder("360p|640x360|800,240p|426x240|400")
PACKAGES = SyntheticPackager({"a": MediaFacts(duration=5.0, width=640, height=360, audio=False)})
NAMES = Names("1")


def open_item(url: str) -> Package | None:
    return PACKAGES.open(Path(url), LADDER, 2.0)


@pytest.fixture
def channel() -> Channel:
    items = (Item("file://a"), Item("file://b", duration=2000))
    program = Program("p1", "", 1000.0, repeat=False, items=items)
    made = Channel(
        Schedule(StreamSpec("channel", audio_track=False), (program,)),
        written=1000.0,
        ticks=Ticks(1000.0, 0.0),
        timing=Timing.instant(),
        random=Random(7),
        open_item=open_item,
    )
    made.outputs = local_outputs(LADDER)
    return made


def dump(channel: Channel, folder: Path, *playlist: str) -> Dump:
    assert channel.outputs
    return Dump(DumpOrder("channel", "d", str(folder), playlist or ("master.m3u8",)), channel, channel.outputs, NAMES)


def copied(folder: Path) -> list[int]:
    """Numbers of the segments in the first chunklist."""
    playlist = m3u8.loads((folder / "chunklist_0_video_1_llhls.m3u8").read_text())
    assert playlist.is_endlist
    return [int(str(segment.uri).split("_")[2]) for segment in playlist.segments]


async def test_a_copy_grows_with_the_channel(channel: Channel, tmp_path: Path) -> None:
    made = dump(channel, tmp_path / "copy")
    await made.go_on(channel.plays - 0.5)
    assert not (tmp_path / "copy").exists(), "nothing is complete yet"

    grown: list[list[int]] = []
    for now in (1000.0, 1000.1, 1002.0, 1005.0, 1006.0, 1100.0):
        await made.go_on(now)
        grown.append(copied(tmp_path / "copy"))
    channel.conclude(1100.0)
    await made.go_on(1100.0)

    assert grown == [[0], [0], [0, 1], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert copied(tmp_path / "copy") == [0, 1, 2, 3]
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    # The second file has init segments of its own; without sound there is no track for it.
    assert names == {
        "master.m3u8",
        *(f"chunklist_{track}_video_1_llhls.m3u8" for track in (0, 1)),
        *(f"init_{track}_video_1{origin}_llhls.m4s" for track in (0, 1) for origin in ("", "_1")),
        *(f"seg_{track}_{number}_video_1_llhls.m4s" for track in (0, 1) for number in range(4)),
    }


async def test_a_late_copy_begins_at_the_newest(channel: Channel, tmp_path: Path) -> None:
    made = dump(channel, tmp_path)
    await made.begin(channel.segments(1002.0)[-1], 1002.0)
    await made.go_on(1100.0)

    assert copied(tmp_path) == [1, 2]


class FourSamples(SyntheticPackage):
    """Ten ticks each, ten ticks a second."""

    async def init(self, track: int) -> bytes:
        return init(10)

    async def segment(self, track: int, index: int, shift: float) -> bytes:
        return fragment(SIZES, each=True)


async def test_a_cut_segment_is_copied_as_long_as_it_is(channel: Channel, tmp_path: Path) -> None:
    whole = channel.segments(1002.0)[0]
    package = FourSamples(MediaFacts(duration=4.0, width=640, height=360), LADDER, 4.0)

    await dump(channel, tmp_path).begin(replace(whole, package=package, duration=2.0, cut=True), 1002.0)

    assert (tmp_path / "seg_0_0_video_1_llhls.m4s").read_bytes() == fragment(SIZES[:2], each=True)


async def test_a_stopped_copy_does_not_grow(channel: Channel, tmp_path: Path) -> None:
    made = dump(channel, tmp_path)
    await made.go_on(1000.0)
    await made.stop()
    await made.stop()
    await made.go_on(1100.0)

    assert copied(tmp_path) == [0]
    assert not made.enabled


async def test_an_unknown_playlist_is_refused_late_and_dropped_early(channel: Channel, tmp_path: Path) -> None:
    late = dump(channel, tmp_path / "late", "master.m3u8", "nope.m3u8", "llhls.m3u8")
    early = dump(channel, tmp_path / "early", "master.m3u8", "nope.m3u8", "llhls.m3u8")

    await early.go_on(1000.0)
    with pytest.raises(DumpFailed, match="Could not dump master playlist"):
        await late.begin(channel.segments(1000.0)[-1], 1000.0)

    for folder in (tmp_path / "late", tmp_path / "early"):
        assert copied(folder) == [0]
        assert (folder / "master.m3u8").exists()
        assert not (folder / "llhls.m3u8").exists()
    assert early.enabled


async def test_what_cannot_be_written_ends_a_copy(channel: Channel, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = dump(channel, tmp_path / "file")

    await made.go_on(1000.0)

    assert not made.enabled
    assert channel.outputs
    order = DumpOrder("channel", "e", str(tmp_path), ("master.m3u8",), info_file=str(tmp_path / "file" / "info.xml"))
    await Dump(order, channel, channel.outputs, NAMES).stop()
    with pytest.raises(DumpFailed, match="Could not dump init segment"):
        await dump(channel, tmp_path / "file").begin(channel.segments(1000.0)[-1], 1000.0)
