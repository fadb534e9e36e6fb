"""Copies are proved, mended and finished."""

import asyncio

import m3u8
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming_service.adapters.bucket import BucketOfManifests
from streaming_service.application.ports import CopyPlan, CopyReport, CopyVerdict
from streaming_service.domain.ladder import Rung
from streaming_service.domain.transcode import fit
from streaming_service.errors import InvalidInput, NotFound
from tests.unit.adapters.bucket.dumps import (
    KEY,
    LADDER,
    PREFIX,
    MemoryFolder,
    chunklist,
    chunklist_name,
    dump,
    init,
    master,
    plan,
)

pytestmark = pytest.mark.anyio


async def finished(folder: MemoryFolder, wanted: CopyPlan | None = None) -> CopyReport:
    bucket = BucketOfManifests(folder)
    try:
        return await bucket.finish(wanted or plan())
    finally:
        bucket.close()


def sums(folder: MemoryFolder) -> list[float]:
    return [
        round(sum(segment.duration or 0 for segment in m3u8.loads(folder[chunklist_name(*track)]).segments), 3)
        for track in ((0, "video"), (1, "video"), (2, "video"), (3, "audio"))
    ]


def heights(folder: MemoryFolder, name: str) -> list[int]:
    return [(item.stream_info.resolution or (0, 0))[1] for item in m3u8.loads(folder[name]).playlists]


async def test_a_complete_copy_gets_every_playlist_that_may_be_signed() -> None:
    folder = MemoryFolder(dump())
    before = dict(folder.objects)
    report = await finished(folder)

    assert report.verdict is CopyVerdict.COMPLETE
    assert report.duration == pytest.approx(11.88)
    assert heights(folder, "master.m3u8") == [720, 480, 360]
    assert heights(folder, "max-480p.m3u8") == [480, 360]
    assert heights(folder, "max-360p.m3u8") == heights(folder, "llhls.m3u8") == [360]
    assert all(m3u8.loads(folder[name]).media[0].uri for name in ("max-480p.m3u8", "max-360p.m3u8", "llhls.m3u8"))
    assert {key: folder.objects[key] for key in before} == before, "what is right stays as it is"


async def test_the_report_counts_the_whole_copy() -> None:
    folder = MemoryFolder({**dump(), ".leftover": b"x", "info.xml": b"x"})
    report = await finished(folder)

    assert report.files == len(folder.objects) - 2
    assert report.bytes == sum(map(len, folder.objects.values())) - 2
    assert report.detail == "4 tracks, 4 playlists, 0 ends corrected"


async def test_finishing_again_changes_nothing() -> None:
    folder = MemoryFolder(dump(wrong_end=30.36, target=30))
    first = await finished(folder)
    objects = dict(folder.objects)
    second = await finished(folder)

    assert folder.objects == objects
    assert (first.verdict, first.files, first.bytes) == (second.verdict, second.files, second.bytes)


async def test_one_listing_and_three_reads_of_a_track_however_long_the_film() -> None:
    folder = MemoryFolder(dump(120.0))
    report = await finished(folder, plan(120.0))

    assert report.verdict is CopyVerdict.COMPLETE
    assert (folder.calls["list"], folder.calls["read"]) == (1, 1 + 4 * 3)


async def test_chunklists_are_written_before_what_leads_to_them_and_the_full_ladder_last() -> None:
    folder = MemoryFolder(dump())
    await finished(folder)
    names = [key.removeprefix(PREFIX) for key, _, _ in folder.written]

    assert all(name.startswith("chunklist_") for name in names[:4])
    assert set(names[4:-1]) == {"max-480p.m3u8", "max-360p.m3u8", "llhls.m3u8"}
    assert names[-1] == "master.m3u8"
    assert {entry[1:] for entry in folder.written} == {("application/vnd.apple.mpegurl", "public, max-age=60")}


async def test_the_wrong_end_of_a_concluded_dump_is_mended() -> None:
    folder = MemoryFolder(dump(wrong_end=30.36))
    report = await finished(folder)

    assert report.verdict is CopyVerdict.COMPLETE
    assert report.detail.endswith("4 ends corrected")
    assert sums(folder) == [11.88] * 4
    assert "#EXT-X-TARGETDURATION:2\n" in folder[chunklist_name(0, "video")]


async def test_a_target_that_was_raised_with_it_is_lowered_in_every_chunklist() -> None:
    files = dump()
    files[chunklist_name(0, "video")] = chunklist(0, "video", [2.0] * 5 + [30.36], target=30).encode()
    folder = MemoryFolder(files)
    await finished(folder)

    assert "#EXT-X-TARGETDURATION:2\n" in folder[chunklist_name(0, "video")]
    assert {m3u8.loads(folder[name]).target_duration for name in files if name.startswith("chunklist")} == {2}


