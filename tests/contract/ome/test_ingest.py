"""What only the stand-in is held to: the webhooks around publishers, word by word as recorded, and its knobs."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

import aiohttp
import m3u8
import msgspec
import pytest
from aiohttp import web

from streaming_service.devkit.media import MediaFacts
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing, Webhook
from streaming_service.domain.ome_webhook import verify
from tests.contract.ome.conftest import LADDER
from tests.contract.ome.playing import path_of, playable
from tests.contract.ome.target import APP, OTHER_APP, VHOST, Json, Target, program

pytestmark = pytest.mark.anyio

SECRET = "hook-secret"
TOKEN = "ome-key:ome-secret"
BYPASS: Json = {
    "name": "ingest",
    "outputStreamName": "${OriginStreamName}",
    "encodes": {"videos": [{"name": "v", "bypass": True}], "audios": [{"name": "a", "bypass": True}]},
}


class Story(msgspec.Struct, frozen=True):
    """One line of `exchanges/admissions.json`, recorded from 0.21: what was published and answered, and all that OME
    said. `at` is the application and stream that it became. 0.20 says the same."""

    name: str
    key: str
    query: str
    status: int
    answer: Any
    end: Literal["leave", "kick", "lifetime", "refused"]
    at: tuple[str, str] | None
    said: list[str]


STORIES = msgspec.json.decode((Path(__file__).parent / "exchanges" / "admissions.json").read_bytes(), type=list[Story])


class Control:
    """A control server with one answer; it keeps what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer: Any = {"allowed": True}
        self.status = 200
        self.delay = 0.0
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
        assert verify(body, request.headers.get("x-ome-signature"), [SECRET])
        self.bodies.append(body)
        await asyncio.sleep(self.delay)
        answer = b"" if self.answer is None else json.dumps(self.answer).encode()
        return web.Response(status=self.status, body=answer)

    @property
    def told(self) -> list[str]:
        """The bodies without what differs each time."""
        bodies = [re.sub(r'"port":\d+', '"port":{port}', body.decode()) for body in self.bodies]
        return [re.sub(r'"time":"[^"]+"', '"time":"{time}"', body) for body in bodies]

    @property
    def statuses(self) -> list[str]:
        return [json.loads(body)["request"]["status"] for body in self.bodies]


