"""What only our stand-in is held to: origin mode as recorded (experiments C), restarts, and its own promises."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import m3u8
import pytest

from streaming_service.devkit.media import MediaFacts, make_clip
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from tests.contract.ome.conftest import LADDER
from tests.contract.ome.playing import chunklist, path_of, playable
from tests.contract.ome.target import APP, OTHER_APP, Target

pytestmark = pytest.mark.anyio

TOKEN = "ome-key:ome-secret"
FACTS = {"short.mp4": MediaFacts(duration=1.0, width=640, height=360)}


def stand_in(folder: Path, *, timing: Timing | None = None, real_media: bool = False) -> StandInOme:
    (folder / "media").mkdir(exist_ok=True)
    return StandInOme(
        media_root=folder / "media",
        state_dir=folder / "state",
        applications={APP: LADDER, OTHER_APP: LADDER},
        timing=timing or Timing.instant(segment_seconds=0.25),
        packager=None if real_media else SyntheticPackager(FACTS, missing=frozenset({"contract-no-such-file.mp4"})),
    )


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def target(http: aiohttp.ClientSession, ome: StandInOme) -> Target:
    return Target(
        http,
        ome.api_url,
        playback_url=ome.playback_url,
        media_root=ome.media_root,
        token=TOKEN,
        stand_in=True,
        patience=10.0,
    )


async def test_cache_classes_of_origin_mode(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        name = await ome.create_listed("file://short.mp4")
        url, ladder, _ = await playable(ome, name)
        base, playlist = await chunklist(ome, url, ladder.playlists[0].uri)

        ages: dict[str, str] = {}
        for kind, uri in {
            "master": url,
            "chunklist": base,
            "legacy": f"{base}?_HLS_legacy=YES",
            "blocking": f"{base}?_HLS_msn={playlist.segments[-1].media_sequence}",
            "init": playlist.segment_map[0].uri,
            "segment": playlist.segments[-1].uri,
        }.items():
            answer = await ome.fetch(str(uri), base)
            assert answer.status == 200
            ages[kind] = answer.headers["Cache-Control"].removeprefix("max-age=")

    assert ages == {"master": "5", "chunklist": "1", "legacy": "1", "blocking": "60", "init": "3600", "segment": "3600"}


async def test_urls_depend_on_names_only(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Deleted and made again, the same URLs serve other bytes: why every start needs a fresh name."""
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        name = await ome.create_listed("file://short.mp4")
        url, before, _ = await playable(ome, name)
        await ome.delete(name)
        await ome.until(lambda: ome.fetch(url), lambda found: found.status == 404)
        await ome.create(name, "file://other.mp4")
        _, after, _ = await playable(ome, name)

    assert [variant.uri for variant in before.playlists] == [variant.uri for variant in after.playlists]


async def test_playlists_of_the_ladder(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        name = await ome.create_listed("file://short.mp4")
        await playable(ome, name)

        rungs: dict[str, list[tuple[int, int]]] = {}
        for file in ("master", "max-240p", "max-144p", "llhls"):
            ladder = m3u8.loads((await ome.fetch(path_of(name, file))).text)
            rungs[file] = [variant.stream_info.resolution or (0, 0) for variant in ladder.playlists]

    # 426 is rounded up to a multiple of 4.
    whole = [(640, 360), (428, 240), (256, 144)]
    assert rungs == {"master": whole, "max-240p": whole[1:], "max-144p": whole[2:], "llhls": whole[2:]}


async def test_blocking_reload_waits_for_the_segment(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        name = await ome.create_listed("file://short.mp4")
        url, ladder, _ = await playable(ome, name)
        base, playlist = await chunklist(ome, url, ladder.playlists[0].uri)
        wanted = len(playlist.segments) + 1

        answer = await ome.fetch(f"{base}?_HLS_msn={wanted}")

    assert m3u8.loads(answer.text).segments[-1].media_sequence is not None
    assert f"seg_0_{wanted}_video" in answer.text


async def test_channels_survive_a_restart_and_nothing_else_does(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        name = await ome.create_listed("file://short.mp4")
        await ome.ask("POST", "/v1/vhosts", [{"name": "dynamic", "host": {"names": ["dynamic.invalid"]}}])
        urls = (server.api_url, server.playback_url)

        await server.restart()

        assert (server.api_url, server.playback_url) == urls
        await playable(ome, name)
        assert (await ome.ask("GET", "/v1/vhosts")).response == ["default"]

        await server.restart(wipe=True)

        assert (await ome.ask("GET", ome.channels())).response == []


async def test_a_channel_deleted_before_the_restart_stays_away(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        name = await ome.create_listed()
        kept = await ome.create_listed()
        await ome.delete(name)

        await server.restart()

        await ome.until(lambda: ome.ask("GET", ome.channels(kept)), lambda found: found.status == 200)
        assert (await ome.ask("GET", ome.channels())).response == [kept]


async def test_names_that_lead_elsewhere(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """OME writes `../x.sch` next to its folder; ours says so and writes nothing."""
    async with stand_in(tmp_path) as server:
        ome = target(http, server)

        assert (await ome.create("a/b")).status == 500
        assert (await ome.create("n" * 300)).status == 500
        assert (await ome.create("../escaped")).status == 201

        assert not (server.state_dir / "escaped.sch").exists()
        control = await ome.create_listed()
        assert (await ome.ask("GET", ome.channels())).response == [control]


async def test_media_root_is_not_left(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "outside.mp4").write_bytes(b"secret")
    async with stand_in(tmp_path, real_media=True) as server:
        ome = target(http, server)
        name = await ome.create_listed("file://../outside.mp4")

        assert (await ome.ask("GET", ome.channels(name))).response["currentProgram"]["state"] == "offair"


async def test_latency_is_added_to_each_api_answer(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        ome = target(http, server)
        server.latency = 0.2
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.gather(*(ome.ask("GET", "/v1/version") for _ in range(10)))

        assert 0.2 <= clock() - began < 1.5, "ten at once wait together"


async def test_port_that_is_taken(tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server:
        other = StandInOme(
            media_root=tmp_path,
            state_dir=tmp_path / "other",
            applications={APP: LADDER},
            api_port=int(server.api_url.rpartition(":")[2]),
            packager=SyntheticPackager(),
        )
        with pytest.raises(OSError, match="address already in use"):
            await other.start()


@pytest.mark.ffmpeg
async def test_stop_ends_ffmpeg_and_start_resumes(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    server = stand_in(tmp_path, timing=Timing.instant(segment_seconds=1), real_media=True)
    await make_clip(tmp_path / "media" / "long.mp4", seconds=120, size=(640, 360))
    try:
        await server.start()
        ome = target(http, server)
        name = await ome.create_listed("file://long.mp4")
        await playable(ome, name)
        assert children(), "it plays while ffmpeg is still at work"

        await server.stop()

        assert not children()
        await server.start()
        await playable(ome, name)
    finally:
        await server.stop()
    assert not children()


def children() -> list[str]:
    """Command lines of the ffmpegs that this process has started and that still run."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if parent == os.getpid() and "ffmpeg" in command:
            found.append(command)
    return found
