"""HLS dumps: how a copy on disk becomes whole, and how it does not."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import m3u8
import pytest
from msgspec import Struct

from tests.contract.ome.copies import Copy, complete, start_dump
from tests.contract.ome.exchange import load, replay
from tests.contract.ome.playing import chunklist, decoded_frames, ladder_path, playable
from tests.contract.ome.target import Target, program

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]

LENGTH = 6.0
# Three frames stay in OME's encoder, and sound ends where it likes.
SHORT = 0.3


class Story(Struct):
    """What became of three dumps of one channel that played a file of six seconds once."""

    whole: Copy
    stopped: Copy
    unknown: Copy
    statuses: list[int]
    enabled: dict[str, bool]
    chunklists: list[m3u8.M3U8]
    exact: bool


@pytest.fixture(scope="module")
async def folder(server: Target) -> AsyncIterator[Path]:
    path = server.dump_root / server.unique()
    yield path
    # Info files are written once more when a stream goes.
    await server.clean_up()
    await server.nothing_left()
    # A real OME's files may not be ours to delete.
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
async def story(server: Target, clip: str, folder: Path) -> Story:
    ome, name = server, server.unique()
    assert (await ome.create(name, programs=[program(clip, repeat=False)])).status == 201
    best = (await ladder_path(ome, name)).rpartition("/")[2]
    info = str(folder / "info" / "whole.xml")
    whole = await start_dump(ome, name, "whole", folder / "deep" / "whole", [best], infoFile=info)
    stopped = await start_dump(ome, name, "stopped", folder / "stopped", [best])
    unknown = await start_dump(ome, name, "unknown", folder / "unknown", [best, "nope.m3u8", "llhls.m3u8"])
    url, ladder, _ = await playable(ome, name)

    await ome.until(
        lambda: ome.ask("GET", ome.channels(name)),
        lambda found: found.response["currentProgram"]["state"] == "offair",
    )
    await asyncio.sleep(0.2)
    statuses = [(await ome.act(name, "stopHlsDump", {"id": "stopped"})).status]
    statuses += [(await ome.act(name, "concludeHlsLive")).status]
    await asyncio.sleep(0.7)
    # Repeated, and without an id: all of them.
    statuses += [(await ome.act(name, "concludeHlsLive")).status]
    statuses += [(await ome.act(name, "stopHlsDump", {"id": "whole"})).status]
    statuses += [(await ome.act(name, "stopHlsDump")).status]
    listed = (await ome.act(name, "hlsDumps")).response
    lists = [(await chunklist(ome, url, item.uri))[1] for item in (*ladder.playlists, *ladder.media)]
    version = (await ome.ask("GET", "/v1/version")).response["version"]
    return Story(
        whole,
        stopped,
        unknown,
        statuses,
        {dump["id"]: dump["enabled"] for dump in listed},
        lists,
        exact="0.20" not in version,
    )


def test_a_copy_is_whole_by_arithmetic(story: Story) -> None:
    assert story.whole.missing == set()
    assert min(story.whole.lengths) >= LENGTH - SHORT
    assert not story.exact or max(story.whole.lengths) <= LENGTH + SHORT
    assert all(playlist.is_endlist for playlist in story.whole.chunklists.values())
    (best,) = story.whole.masters
    ladder = story.whole.playlist(best)
    assert {str(item.uri) for item in (*ladder.playlists, *ladder.media)} == set(story.whole.chunklists)
    segments = sum(len(playlist.segments) for playlist in story.whole.chunklists.values())
    assert len(story.whole.files) == segments + 2 * len(story.whole.chunklists) + 1


async def test_a_whole_copy_decodes_from_its_first_frame(story: Story, tmp_path: Path) -> None:
    video = max(name for name in story.whole.chunklists if "_video_" in name)

    assert "seg_" in str(story.whole.playlist(video).segments[0].uri)
    assert "_0_video_" in str(story.whole.playlist(video).segments[0].uri)
    frames = await decoded_frames(tmp_path / "whole.mp4", story.whole.media(video))
    assert 25 * (LENGTH - SHORT) <= frames <= 25 * LENGTH


def test_a_copy_stopped_without_a_conclusion_lacks_its_end_and_does_not_look_it(story: Story) -> None:
    assert story.stopped.missing == set()
    assert all(playlist.is_endlist for playlist in story.stopped.chunklists.values())
    assert max(story.stopped.lengths) < LENGTH - SHORT
    assert min(story.stopped.lengths) > LENGTH / 2


def test_an_unknown_playlist_given_early_drops_itself_and_what_follows(story: Story) -> None:
    assert story.unknown.masters == story.whole.masters
    assert min(story.unknown.lengths) >= LENGTH - SHORT


def test_conclusions_and_stops_can_be_repeated(story: Story) -> None:
    assert story.statuses == [200] * 5
    assert story.enabled == {"whole": False, "stopped": False, "unknown": False}


def test_a_conclusion_ends_the_stream_for_viewers(story: Story) -> None:
    assert all(playlist.is_endlist for playlist in story.chunklists)


async def test_a_late_start_begins_at_the_newest_segment(ome: Target, clip: str, folder: Path) -> None:
    name = await ome.create_listed(clip)
    url, ladder, _ = await playable(ome, name)
    _, playlist = await chunklist(ome, url, ladder.playlists[0].uri, segments=3)

    copy = await start_dump(ome, name, "late", folder / "late", [url.rpartition("/")[2]])
    await complete(copy, 2, patience=ome.patience)

    # A growing copy ends at every moment, and is counted from 0 wherever it began.
    first = next(iter(copy.chunklists.values()))
    assert first.is_endlist
    assert first.media_sequence == 0
    number = int(str(first.segments[0].uri).split("_")[2])
    assert number >= int(str(playlist.segments[2].uri).split("_")[2])
    # With the stream its dumps are forgotten.
    await ome.delete(name)
    await ome.until(lambda: ome.act(name, "stopHlsDump", {"id": "late"}), lambda found: found.status == 404)


async def test_recorded_exchanges_with_dumps(ome: Target, clip: str, folder: Path) -> None:
    name = await ome.create_listed(clip)
    url, _, _ = await playable(ome, name)
    names = {"channel": name, "root": str(folder), "playlist": url.rpartition("/")[2]}

    listed: list[list[dict[str, object]]] = []
    for exchange in load("dumps.json"):
        answer = await replay(ome, exchange, names)
        if exchange.shape == "list":
            listed.append(answer.response)

    dump = {
        "enabled": True,
        "id": "d1",
        "infoFile": f"{folder}/{name}/d1.info",
        "outputPath": f"{folder}/{name}/d1",
        "outputStreamName": name,
        "playlist": [names["playlist"], "llhls.m3u8"],
        "userData": "u1",
    }
    assert listed == [[], [dump], [{**dump, "enabled": False}]]
    # What was refused for its playlist has been written up to there, and has no other trace.
    refused = Copy(folder / name / "d2")
    assert refused.masters == set()
    assert refused.chunklists
    assert refused.missing == set()
    assert not (folder / name / "d1b").exists()


async def test_a_stream_that_never_plays_has_nothing_to_dump(ome: Target, folder: Path) -> None:
    name = await ome.create_listed()
    body = {"id": "d", "outputPath": str(folder / "never"), "playlist": ["master.m3u8"]}

    assert (await ome.act(name, "startHlsDump", body)).status == 404
    assert (await ome.act(name, "hlsDumps")).status == 404
    assert (await ome.act(name, "stopHlsDump", {"id": "d"})).status == 404
    assert not (folder / "never").exists()


@pytest.mark.parametrize("action", ["startHlsDump", "stopHlsDump", "hlsDumps", "concludeHlsLive"])
async def test_an_unknown_stream_has_no_dumps(ome: Target, action: str) -> None:
    body = {"id": "d", "outputPath": "/nowhere", "playlist": ["master.m3u8"]}

    answer = await ome.act(ome.unique(), action, body)

    assert answer.status == 404
    if ome.stand_in:
        assert "Could not find the stream" in answer.json["message"]
