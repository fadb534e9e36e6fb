"""What only our stand-in is held to with dumps: restarts, deletions, 0.20's fault, and the recorded count of files."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from streaming_service.devkit.media import MediaFacts
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from tests.contract.ome.conftest import LADDER
from tests.contract.ome.copies import complete, start_dump
from tests.contract.ome.target import APP, Target, program

pytestmark = pytest.mark.anyio

CLIP = "file://once.mp4"
FACTS = {"once.mp4": MediaFacts(duration=2.3, width=640, height=360)}
LISTS = ["master.m3u8", "max-240p.m3u8", "max-144p.m3u8"]


@pytest.fixture
def timing() -> Timing:
    return Timing(poll=0.05, appear=(0.0, 0.05), warm_up=0.4, empty_share=0.0, linger=(0.1, 0.1), segment_seconds=0.4)


def stand_in(folder: Path, timing: Timing, *, version_020: bool = False) -> StandInOme:
    return StandInOme(
        media_root=folder / "media",
        state_dir=folder / "state",
        applications={APP: LADDER},
        timing=timing,
        packager=SyntheticPackager(FACTS, missing=frozenset({"contract-no-such-file.mp4"})),
        version_020=version_020,
    )


def target(http: aiohttp.ClientSession, ome: StandInOme) -> Target:
    return Target(
        http,
        ome.api_url,
        playback_url=ome.playback_url,
        media_root=ome.media_root,
        token="ome-key:ome-secret",
        stand_in=True,
        patience=10.0,
    )


async def concluded(ome: Target, name: str) -> None:
    await ome.until(
        lambda: ome.ask("GET", ome.channels(name)),
        lambda found: found.response["currentProgram"]["state"] == "offair",
    )
    await ome.act(name, "concludeHlsLive")


async def said(info: Path, words: str) -> None:
    """Wait for it: the file is rewritten in place, and may be half there."""
    async with asyncio.timeout(5):
        while words not in info.read_text():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("version_020", "last"), [(False, 0.3), (True, 28.78)])
async def test_the_whole_recipe(tmp_path: Path, timing: Timing, version_020: bool, last: float) -> None:
    async with stand_in(tmp_path, timing, version_020=version_020) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        name = ome.unique()
        await ome.create(name, CLIP, programs=[program(CLIP, repeat=False, duration=2300)])
        copy = await start_dump(
            ome, name, "d", tmp_path / "a" / "copy", LISTS, infoFile=str(tmp_path / "b" / "info.xml"), userData="<u>"
        )
        await concluded(ome, name)
        await complete(copy, 6, patience=5.0)
        await said(tmp_path / "b" / "info.xml", "<Status>Running</Status>")
        await ome.act(name, "stopHlsDump", {"id": "d"})
        version = (await ome.ask("GET", "/v1/version")).response["version"]

    # As recorded for six segments of four tracks: with an init segment and a chunklist each, and three playlists.
    assert len(copy.files) == 35
    assert copy.missing == set()
    assert copy.masters == set(LISTS)
    for playlist in copy.chunklists.values():
        assert [segment.duration for segment in playlist.segments] == pytest.approx([0.4] * 5 + [last])
        assert playlist.media_sequence == 0
        assert playlist.target_duration == 1
    assert version == ("0.20.0" if version_020 else "0.21.0")
    info = (tmp_path / "b" / "info.xml").read_text()
    assert "<Status>Completed</Status>" in info
    assert "<UserData>&lt;u&gt;</UserData>" in info
    assert f"<File>{copy.folder}/master.m3u8</File>" in info


async def test_a_restart_forgets_dumps_and_leaves_half_copies(tmp_path: Path, timing: Timing) -> None:
    async with stand_in(tmp_path, timing) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        name = ome.unique()
        await ome.create(name, "file://loop.mp4")
        copy = await start_dump(ome, name, "d", tmp_path / "copy", LISTS)
        await complete(copy, 2, patience=5.0)

        await server.restart()

        left = copy.files
        await ome.until(lambda: ome.act(name, "hlsDumps"), lambda found: found.status == 200 and not found.response)
        await asyncio.sleep(0.5)
        assert copy.files == left
        assert all(playlist.is_endlist for playlist in copy.chunklists.values()), "it looks finished"
        # The same id and folder are free again, and what was there is written over.
        again = await start_dump(ome, name, "d", tmp_path / "copy", LISTS)
        await complete(again, 1, patience=5.0)


async def test_a_deletion_ends_the_dump_without_its_last_segment(tmp_path: Path, timing: Timing) -> None:
    async with stand_in(tmp_path, timing) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        name = ome.unique()
        await ome.create(name, CLIP, programs=[program(CLIP, repeat=False, duration=2300)])
        info = tmp_path / "info.xml"
        copy = await start_dump(ome, name, "d", tmp_path / "copy", LISTS, infoFile=str(info))
        await ome.until(
            lambda: ome.ask("GET", ome.channels(name)),
            lambda found: found.response["currentProgram"]["state"] == "offair",
        )

        await ome.delete(name)

        await ome.until(lambda: ome.act(name, "hlsDumps"), lambda found: found.status == 404)
        await said(info, "<Status>Completed</Status>")
        assert copy.lengths == pytest.approx([2.0] * 4)


async def test_what_cannot_be_written_is_refused_when_the_stream_plays(tmp_path: Path, timing: Timing) -> None:
    (tmp_path / "file").touch()
    async with stand_in(tmp_path, timing) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        name = ome.unique()
        await ome.create(name, "file://loop.mp4")
        body = {"id": "d", "outputPath": str(tmp_path / "file" / "below"), "playlist": LISTS}

        # Before it plays, nobody is told.
        await start_dump(ome, name, "early", tmp_path / "file" / "below", LISTS)
        listed = await ome.until(
            lambda: ome.act(name, "hlsDumps"), lambda found: not found.response[0]["enabled"], patience=5.0
        )
        answer = await ome.act(name, "startHlsDump", body)

    assert [dump["id"] for dump in listed.response] == ["early"]
    assert answer.status == 500
    assert "(Could not dump init segment)" in answer.json["message"]


async def test_a_relative_path_is_taken_and_nothing_is_written(tmp_path: Path, timing: Timing) -> None:
    """OME writes it below its working directory, which is nothing to try out."""
    async with stand_in(tmp_path, timing) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        name = ome.unique()
        await ome.create(name, "file://loop.mp4")
        copy = await start_dump(ome, name, "d", Path("contract-relative"), LISTS, infoFile="contract-relative.xml")
        await asyncio.sleep(1.2)
        listed = (await ome.act(name, "hlsDumps")).response

    assert [dump["enabled"] for dump in listed] == [True]
    assert not copy.folder.exists()
    assert not Path("contract-relative.xml").exists()


async def test_words_of_what_is_refused(tmp_path: Path, timing: Timing) -> None:
    async with stand_in(tmp_path, timing) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        name = ome.unique()
        await ome.create(name, "file://loop.mp4")
        info = str(tmp_path / "info.xml")
        await start_dump(ome, name, "d", tmp_path / "copy", LISTS, infoFile=info)
        await ome.act(name, "stopHlsDump", {"id": "d"})
        taken = {"id": "e", "outputPath": str(tmp_path / "e"), "playlist": LISTS, "infoFile": info}

        answers = [
            await ome.act(name, "startHlsDump", taken),
            await ome.act(name, "stopHlsDump", {"id": "none"}),
            await ome.act(name, "startHlsDump", {"id": 7}),
            await ome.act(name, "hlsDumps", {"id": "none"}),
        ]

    assert [answer.status for answer in answers] == [500, 500, 400, 200]
    assert "(Duplicate info file)" in answers[0].json["message"]
    assert "Could not stop dump" in answers[1].json["message"]
    assert answers[3].response == []
    assert not (tmp_path / "e").exists()
