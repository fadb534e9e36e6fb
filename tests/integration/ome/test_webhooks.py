"""The stand-in OME asks as a real one does, and makes of each answer what a real one makes of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import m3u8
import pytest
from aiohttp import web

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.admission import ClosedGate
from streaming_service.application.ome_hooks import HookPolicy, OmeHooks
from streaming_service.application.ports import Playability
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.application.viewer_gate import ViewerGate
from streaming_service.devkit.ome import MediaFacts, StandInOme, SyntheticPackager, Timing, Webhook
from streaming_service.domain.ladder import QUALITIES
from streaming_service.domain.ome_webhook import parse_transcode, verify
from streaming_service.domain.placement import Placement
from streaming_service.domain.transcode import fit
from streaming_service.telemetry import Metrics
from tests.integration.ome.conftest import LADDER, MISSING, SILENT, Ome, until
from tests.unit.application.door import FakeBoxOffice

pytestmark = pytest.mark.anyio

SECRET = "hook-secret"
TOKEN = "key:secret"
FACTS = {
    "portrait.mp4": MediaFacts(duration=8.0, width=720, height=1280),
    "small.mp4": MediaFacts(duration=8.0, width=320, height=240),
    SILENT: MediaFacts(duration=8.0, width=1280, height=720, audio=False),
}

Answer = Callable[[bytes], Awaitable[Any]]


def always(answer: Any, *, after: float = 0.0) -> Answer:
    """The same answer to everything."""

    async def say(_: bytes) -> Any:
        await asyncio.sleep(after)
        return answer

    return say


class Control:
    """A control server: answers with what `answer` makes of the body, after `delay` seconds."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.signed = True
        self.status = 200
        self.answer: Answer = always({})
        self.url = ""
        self._runner = web.ServerRunner(web.Server(self._handle))

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.bodies.append(body)
        self.signed &= verify(body, request.headers.get("x-ome-signature"), [SECRET])
        answer = self.answer(body)
        if hasattr(answer, "__await__"):
            answer = await answer
        return web.Response(
            status=self.status, body=answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        )


class Stage:
    """A stand-in that asks a control server, and a client of it."""

    def __init__(self, server: StandInOme, ome: Ome, control: Control) -> None:
        self.server, self.ome, self.control = server, ome, control

    async def shows(self, media: str, *, audio: bool = True) -> Placement:
        """A channel that has been asked about."""
        asked = len(self.control.bodies)
        placement = await self.ome.started(media, audio=audio)

        async def was_asked() -> bool:
            return len(self.control.bodies) > asked

        await until(was_asked)
        return placement

    async def fetch(self, placement: Placement, file: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.server.playback_url}{placement.path}{file}.m3u8") as answer,
        ):
            return answer.status, await answer.text()

    async def sizes(self, placement: Placement, file: str) -> list[tuple[int, int]]:
        found: list[str] = []

        async def plays() -> bool:
            status, text = await self.fetch(placement, file)
            found[:] = [text]
            return status == 200

        await until(plays)
        return [item.stream_info.resolution or (0, 0) for item in m3u8.loads(found[0]).playlists]

    async def files(self, placement: Placement) -> list[str]:
        state = await self.ome.client.stream(placement.application, placement.stream)
        return [
            item.file_name for output in state.outputs for item in output.playlists if "webrtc" not in item.file_name
        ]


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    control = Control()
    await control.start()
    yield control
    await control.stop()


def stand_in_asking(folder: Path, *, transcode: Webhook | None = None, admission: Webhook | None = None) -> StandInOme:
    return StandInOme(
        media_root=folder / "media",
        state_dir=folder / "state",
        applications={"reels": LADDER, "series": LADDER},
        access_token=TOKEN,
        timing=Timing.instant(),
        packager=SyntheticPackager(FACTS, missing=frozenset({MISSING})),
        transcode_webhook=transcode,
        admission_webhook=admission,
    )


