"""Publishers: their streams, how they are cut off, and channels that show them, with a slate while they are away."""

import asyncio
import itertools
from datetime import UTC, datetime
from pathlib import Path

import m3u8
import pytest

from tests.contract.ome.playing import bandwidth, chunklist, decoded_frames, media, playable, whole_segments
from tests.contract.ome.publishing import gone, listed, publishing
from tests.contract.ome.target import APP, VHOST, Answer, Json, Target, channel, program

pytestmark = [pytest.mark.anyio, pytest.mark.ffmpeg]

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def statistics(name: str = "") -> str:
    path = f"/v1/stats/current/vhosts/{VHOST}/apps/{APP}"
    return f"{path}/streams/{name}" if name else path


async def test_a_publisher_is_a_stream_while_it_is_there(ome: Target, live_clip: str) -> None:
    name = ome.unique()

    async with publishing(ome, name, live_clip):
        shown = (await listed(ome, name)).response
        assert name in (await ome.ask("GET", ome.streams())).response
        assert name not in (await ome.ask("GET", ome.channels())).response

    assert shown["input"]["sourceType"] == "Rtmp"
    assert shown["input"]["sourceUrl"].startswith("TCP://")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(shown["input"]["createdTime"])).total_seconds()) < 30
    tracks: dict[str, Json] = {track["type"]: track for track in shown["input"]["tracks"]}
    assert (tracks["Video"]["id"], tracks["Audio"]["id"]) == (0, 1)
    assert (tracks["Video"]["video"]["width"], tracks["Video"]["video"]["height"]) == (320, 240)
    assert tracks["Video"]["video"]["timebase"] == {"den": 1000, "num": 1}
    await gone(ome, name)
    assert (await ome.ask("GET", statistics(name))).status == 404


async def test_a_publisher_plays(ome: Target, live_clip: str, tmp_path: Path) -> None:
    name = ome.unique()
    async with publishing(ome, name, live_clip):
        url, ladder, _ = await playable(ome, name)
        base, playlist = await chunklist(ome, url, ladder.playlists[0].uri)
        assert await decoded_frames(tmp_path / "live.mp4", await media(ome, base, playlist)) > 0
    await ome.until(lambda: ome.fetch(url), lambda found: found.status == 404)


async def test_a_publisher_is_no_scheduled_channel(ome: Target, live_clip: str) -> None:
    name = ome.unique()
    async with publishing(ome, name, live_clip):
        answers = {
            "GET": await ome.ask("GET", ome.channels(name)),
            "PATCH": await ome.ask("PATCH", ome.channels(name), {"programs": [program(live_clip)]}),
            "DELETE": await ome.ask("DELETE", ome.channels(name)),
            "POST": await ome.ask("POST", ome.channels(), channel(name, live_clip)),
        }
    assert {method: answer.status for method, answer in answers.items()} == {
        "GET": 500,
        "PATCH": 400,
        "DELETE": 400,
        "POST": 409,
    }
    if ome.stand_in:
        assert {method: answer.json["message"] for method, answer in answers.items()} == {
            "GET": "[HTTP] Could not get the scheduled stream (500)",
            "PATCH": "[HTTP] Stream is not a scheduled stream (400)",
            "DELETE": "[HTTP] Stream is not a scheduled stream (400)",
            "POST": f"[HTTP] Stream '{name}' already exists (409)",
        }


async def test_delete_cuts_the_publisher_off(ome: Target, live_clip: str) -> None:
    name = ome.unique()
    clock = asyncio.get_running_loop().time
    async with publishing(ome, name, live_clip) as running:
        began = clock()
        answer = await ome.ask("DELETE", ome.streams(name))
        assert (answer.status, "response" in answer.json) == (200, False)
        while running():
            assert clock() - began < 1.0, "cut within 0.4 s on a machine that is not busy"
            await asyncio.sleep(0.02)
        await gone(ome, name)
        assert (await ome.ask("DELETE", ome.streams(name))).status == 404


async def test_statistics_of_a_publisher(ome: Target, live_clip: str) -> None:
    name = ome.unique()
    async with publishing(ome, name, live_clip):
        shown = await ome.until(
            lambda: ome.ask("GET", statistics(name)),
            lambda found: found.status == 200 and found.response["lastThroughputIn"] > 0,
        )
        whole = (await ome.ask("GET", statistics())).response

    of_stream = shown.response
    # One is bits per second, the other bytes, of nearly the same moment.
    assert of_stream["avgThroughputIn"] / of_stream["lastThroughputIn"] == pytest.approx(8, rel=0.1)
    assert of_stream["totalConnections"] == sum(of_stream["connections"].values())
    assert of_stream["totalConnections"] <= of_stream["maxTotalConnections"]
    assert whole.keys() == of_stream.keys()
    assert whole["totalBytesIn"] > 0


async def test_a_channel_shows_its_slate_while_nobody_publishes(ome: Target, clip: str) -> None:
    name, url = await live_channel(ome, ome.unique(), clip)
    master, ladder, _ = await playable(ome, name)

    _, playlist = await chunklist(ome, master, ladder.playlists[0].uri, segments=2)
    current = (await ome.ask("GET", ome.channels(name))).response["currentProgram"]

    assert not any(segment.discontinuity for segment in playlist.segments)
    assert (current["state"], current["currentItem"]["url"]) == ("onair", url)
    assert 0 <= current["currentItem"]["currentPosition"] < 20_000, "not counted from the year 2000"


