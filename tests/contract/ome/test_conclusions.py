"""A stream after its conclusion: what players still get, and what dumps do."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Struct

from tests.contract.ome.copies import Copy
from tests.contract.ome.playing import chunklist, playable, unanswered
from tests.contract.ome.target import Json, Target, program

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]


class Concluded(Struct):
    """A channel that was concluded when it had played six seconds: `last` is the number of its last segment."""

    name: str
    base: str
    uri: str
    playlist: str
    last: int
    folder: Path


@pytest.fixture(scope="module")
async def concluded(server: Target, clip: str) -> AsyncIterator[Concluded]:
    name = server.unique()
    assert (await server.create(name, programs=[program(clip, repeat=False)])).status == 201
    base, ladder, _ = await playable(server, name)
    await server.until(
        lambda: server.ask("GET", server.channels(name)),
        lambda found: found.response["currentProgram"]["state"] == "offair",
    )
    await asyncio.sleep(0.5)
    assert (await server.act(name, "concludeHlsLive")).status == 200
    await asyncio.sleep(0.5)
    _, listed = await chunklist(server, base, ladder.playlists[0].uri)
    uri, folder = str(ladder.playlists[0].uri), server.dump_root / name
    yield Concluded(name, base, uri, base.rpartition("/")[2], len(listed.segments) - 1, folder)
    await server.clean_up()
    await server.nothing_left()
    # A real OME's files may not be ours to delete.
    shutil.rmtree(folder, ignore_errors=True)


async def test_a_player_gets_what_there_is_and_waits_for_the_rest_in_vain(server: Target, concluded: Concluded) -> None:
    answer = await server.fetch(f"{concluded.uri}?_HLS_msn={concluded.last}", concluded.base)
    beyond = (f"_HLS_msn={concluded.last + 1}", f"_HLS_msn={concluded.last}&_HLS_part=9")
    held = await asyncio.gather(*(unanswered(server, f"{concluded.uri}?{query}", concluded.base) for query in beyond))

    assert answer.status == 200
    assert "#EXT-X-ENDLIST" in answer.text
    assert held == [True, True]


async def test_a_dump_begun_afterwards_is_taken_and_holds_nothing(server: Target, concluded: Concluded) -> None:
    copy = Copy(concluded.folder / "after")
    order: Json = {"id": "after", "outputPath": str(copy.folder), "playlist": [concluded.playlist]}

    assert (await server.act(concluded.name, "startHlsDump", order)).status == 200
    await asyncio.sleep(0.5)

    assert copy.masters == {concluded.playlist}
    assert copy.chunklists
    assert copy.lengths == [0.0] * len(copy.chunklists)
    segments = [name for name in copy.files if name.startswith("seg_")]
    # What would come next, and never does: an empty file for each track.
    assert [name.split("_")[2] for name in segments] == [str(concluded.last + 1)] * len(copy.chunklists)
    assert not any((copy.folder / name).stat().st_size for name in segments)
    listed = (await server.act(concluded.name, "hlsDumps", {"id": "after"})).response
    assert [dump["enabled"] for dump in listed] == [True]
    # The folder is in use, and nobody minds.
    assert (await server.act(concluded.name, "startHlsDump", {**order, "id": "beside"})).status == 200


async def test_answers_to_what_is_wrong(server: Target, concluded: Concluded) -> None:
    path = server.streams(concluded.name)

    async def status(action: str, body: Json) -> int:
        return (await server.ask("POST", f"{path}:{action}", body)).status

    assert await status("concludeHlsLive", {}) == 200
    assert await status("concludeHlsLive", {"outputStreamName": "unknown"}) == 200
    assert await status("stopHlsDump", {}) == 400
    assert await status("stopHlsDump", {"outputStreamName": concluded.name, "id": "unknown"}) == 500
    answer = await server.act(concluded.name, "hlsDumps", {"id": "unknown"})
    assert (answer.status, answer.response) == (200, [])