@pytest.fixture
async def stage(control: Control, transport: AiohttpTransport, tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        hook = Webhook(control.url, SECRET, timeout=0.3)
        server = await stack.enter_async_context(stand_in_asking(tmp_path, transcode=hook))
        yield Stage(server, Ome(transport, server.api_url, server.playback_url, TOKEN), control)


@pytest.fixture
def hooks() -> OmeHooks:
    store = MemoryStore()

    def nothing(_: str) -> None: ...

    return OmeHooks(
        secrets=(SECRET,),
        directory=StreamDirectory(store, "ss-", monotonic=lambda: 0.0),
        store=store,
        policy=HookPolicy(ladders={"reels": LADDER}, stream_prefix="ss-", playlist="master"),
        gate=ClosedGate(),
        viewers=ViewerGate(FakeBoxOffice(), prefix="ss-"),
        clock=WallClock(),
        meter=Metrics(),
        changed=nothing,
    )


async def test_it_asks_once_with_what_a_real_one_says(stage: Stage, hooks: OmeHooks) -> None:
    stage.control.answer = hooks.transcode
    placement = await stage.shows("portrait.mp4")
    await stage.sizes(placement, "master")
    (body,) = stage.control.bodies
    query = parse_transcode(body)
    assert stage.control.signed
    assert body.startswith(b'{\n\t"source" : ""')
    assert (query.stream, query.application, query.scheduled) == (placement.stream, "reels", True)
    assert (query.width, query.height, query.audio) == (720, 1280, True)
    assert abs((datetime.now(UTC) - query.created_at).total_seconds()) < 30


async def test_a_portrait_source_comes_out_portrait(stage: Stage, hooks: OmeHooks) -> None:
    stage.control.answer = hooks.transcode
    placement = await stage.shows("portrait.mp4")
    assert await stage.sizes(placement, "master") == [(720, 1280), (480, 852), (360, 640)]
    assert await stage.sizes(placement, "max-480p") == [(480, 852), (360, 640)]
    assert (await stage.ome.look(placement)).verdict is Playability.PLAYABLE


async def test_a_small_source_is_not_scaled_up_and_every_cap_plays(stage: Stage, hooks: OmeHooks) -> None:
    stage.control.answer = hooks.transcode
    placement = await stage.shows("small.mp4")
    for quality in QUALITIES:
        assert await stage.sizes(placement, LADDER.playlist(quality)) == [(320, 240)]
    assert await stage.files(placement) == ["llhls", "master", "max-360p", "max-480p"]
    rungs = fit(LADDER, 320, 240)
    assert (await stage.ome.look(placement, rungs=rungs)).verdict is Playability.PLAYABLE


async def test_a_fitted_ladder_is_a_whole_one_where_the_webhook_fits_it(stage: Stage, hooks: OmeHooks) -> None:
    stage.control.answer = hooks.transcode
    placement = await stage.shows("small.mp4")
    await stage.sizes(placement, "master")
    # The placement wants the whole ladder; OME, asked by nobody for what it cannot show, lacks most of it.
    assert (await stage.ome.origin_with(fitted=False).playability(placement)).verdict is Playability.INCOMPLETE
    assert (await stage.ome.origin_with(fitted=True).playability(placement)).verdict is Playability.PLAYABLE


async def test_a_source_without_sound_has_none(stage: Stage, hooks: OmeHooks) -> None:
    stage.control.answer = hooks.transcode
    placement = await stage.shows(SILENT, audio=False)
    await stage.sizes(placement, "master")
    assert "AUDIO" not in (await stage.fetch(placement, "master"))[1]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"allowed": False, "reason": "no"}),
        (200, {"allowed": "true"}),
        (200, {"allowed": True}),
        (200, {"allowed": True, "outputProfiles": {"outputProfile": []}}),
        (200, b"garbage"),
        (200, b""),
        (200, []),
        (500, {}),
        (404, {}),
        (201, {"allowed": True}),
    ],
)
async def test_a_no_leaves_it_on_air_without_outputs(stage: Stage, status: int, answer: Any) -> None:
    stage.control.status, stage.control.answer = status, always(answer)
    placement = await stage.shows("test.mp4")

    async def decided() -> bool:
        state = await stage.ome.client.scheduled_channel(placement.application, placement.stream)
        return bool(state.current_program and state.current_program.state == "onair")

    await until(decided)
    for file in ("master", "llhls", "max-480p"):
        assert (await stage.fetch(placement, file))[0] == 404
    assert await stage.files(placement) == []


@pytest.mark.parametrize(
    "breakage", ["not a boolean", "unknown key", "no bitrate", "preset", "twice", "reference", "no name"]
)
async def test_one_broken_rule_voids_the_whole_answer(stage: Stage, hooks: OmeHooks, breakage: str) -> None:
    async def broken(body: bytes) -> Any:
        answer = await hooks.transcode(body)
        (profile,) = answer["outputProfiles"]["outputProfile"]
        video = profile["encodes"]["videos"][0]
        match breakage:
            case "not a boolean":
                answer["allowed"] = "true"
            case "unknown key":
                video["hardware"] = True
            case "no bitrate":
                del video["bitrate"]
            case "preset":
                video["preset"] = "ultrafast"
            case "twice":
                profile["playlists"][1]["fileName"] = "master"
            case "reference":
                profile["playlists"][0]["renditions"][0]["video"] = "nothing"
            case _:
                del profile["name"]
        return answer

    stage.control.answer = broken
    placement = await stage.shows("test.mp4")

    async def decided() -> bool:
        return bool((await stage.ome.client.stream(placement.application, placement.stream)).input)

    await until(decided)
    assert (await stage.fetch(placement, "master"))[0] == 404
    assert await stage.files(placement) == []


async def test_without_an_answer_in_time_the_local_profile_plays(stage: Stage) -> None:

    stage.control.answer = always({}, after=1)
    placement = await stage.shows("small.mp4")
    assert await stage.sizes(placement, "master") == [(1280, 720), (856, 480), (640, 360)]


async def test_a_dead_control_server_leaves_the_local_profile(stage: Stage) -> None:
    await stage.control.stop()
    placement = await stage.ome.started("small.mp4")
    assert await stage.sizes(placement, "max-480p") == [(856, 480), (640, 360)]


async def test_it_asks_again_after_a_restart_and_not_about_missing_files(stage: Stage, hooks: OmeHooks) -> None:
    stage.control.answer = hooks.transcode
    await stage.ome.started(MISSING)
    placement = await stage.shows("test.mp4")
    await stage.server.restart()
    await stage.sizes(placement, "master")
    assert [parse_transcode(body).stream for body in stage.control.bodies] == [placement.stream] * 2


async def test_admission_is_asked_on_each_master_playlist(
    control: Control, transport: AiohttpTransport, tmp_path: Path
) -> None:
    control.answer = always({"allowed": True})
    async with stand_in_asking(tmp_path, admission=Webhook(control.url, SECRET)) as server:
        stage = Stage(server, Ome(transport, server.api_url, server.playback_url, TOKEN), control)
        placement = await stage.ome.playing("test.mp4")
        asked = len(control.bodies)
        assert asked
        assert (await stage.fetch(placement, "max-480p"))[0] == 200
        assert json.loads(control.bodies[-1])["request"]["url"].endswith(f"{placement.path}max-480p.m3u8")
        for answer in ({"allowed": False}, {"allowed": "yes"}, {}, b"garbage"):
            control.answer = always(answer)
            assert (await stage.fetch(placement, "master"))[0] == 401
        await control.stop()
        assert (await stage.fetch(placement, "master"))[0] == 401