async def test_targets_that_differ_are_made_the_same() -> None:
    files = dump()
    files[chunklist_name(0, "video")] = chunklist(0, "video", [2.0] * 5 + [1.88], target=30).encode()
    folder = MemoryFolder(files)
    report = await finished(folder)

    assert report.detail.endswith("0 ends corrected")
    assert {m3u8.loads(folder[name]).target_duration for name in files if name.startswith("chunklist")} == {2}


async def test_a_target_that_all_agree_on_stays() -> None:
    folder = MemoryFolder(dump(target=6))
    await finished(folder)

    assert "#EXT-X-TARGETDURATION:6\n" in folder[chunklist_name(0, "video")]


async def test_a_small_rounding_is_no_mistake() -> None:
    folder = MemoryFolder(dump(wrong_end=1.95))
    await finished(folder)

    assert "#EXTINF:1.950000," in folder[chunklist_name(0, "video")]


async def test_a_wrong_end_does_not_hide_that_the_rest_is_missing() -> None:
    folder = MemoryFolder(dump(5.88, wrong_end=7.9))
    report = await finished(folder)

    assert report.verdict is CopyVerdict.INCOMPLETE
    assert "holds 5.88 s of 12.00 s" in report.detail
    assert folder.written == [], "an incomplete copy is left alone"


async def test_a_portrait_source_and_a_ladder_that_was_cut() -> None:
    rungs = fit(LADDER, 480, 852)
    folder = MemoryFolder(dump(rungs=rungs))
    report = await finished(folder, plan(rungs=rungs))

    assert [rung.name for rung in rungs] == ["480p", "360p"]
    assert report.verdict is CopyVerdict.COMPLETE
    assert heights(folder, "max-480p.m3u8") == heights(folder, "master.m3u8") == [852, 640]
    assert heights(folder, "llhls.m3u8") == [640]


async def test_a_source_smaller_than_every_rung() -> None:
    rungs = fit(LADDER, 320, 180)
    folder = MemoryFolder(dump(rungs=rungs))
    await finished(folder, plan(rungs=rungs))

    for name in ("master.m3u8", "max-480p.m3u8", "max-360p.m3u8", "llhls.m3u8"):
        assert heights(folder, name) == [180]


async def test_a_silent_film() -> None:
    folder = MemoryFolder(dump(audio=False))

    assert (await finished(folder, plan(audio=False))).verdict is CopyVerdict.COMPLETE
    report = await finished(MemoryFolder(dump(audio=False)))
    assert (report.verdict, report.detail) == (CopyVerdict.INCOMPLETE, "master.m3u8 has renditions without audio")


async def test_nothing_there_is_missing() -> None:
    report = await finished(MemoryFolder({"master.m3u8": b"x"}, prefix="vod/reels/ss-0d9f-30/"))

    assert report == CopyReport(CopyVerdict.MISSING, f"nothing is below {PREFIX}")


@pytest.mark.parametrize(
    "name",
    [
        "master.m3u8",
        chunklist_name(1, "video"),
        chunklist_name(3, "audio"),
        f"init_2_video_{KEY}_llhls.m4s",
        f"seg_0_0_video_{KEY}_llhls.m4s",
        f"seg_1_3_video_{KEY}_llhls.m4s",
        f"seg_3_5_audio_{KEY}_llhls.m4s",
    ],
)
@pytest.mark.parametrize("empty", [True, False], ids=["empty", "absent"])
async def test_a_file_that_is_not_there_yet_is_named(name: str, empty: bool) -> None:
    files = dump()
    if empty:
        files[name] = b""
    else:
        del files[name]
    folder = MemoryFolder(files)
    report = await finished(folder)

    assert (report.verdict, report.detail) == (CopyVerdict.INCOMPLETE, f"not there (1): {name}")
    assert folder.written == []


async def test_a_file_that_goes_while_we_look_is_not_there_yet_either() -> None:
    folder = MemoryFolder(dump())
    folder.lost.add(PREFIX + chunklist_name(0, "video"))

    assert (await finished(folder)).verdict is CopyVerdict.INCOMPLETE


async def test_a_copy_that_is_removed_while_it_is_finished_is_missing() -> None:
    class Removed(MemoryFolder):
        def write(self, key: str, data: bytes, content_type: str, cache_control: str) -> None:
            raise NotFound(f"the folder of {key} is not there")

    report = await finished(Removed(dump()))

    assert report.verdict is CopyVerdict.MISSING
    assert "removed meanwhile" in report.detail


