"""How much of a file an item plays, and from when on its chunklists answer."""

import asyncio
import shutil
from urllib.parse import urljoin

import m3u8
import pytest

from tests.contract.ome.copies import Copy, start_dump
from tests.contract.ome.playing import ladder_path, path_of, playable, unanswered, whole_segments
from tests.contract.ome.target import Target, program

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]

FILE = 5.4
# What stays in the encoder: three frames, or six with another build of it.
SHORT = 0.3


async def off_air(ome: Target, name: str) -> None:
    await ome.until(
        lambda: ome.ask("GET", ome.channels(name)),
        lambda found: found.status == 200 and found.response["currentProgram"]["state"] == "offair",
    )


async def played_once(ome: Target, clip: str, duration: int) -> Copy:
    """A copy of what an item plays with that duration in ms."""
    name = ome.unique()
    await ome.create(name, programs=[program(clip, repeat=False, duration=duration)])
    best = (await ladder_path(ome, name)).rpartition("/")[2]
    copy = await start_dump(ome, name, "d", ome.dump_root / name, [best])
    await off_air(ome, name)
    await asyncio.sleep(0.5)
    await ome.act(name, "concludeHlsLive")
    await asyncio.sleep(0.7)
    return copy


@pytest.mark.parametrize(("duration", "played"), [(-1, 5.0), (60_000, FILE), (4500, 4.5)])
async def test_how_much_of_a_file_is_played(ome: Target, fraction_clip: str, duration: int, played: float) -> None:
    copy = await played_once(ome, fraction_clip, duration)

    lengths = copy.lengths
    shutil.rmtree(copy.folder, ignore_errors=True)
    assert lengths
    assert min(lengths) >= played - SHORT
    assert max(lengths) <= played + 0.1


async def test_a_file_of_less_than_a_second_is_played_when_its_length_is_given(ome: Target, blink_clip: str) -> None:
    states: list[str] = []
    for duration in (-1, 800):
        name = await ome.create_listed(programs=[program(blink_clip, duration=duration)])
        await asyncio.sleep(1.0)
        states.append((await ome.ask("GET", ome.channels(name))).response["currentProgram"]["state"])
        if duration < 0:
            assert (await ome.fetch(path_of(name, "llhls"))).status == 404

    assert states == ["offair", "onair"]


async def test_chunklists_answer_once_a_third_segment_has_begun(ome: Target, clip: str) -> None:
    name = await ome.create_listed(clip)
    base, ladder, _ = await playable(ome, name)
    uri = str(ladder.playlists[0].uri)

    first = asyncio.create_task(ome.fetch(f"{uri}?_HLS_msn=0", base))
    held = [asyncio.create_task(ome.fetch(f"{uri}{query}", base)) for query in ("", "?_HLS_legacy=YES")]
    await asyncio.sleep(0.3 * ome.segment_seconds)

    assert first.done(), "what is asked for by its number is answered as soon as it is there"
    assert len(whole_segments(first.result().text).segments) == 1
    assert not any(task.done() for task in held)
    for answer in await asyncio.gather(*held):
        assert answer.status == 200
        assert len(whole_segments(answer.text).segments) == 2


async def test_chunklists_of_what_ends_sooner_never_answer(ome: Target, clip: str) -> None:
    name = ome.unique()
    seconds = 1.5 * ome.segment_seconds
    await ome.create(name, programs=[program(clip, repeat=False, duration=round(seconds * 1000))])
    base, ladder, _ = await playable(ome, name)
    uri = str(ladder.playlists[0].uri)

    await off_air(ome, name)
    assert await unanswered(ome, uri, base)
    await ome.act(name, "concludeHlsLive")
    assert await unanswered(ome, uri, base)

    answer = await ome.fetch(f"{uri}?_HLS_msn=0", base)
    assert answer.status == 200
    playlist = m3u8.loads(answer.text)
    assert playlist.is_endlist
    segment = urljoin(urljoin(base, uri), str(playlist.segments[0].uri))
    assert (await ome.fetch(segment)).status == 200
