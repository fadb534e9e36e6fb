"""The service and an agent, over real HTTP: signed both ways, and a silence is no failure."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.probing.regions import RegionalProber
from streaming_service.adapters.sealing import Sealer
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.bootstrap import open_probe_agent
from streaming_service.configuration import load
from streaming_service.devkit.faults import Fault, FaultProxy, Mode
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.domain.probe_journey import Finding
from streaming_service.domain.probe_region import Region
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.entrypoints.probe_agent import serve_probe_agent
from tests.contract.probing.conftest import Stage
from tests.unit.adapters.servers import serving

pytestmark = pytest.mark.anyio

SECRET = "whsec_cHJvYmUgYWdlbnQgc2VjcmV0IHdpdGggYnl0ZXM="
OTHER = "whsec_YW5vdGhlciBwcm9iZSBhZ2VudCBzZWNyZXQgaGVyZQ=="


@pytest.fixture
async def agent() -> AsyncIterator[HttpServer]:
    """An agent in ams, with nothing but its own few settings."""
    variables = {
        "APP_ENV": "test",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "PROBE_AGENT_REGION": "ams",
        "PROBE_AGENT_SECRET": SECRET,
    }
    settings = load(variables, env_file=None, roles=["probe-agent"])
    async with open_probe_agent(settings) as process, serve_probe_agent(process) as server:
        yield server


class Asking:
    """The service's side."""

    def __init__(self, stack: AsyncExitStack, transport: AiohttpTransport) -> None:
        self.stack = stack
        self.transport = transport
        self.now = 0.0
        self.probers: dict[str, RegionalProber] = {}

    def monotonic(self) -> float:
        return self.now

    async def probe(self, stage: Stage, url: str, *, region: str = "ams", secret: str = SECRET) -> Finding | None:
        clock = WallClock()
        if secret not in self.probers:
            self.probers[secret] = RegionalProber(
                HttpProber(self.transport, clock=clock, monotonic=time.monotonic),
                self.transport,
                sealer=Sealer([secret], "PROBE_AGENT_SECRET"),
                clock=clock,
                monotonic=self.monotonic,
            )
        return await self.probers[secret].probe(Region(region, agent=url), stage.journey())


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    async with AsyncExitStack() as stack:
        yield Asking(stack, await stack.enter_async_context(AiohttpTransport()))


def at(server: HttpServer) -> str:
    return f"http://127.0.0.1:{server.port}"


async def test_an_agent_finds_what_is_there(stage: Stage, agent: HttpServer, asking: Asking) -> None:
    finding = await asking.probe(stage, at(agent))
    assert finding
    assert finding.verdict is ProbeVerdict.OK
    stage.middleman.spoil = lambda path, body: 404 if "/seg_" in path else body
    stage.edge.purge("/*")
    finding = await asking.probe(stage, at(agent))
    assert finding
    assert (finding.verdict, finding.status) == (ProbeVerdict.GAP, 404)
    async with aiohttp.ClientSession() as session, session.get(f"{at(agent)}/metrics") as answer:
        text = await answer.text()
    assert 'streaming_probe_total{region="ams",target="primary",verdict="gap"} 1.0' in text


async def test_nobody_else_may_have_it_fetch_things(stage: Stage, agent: HttpServer) -> None:
    body = msgspec.json.encode(stage.journey())
    now = WallClock().now()
    forged = Sealer([OTHER], "PROBE_AGENT_SECRET").headers("id", body, now)
    async with aiohttp.ClientSession() as session:
        for headers in ({}, forged):
            async with session.post(f"{at(agent)}/probe", data=body, headers=headers) as answer:
                assert answer.status == 401
                assert (await answer.json(content_type=None))["code"] == "bad_signature"
    assert stage.edge.recent == ()


async def test_a_question_that_is_none(stage: Stage, agent: HttpServer) -> None:
    sealer = Sealer([SECRET], "PROBE_AGENT_SECRET")
    journey = msgspec.to_builtins(stage.journey())
    async with aiohttp.ClientSession() as session:
        for body in (b"{}", b"[", msgspec.json.encode({**journey, "url": "file:///etc/passwd"})):
            headers = sealer.headers("id", body, WallClock().now())
            async with session.post(f"{at(agent)}/probe", data=body, headers=headers) as answer:
                assert answer.status == 422, body


@pytest.mark.parametrize(
    "fault",
    [
        Fault(mode=Mode.REFUSE),
        Fault(mode=Mode.RESET),
        Fault(mode=Mode.GARBAGE),
        Fault(mode=Mode.TRUNCATE, after=200),
        Fault(mode=Mode.STATUS, status=200),
        Fault(mode=Mode.STATUS, status=503),
        Fault(mode=Mode.REDIRECT),
    ],
    ids=lambda fault: f"{fault.mode} {fault.status}",
)
async def test_an_agent_that_does_not_answer_is_silent(
    stage: Stage, agent: HttpServer, asking: Asking, fault: Fault
) -> None:
    parts = urlsplit(at(agent))
    proxy = await asking.stack.enter_async_context(FaultProxy(parts.hostname or "", parts.port or 0))
    assert await asking.probe(stage, proxy.url)
    await proxy.become(fault)
    with capture_logs() as lines:
        assert await asking.probe(stage, proxy.url) is None
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["event"], line["region"]) == ("probe agent is silent", "ams")
    await proxy.become(Fault())
    assert await asking.probe(stage, proxy.url)


async def test_an_agent_that_stays_silent_is_left_alone_for_a_while(
    stage: Stage, agent: HttpServer, asking: Asking
) -> None:
    parts = urlsplit(at(agent))
    proxy = await asking.stack.enter_async_context(FaultProxy(parts.hostname or "", parts.port or 0))
    await proxy.become(Fault(mode=Mode.STATUS, status=503))
    with capture_logs() as lines:
        assert [await asking.probe(stage, proxy.url) for _ in range(5)] == [None] * 5
    assert proxy.connections == 2
    assert len(lines) == 1, "told once"
    await proxy.become(Fault())
    asking.now += 30
    with capture_logs() as lines:
        assert await asking.probe(stage, proxy.url)
    assert [line["event"] for line in lines] == ["probe agent answers again"]


async def test_answers_of_others_are_none(stage: Stage, agent: HttpServer, asking: Asking) -> None:
    assert await asking.probe(stage, at(agent), secret=OTHER) is None
    assert await asking.probe(stage, at(agent), region="sfo") is None, "it is in ams"


async def test_an_answer_of_yesterday_is_none(stage: Stage, agent: HttpServer, asking: Asking) -> None:
    """Somebody in between records an answer and gives it to every later question."""
    recorded: list[tuple[dict[str, str], bytes]] = []

    async def replay(request: web.Request) -> web.Response:
        if not recorded:
            names = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type")
            headers = {name: request.headers[name] for name in names}
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{at(agent)}{request.path}", data=await request.read(), headers=headers) as answer,
            ):
                recorded.append(({name: answer.headers[name] for name in names}, await answer.read()))
        headers, body = recorded[0]
        return web.Response(body=body, headers=headers)

    async with serving(replay) as url:
        assert await asking.probe(stage, url)
        assert await asking.probe(stage, url) is None