async def test_many_missing_files_are_counted_and_some_are_named() -> None:
    files = {name: data for name, data in dump().items() if not name.startswith("seg_0")}
    report = await finished(MemoryFolder(files))

    assert report.detail.startswith("not there (6): seg_0_0_video")
    assert report.detail.endswith(", …")


async def test_a_rendition_that_is_not_there_is_named() -> None:
    files = dump(rungs=(LADDER.rungs[0], LADDER.rungs[2]))
    report = await finished(MemoryFolder(files))

    assert (report.verdict, report.detail) == (CopyVerdict.INCOMPLETE, "master.m3u8 lacks 480p")


@pytest.mark.parametrize(
    ("seconds", "said"), [(6.0, "holds 6.00 s"), (14.0, ""), (14.04, "too long"), (24.0, "too long")]
)
async def test_less_or_more_than_the_source_is_not_complete(seconds: float, said: str) -> None:
    report = await finished(MemoryFolder(dump(seconds)))

    assert (report.verdict is CopyVerdict.COMPLETE) == (not said)
    assert said in report.detail


async def test_one_track_that_ends_early_is_not_complete() -> None:
    files = dump()
    files[chunklist_name(2, "video")] = chunklist(2, "video", [2.0] * 5).encode()
    report = await finished(MemoryFolder(files))

    assert report == CopyReport(CopyVerdict.INCOMPLETE, f"{chunklist_name(2, 'video')} holds 10.00 s of 12.00 s")


@pytest.mark.parametrize("end", [10, 100, 400])
async def test_a_chunklist_that_is_half_written_may_yet_be_completed(end: int) -> None:
    files = dump()
    files[chunklist_name(0, "video")] = files[chunklist_name(0, "video")][:end]

    assert (await finished(MemoryFolder(files))).verdict is CopyVerdict.INCOMPLETE


LAST = f"seg_0_5_video_{KEY}_llhls.m4s"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("master.m3u8", b"<html></html>\n", "is no playlist"),
        ("master.m3u8", b"#EXTM3U\n\xff\xfe\n", "is no text"),
        ("master.m3u8", master(LADDER.rungs).replace("chunklist_1", "../x").encode(), "no file beside it"),
        (
            "master.m3u8",
            master(LADDER.rungs).replace(chunklist_name(1, "video"), "max-480p.m3u8").encode(),
            "names max-480p.m3u8 as a chunklist",
        ),
        (chunklist_name(0, "video"), b"garbage\n#EXT-X-ENDLIST\n", "is no playlist"),
        (LAST, b"garbage, garbage", "does not fit"),
        (f"init_0_video_{KEY}_llhls.m4s", init(0), "no timescale"),
        ("master.m3u8", bytes(16 * 1024 * 1024 + 1), "is larger than"),
    ],
)
async def test_what_will_never_be_a_copy_is_malformed(name: str, data: bytes, reason: str) -> None:
    folder = MemoryFolder({**dump(), name: data})
    report = await finished(folder)

    assert report.verdict is CopyVerdict.MALFORMED
    assert reason in report.detail
    assert folder.written == []


async def test_only_one_copy_can_be_finished() -> None:
    with pytest.raises(InvalidInput):
        await finished(MemoryFolder(dump()), plan(prefix="vod/reels/"))


@pytest.mark.parametrize("duration", [0.0, float("nan")])
async def test_without_the_length_of_its_source_no_copy_is_complete(duration: float) -> None:
    report = await finished(MemoryFolder(dump()), plan(duration))

    assert report.verdict is CopyVerdict.INCOMPLETE
    assert "not known" in report.detail


NAMES = sorted(dump())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), st.none() | st.binary(max_size=40), min_size=1, max_size=3))
def test_no_damage_to_any_file_passes_for_a_copy_of_another_length(damage: dict[str, bytes | None]) -> None:
    files = {name: data for name, data in {**dump(), **damage}.items() if data is not None}
    report = asyncio.run(finished(MemoryFolder(files)))

    if report.verdict is CopyVerdict.COMPLETE:
        # A segment in the middle is only known to hold something; its length is the playlist's word.
        assert all(name.startswith("seg_") and damage[name] for name in damage)


async def test_a_rung_may_have_the_name_of_nothing_in_the_ladder() -> None:
    rungs = (Rung("source", 1280, 720, 2500),)
    folder = MemoryFolder(dump(rungs=rungs))

    assert (await finished(folder, plan(rungs=rungs))).verdict is CopyVerdict.COMPLETE
    assert heights(folder, "max-360p.m3u8") == [720]