async def test_slate_to_live_to_slate(ome: Target, clip: str, live_clip: str, tmp_path: Path) -> None:
    """One viewer's playlist, from before the publisher comes until after it has left."""
    if not ome.stand_in:
        pytest.skip("a real server encodes slate and publisher as one: its playlists do not tell them apart")
    ingest = ome.unique()
    name, _ = await live_channel(ome, ingest, clip)
    master, ladder, _ = await playable(ome, name)
    base, _ = await chunklist(ome, master, min(ladder.playlists, key=bandwidth).uri)
    seen = Recording(ome, base)

    async with publishing(ome, ingest, live_clip):
        came = datetime.fromisoformat((await listed(ome, ingest)).response["input"]["createdTime"])
        await seen.until_parts(2)
        shown = (await ome.ask("GET", ome.channels(name))).response["currentProgram"]
        await asyncio.sleep(1.5)
    left = datetime.now(UTC)
    await seen.until_parts(3)

    assert shown["state"] == "onair"
    seen.assert_unbroken()
    slate, live, again = seen.parts()
    assert_at(ome, live, came, (1.0, 1.2))
    assert_at(ome, again, left, (-0.4, 0.2))
    for number, part in enumerate((slate, live, again)):
        frames = await decoded_frames(tmp_path / f"{number}.mp4", await part_media(ome, base, part))
        assert frames == pytest.approx(25 * sum(item.duration or 0.0 for item in part), abs=3)


async def test_a_viewer_gets_through_both_switches(ome: Target, clip: str, live_clip: str, tmp_path: Path) -> None:
    ingest = ome.unique()
    name, _ = await live_channel(ome, ingest, clip)
    master, ladder, _ = await playable(ome, name)
    base, _ = await chunklist(ome, master, min(ladder.playlists, key=bandwidth).uri)
    seen = Recording(ome, base)

    async with publishing(ome, ingest, live_clip):
        await seen.until_later(3)
    await seen.until_later(2)

    seen.assert_unbroken()
    for number, part in enumerate(seen.parts()):
        assert await decoded_frames(tmp_path / f"{number}.mp4", await part_media(ome, base, part)) > 0


# -- what a viewer sees -----------------------------------------------------------------------------------------------


class Recording:
    """Everything that one chunklist has listed."""

    def __init__(self, ome: Target, url: str) -> None:
        self._ome = ome
        self._url = url
        self._segments: dict[int, m3u8.Segment] = {}

    async def until_parts(self, count: int) -> None:
        """Until it has gone over to another source so often, and one whole segment of it is there."""
        _, playlist = await chunklist(self._ome, self._url, self._url)
        self._take(playlist)
        deadline = asyncio.get_running_loop().time() + self._ome.patience
        while len(self.parts()) < count:
            assert asyncio.get_running_loop().time() < deadline, f"{len(self.parts())} parts"
            await asyncio.sleep(0.1)
            _, playlist = await chunklist(self._ome, self._url, self._url)
            self._take(playlist)

    async def until_later(self, count: int) -> None:
        """Until so many more segments are there."""
        _, playlist = await chunklist(self._ome, self._url, self._url)
        wanted = (playlist.media_sequence or 0) + len(playlist.segments) + count
        await self._ome.until(self._look, lambda _: len(self._segments) + min(self._segments) >= wanted)

    async def _look(self) -> Answer:
        answer = await self._ome.fetch(self._url)
        self._take(whole_segments(answer.text))
        return answer

    def _take(self, playlist: m3u8.M3U8) -> None:
        for number, segment in enumerate(playlist.segments, playlist.media_sequence or 0):
            before = self._segments.setdefault(number, segment)
            assert (before.uri, before.duration) == (segment.uri, segment.duration), "what was listed does not change"

    def assert_unbroken(self) -> None:
        numbers = sorted(self._segments)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        for segment, following in itertools.pairwise(self._segments[number] for number in numbers):
            assert segment.program_date_time
            assert following.program_date_time
            gap = (following.program_date_time - segment.program_date_time).total_seconds()
            assert gap == pytest.approx(segment.duration, abs=0.15)

    def parts(self) -> list[list[m3u8.Segment]]:
        parts: list[list[m3u8.Segment]] = [[]]
        for number in sorted(self._segments):
            if self._segments[number].discontinuity and parts[-1]:
                parts.append([])
            parts[-1].append(self._segments[number])
        return parts


async def live_channel(ome: Target, ingest: str, slate: str) -> tuple[str, str]:
    """A channel that is always on: what is published as `ingest`, otherwise the slate. Its name, and its item's URL."""
    url = f"stream://{VHOST}/{APP}/{ingest}"
    fallback = {"items": [{"url": slate, "start": 0, "duration": -1}]}
    return await ome.create_listed(programs=[program(url, begins=LONG_AGO)], fallbackProgram=fallback), url


def assert_at(ome: Target, part: list[m3u8.Segment], moment: datetime, within: tuple[float, float]) -> None:
    """The part begins so many seconds after the moment. A real server's clock and pipeline may add to it."""
    first = part[0].program_date_time
    assert first
    slack = 0.05 if ome.stand_in else 2.5
    assert within[0] - slack <= (first - moment).total_seconds() <= within[1] + slack


async def part_media(ome: Target, base: str, part: list[m3u8.Segment]) -> bytes:
    """Init segment and all media segments of one part as one file."""
    init = part[0].init_section
    assert init
    playlist = m3u8.M3U8()
    playlist.segments[:] = part
    playlist.segment_map = [init]
    return await media(ome, base, playlist, len(part))