class Stage:
    def __init__(self, server: StandInOme, ome: Target, admission: Control, transcoding: Control) -> None:
        self.server, self.ome, self.admission, self.transcoding = server, ome, admission, transcoding

    async def streams(self, application: str = APP) -> list[str]:
        return (await self.ome.ask("GET", f"/v1/vhosts/default/apps/{application}/streams")).response

    async def until_said(self, count: int) -> None:
        deadline = asyncio.get_running_loop().time() + 5
        while len(self.admission.bodies) < count:
            assert asyncio.get_running_loop().time() < deadline, self.admission.statuses
            await asyncio.sleep(0.01)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    admission, transcoding = Control(), Control()
    transcoding.answer = {"allowed": True, "outputProfiles": {"outputProfile": [BYPASS]}}
    async with AsyncExitStack() as stack:
        for control in (admission, transcoding):
            await control.start()
            stack.push_async_callback(control.stop)
        server = await stack.enter_async_context(
            stand_in(
                tmp_path,
                admission_webhook=Webhook(admission.url, SECRET, timeout=0.4),
                transcode_webhook=Webhook(transcoding.url, SECRET, timeout=0.4),
            )
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Stage(server, target(http, server), admission, transcoding)


def stand_in(folder: Path, *, timing: Timing | None = None, **options: Any) -> StandInOme:
    facts = {"live.mp4": MediaFacts(duration=8.0, width=1920, height=1080, bitrate_kbps=4000)}
    return StandInOme(
        media_root=folder / "media",
        state_dir=folder / "state",
        applications={APP: LADDER, OTHER_APP: LADDER},
        timing=timing or Timing.instant(segment_seconds=0.25),
        packager=SyntheticPackager(facts, missing=frozenset({"contract-no-such-file.mp4"})),
        **options,
    )


def target(http: aiohttp.ClientSession, server: StandInOme) -> Target:
    return Target(
        http,
        server.api_url,
        playback_url=server.playback_url,
        media_root=server.media_root,
        token=TOKEN,
        stand_in=True,
        patience=10.0,
        server=server,
    )


# -- admission --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_recorded_story(stage: Stage, story: Story) -> None:
    stage.admission.status, stage.admission.answer = story.status, story.answer
    if story.end == "lifetime":
        stage.admission.answer = story.answer | {"lifetime": 200}
    async with stage.server.publish(APP, story.key, query=story.query) as publisher:
        assert publisher.live is (story.at is not None), publisher.error
        if story.at:
            application, name = story.at
            assert await stage.streams(application) == [name]
            if story.end == "kick":
                await stage.ome.ask("DELETE", f"/v1/vhosts/default/apps/{application}/streams/{name}")
            if story.end != "leave":
                await asyncio.wait_for(publisher.cut(), 1)
                assert publisher.error == "Broken pipe"
        else:
            assert "Input/output error" in publisher.error
    await stage.until_said(len(story.said))

    assert stage.admission.told == story.said
    assert await stage.streams(APP) == await stage.streams(OTHER_APP) == []


async def test_without_an_answer_it_is_not_admitted(stage: Stage) -> None:
    stage.admission.delay = 1.0
    async with stage.server.publish(APP, "cam1") as publisher:
        assert not publisher.live
        assert await stage.streams() == []


async def test_without_a_webhook_everybody_is_admitted(tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server, server.publish(APP, "cam1", query="key=1", protocol="SRT") as publisher:
        assert publisher.live


async def test_srt_is_asked_about_by_its_stream_id(stage: Stage) -> None:
    """As a real one told (0.21): a denial is followed by nothing, and a kick by one goodbye."""
    stage.admission.answer = {"allowed": True, "new_url": f"srt://{VHOST}/{APP}/ch77?a=b"}
    async with stage.server.publish(APP, "secret", query="a=b", protocol="SRT") as publisher:
        assert publisher.live
        assert await stage.streams() == ["ch77"]
        await stage.ome.ask("DELETE", stage.ome.streams("ch77"))
        await publisher.cut()
    stage.admission.answer = {"allowed": False}
    async with stage.server.publish(APP, "secret", protocol="SRT") as publisher:
        assert not publisher.live
    told = [json.loads(body)["request"] for body in stage.admission.bodies]
    assert [(one["status"], one["url"]) for one in told] == [
        ("opening", f"srt://{VHOST}/{APP}/secret?a=b"),
        ("closing", f"srt://{VHOST}/{APP}/secret?a=b"),
        ("opening", f"srt://{VHOST}/{APP}/secret"),
    ]


async def test_a_name_that_is_taken(stage: Stage) -> None:
    """Asked, let in, and cut off; the one who was first is not disturbed."""
    stage.admission.answer = {"allowed": True, "new_url": f"rtmp://127.0.0.1:1935/{APP}/ch77"}
    async with (
        stage.server.publish(APP, "secret", port=41001) as first,
        stage.server.publish(APP, "secret", port=41002) as second,
    ):
        assert (first.live, second.live) == (True, False)
        assert "is on air" in second.error
        told = [json.loads(body) for body in stage.admission.bodies]
        assert [(body["client"]["port"], body["request"]["status"]) for body in told] == [
            (41001, "opening"),
            (41002, "opening"),
            (41002, "closing"),
        ]
        assert told[2]["request"]["new_url"] == f"rtmp://127.0.0.1:1935/{APP}/ch77"


async def test_an_application_that_does_not_exist(stage: Stage) -> None:
    async with stage.server.publish("nosuch", "x") as publisher:
        assert not publisher.live
    assert stage.admission.statuses == ["opening", "closing"]


async def test_a_file_that_does_not_exist(stage: Stage) -> None:
    async with stage.server.publish(APP, "x", file="contract-no-such-file.mp4") as publisher:
        assert "no media in file://contract-no-such-file.mp4" in publisher.error


async def test_an_encoder_comes_back_until_it_is_denied(stage: Stage) -> None:
    async with stage.server.publish(APP, "cam1", auto_reconnect=True, pause=0.05) as publisher:
        await stage.ome.ask("DELETE", stage.ome.streams("cam1"))
        await publisher.cut()
        await until(lambda: publisher.live)
        assert publisher.attempts == 2

        stage.admission.answer = {"allowed": False}
        await stage.ome.ask("DELETE", stage.ome.streams("cam1"))
        await until(lambda: publisher.attempts >= 4)
        assert not publisher.live
        assert await stage.streams() == []


async def test_an_encoder_survives_a_restart_of_ome(tmp_path: Path) -> None:
    async with stand_in(tmp_path) as server, server.publish(APP, "cam1", auto_reconnect=True, pause=0.02) as publisher:
        await server.restart()
        await until(lambda: publisher.live)
        assert publisher.attempts >= 2


async def test_encoders_can_be_started_over_http(stage: Stage) -> None:
    ask, path = stage.ome.ask, "/_stand-in/publishers"
    assert (await ask("POST", path, {"application": APP, "key": "cam1"})).status == 201
    assert (await ask("POST", path, {"application": APP, "key": "cam1"})).status == 409
    shown = await stage.ome.until(lambda: ask("GET", path), lambda found: found.response[0]["live"])
    assert (shown.response[0]["key"], shown.response[0]["file"]) == ("cam1", "live.mp4")
    assert await stage.streams() == ["cam1"]

    assert (await ask("DELETE", f"{path}/{APP}/cam1")).status == 200
    await stage.ome.until(lambda: ask("GET", stage.ome.streams()), lambda found: found.response == [])
    assert (await ask("DELETE", f"{path}/{APP}/cam1")).status == 404
    assert (await ask("POST", path, {"application": APP})).status == 400
    assert (await ask("POST", path, {"application": APP, "key": "cam1", "protocol": "HTTP"})).status == 400
    assert (await ask("GET", path, authorization="")).status == 401


# -- transcoding ------------------------------------------------------------------------------------------------------


async def test_it_asks_what_to_make_of_a_publisher(stage: Stage) -> None:
    async with stage.server.publish(APP, "cam1", port=41001):
        _, ladder, _ = await playable(stage.ome, "cam1")
    (body,) = stage.transcoding.bodies
    asked = json.loads(body)
    assert body.startswith(b'{\n\t"source" : "TCP://127.0.0.1:41001/tcp",\n')
    assert list(asked["stream"]) == [
        *("application", "createdTime", "name", "sourceType", "sourceUrl", "tracks", "virtualHost"),
    ]
    assert asked["stream"]["sourceType"] == "Rtmp"
    assert [track["id"] for track in asked["stream"]["tracks"]] == [0, 1, 2]
    assert [item.stream_info.resolution for item in ladder.playlists] == [(1920, 1080)]


async def test_a_publisher_that_is_refused_its_outputs_is_cut_off(stage: Stage) -> None:
    stage.transcoding.answer = {"allowed": False}
    async with stage.server.publish(APP, "cam2") as publisher:
        await asyncio.wait_for(publisher.cut(), 1)
    assert await stage.streams() == []
    assert stage.admission.statuses == ["opening", "closing"]


# -- statistics -------------------------------------------------------------------------------------------------------


async def test_viewers_are_what_the_test_says(stage: Stage) -> None:
    path = f"/v1/stats/current/vhosts/default/apps/{APP}"
    async with stage.server.publish(APP, "cam1"), stage.server.publish(APP, "cam2"):
        stage.server.viewers[APP, "cam1"] = 7
        stage.server.viewers[APP, "cam2"] = {"webrtc": 2, "srt": 1}
        one = (await stage.ome.ask("GET", f"{path}/streams/cam1")).response
        both = (await stage.ome.ask("GET", path)).response
        stage.server.viewers[APP, "cam1"] = 3
        later = (await stage.ome.ask("GET", f"{path}/streams/cam1")).response

    assert (one["connections"]["llhls"], one["totalConnections"]) == (7, 7)
    assert {name: count for name, count in both["connections"].items() if count} == {"llhls": 7, "webrtc": 2, "srt": 1}
    assert (later["totalConnections"], later["maxTotalConnections"]) == (3, 7)
    assert (one["avgThroughputIn"], one["lastThroughputIn"]) == (4_000_000, 500_000)


# -- overload ---------------------------------------------------------------------------------------------------------


async def test_more_channels_than_it_can_encode(tmp_path: Path) -> None:
    """All are on air, none is refused, and each playlist advances at a third of the speed."""
    timing = Timing.instant(segment_seconds=0.1)
    async with stand_in(tmp_path, timing=timing, realtime_channels=1) as server, aiohttp.ClientSession() as http:
        ome = target(http, server)
        names = [await ome.create_listed(programs=[program("file://short.mp4")]) for _ in range(3)]
        for name in names:
            await playable(ome, name)
            shown = (await ome.ask("GET", ome.channels(name))).response
            assert shown["currentProgram"]["state"] == "onair"
        before = {name: await media_time(ome, name) for name in names}
        await asyncio.sleep(1.5)
        after = {name: await media_time(ome, name) for name in names}

    for name in names:
        assert after[name] - before[name] == pytest.approx(0.5, abs=0.25)


async def media_time(ome: Target, name: str) -> float:
    """The end of the last segment that is listed, in seconds since the epoch."""
    ladder = m3u8.loads((await ome.fetch(path_of(name, "master"))).text)
    answer = await ome.fetch(str(ladder.playlists[0].uri), ome.playback_url + path_of(name, "master"))
    last = m3u8.loads(answer.text).segments[-1]
    assert last.program_date_time
    return last.program_date_time.timestamp() + (last.duration or 0)


async def until(true: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 5
    while not true():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
