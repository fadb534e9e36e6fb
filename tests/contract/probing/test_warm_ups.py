"""Warm-ups over real HTTP: what of a film is in the edge's cache afterwards, and who was asked."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from streaming_service.adapters.clock import WallClock
from streaming_service.adapters.probing.line import AgentLine
from streaming_service.adapters.sealing import Sealer
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.adapters.warming.regions import RegionalWarmer
from streaming_service.adapters.warming.warmer import HttpWarmer
from streaming_service.bootstrap import open_probe_agent
from streaming_service.configuration import load
from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.edge_forms import form_of
from streaming_service.devkit.faults import Fault, FaultProxy, Mode
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import Region
from streaming_service.domain.signing.scheme import Signer
from streaming_service.domain.warming import Errand, Warmed, signed_errand
from streaming_service.entrypoints.probe_agent import serve_probe_agent
from tests.contract.probing.conftest import LADDER, PATH, SIGNER, Stage
from tests.signing import FORMS, signer
from tests.unit.adapters.servers import serving

pytestmark = pytest.mark.anyio

SECRET = "whsec_cHJvYmUgYWdlbnQgc2VjcmV0IHdpdGggYnl0ZXM="


def errand(
    base: str, *, scheme: Signer = SIGNER, segments: int = 2, timeout: float = 2.0, seconds: float = 5.0, ttl: int = 300
) -> Errand:
    grant = scheme.sign(base + PATH, int(time.time()) + ttl)
    return signed_errand(grant, "master.m3u8", Target.PRIMARY, segments=segments, timeout=timeout, seconds=seconds)


async def fetch(wanted: Errand, edge: str | None = None, concurrency: int = 8) -> Warmed:
    async with AiohttpTransport() as transport:
        return await HttpWarmer(transport, monotonic=time.monotonic, concurrency=concurrency).fetch(wanted, edge)


def media(asked: list[str]) -> list[str]:
    return [path for path in asked if "/seg_" in path]


async def test_the_manifest_every_variant_and_its_first_segments_are_in_the_cache(stage: Stage) -> None:
    warmed = await fetch(errand(stage.edge.url))

    assert warmed.missed == ()
    playlists = [path for path in warmed.warmed if path.endswith(".m3u8")]
    assert (playlists[0], len(playlists)) == (f"{PATH}master.m3u8", 1 + len(LADDER.rungs))
    segments = [path for path in warmed.warmed if "/seg_" in path]
    assert len(segments) == 2 * len(LADDER.rungs)
    assert all("?" not in path and path.startswith(PATH) for path in warmed.warmed)


async def test_what_was_warmed_is_not_asked_of_the_origin_again() -> None:
    asked: list[str] = []

    async def origin(request: web.Request) -> web.Response:
        asked.append(request.path.rpartition("/")[2])
        headers = {"cache-control": "max-age=60"}
        if request.path.endswith("master.m3u8"):
            text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\nv.m3u8\n"
            return web.Response(text=text, headers=headers)
        text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\nseg_0.m4s\n#EXTINF:2,\nseg_1.m4s\n#EXT-X-ENDLIST\n'
        return web.Response(text=text, headers=headers)

    async with serving(origin) as url, StandInEdge(url, SIGNER.verify) as edge:
        await fetch(errand(edge.url, segments=1))
        assert sorted(asked) == ["init.mp4", "master.m3u8", "seg_0.m4s", "v.m3u8"]
        await fetch(errand(edge.url))
    assert sorted(asked) == ["init.mp4", "master.m3u8", "seg_0.m4s", "seg_1.m4s", "v.m3u8"], "only what is new"


async def test_playlists_only(stage: Stage) -> None:
    warmed = await fetch(errand(stage.edge.url, segments=0))

    assert len(warmed.warmed) == 1 + len(LADDER.rungs)
    assert media(stage.middleman.asked) == []


@pytest.mark.parametrize("form", FORMS)
async def test_an_edge_that_insists_on_grants_lets_it_in(stage: Stage, form: str) -> None:
    subject = signer(form)
    edge = StandInEdge(stage.middleman.url, subject.verify, form=form_of(FORMS[form][0], subject))
    async with edge:
        good = await fetch(errand(edge.url, scheme=subject))
        late = await fetch(errand(edge.url, scheme=subject, ttl=-300))

    assert good.missed == ()
    assert "edge-cache-token" not in "".join(good.warmed), "no grant is told"
    assert (late.warmed, [item.status for item in late.missed]) == ((), [403])


async def test_listing_reads_playlists_and_says_what_the_rest_is(stage: Stage) -> None:
    async with AiohttpTransport() as transport:
        warmer = HttpWarmer(transport, monotonic=time.monotonic, concurrency=8)
        listed = await warmer.list(errand(stage.edge.url))

    assert media(stage.middleman.asked) == []
    assert len(media(list(listed.addresses))) == 2 * len(LADDER.rungs)
    assert all("Signature=" in address for address in listed.addresses)


async def test_what_fails_is_named_and_the_rest_is_warmed(stage: Stage) -> None:
    spoilt: list[str] = []

    def spoil(path: str, body: bytes) -> bytes | int:
        if "/seg_" in path and len(spoilt) < 1:
            spoilt.append(path)
        return 503 if path in spoilt else body

    stage.middleman.spoil = spoil
    warmed = await fetch(errand(stage.edge.url))

    assert [(item.path, item.status, item.reason) for item in warmed.missed] == [(spoilt[0], 503, "answers 503")]
    assert len([path for path in warmed.warmed if "/seg_" in path]) == 2 * len(LADDER.rungs) - 1


async def test_a_manifest_that_is_none_ends_it(stage: Stage) -> None:
    stage.middleman.spoil = lambda path, body: b"<html>" if path.endswith("master.m3u8") else body
    warmed = await fetch(errand(stage.edge.url))

    assert [item.reason for item in warmed.missed] == ["it is no multivariant playlist"]
    assert len(stage.middleman.asked) == 1


async def test_a_playlist_cannot_send_us_elsewhere(stage: Stage) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="#EXTM3U")

    async with serving(elsewhere) as url:
        text = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\n{url}/secret.m3u8\n"
        stage.middleman.spoil = lambda path, body: text.encode()
        warmed = await fetch(errand(stage.edge.url))
    assert asked == []
    assert [item.reason for item in warmed.missed] == ["it is on another host than its manifest"]


async def test_an_edge_is_gone_to_in_the_cdns_name() -> None:
    asked: list[tuple[str, str]] = []

    async def edge(request: web.Request) -> web.Response:
        asked.append((request.headers["host"], request.path))
        if request.path.endswith("master.m3u8"):
            return web.Response(text="#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\nv.m3u8\n")
        return web.Response(text="#EXTM3U\n#EXTINF:2,\nseg_0.m4s\n#EXT-X-ENDLIST\n")

    async with serving(edge) as url:
        assert (await fetch(errand("https://cdn.example"), url)).missed == ()
    assert asked == [("cdn.example", f"{PATH}{name}") for name in ("master.m3u8", "v.m3u8", "seg_0.m4s")]


async def test_it_is_over_when_its_time_is(stage: Stage, proxied: FaultProxy) -> None:
    proxied.fault = Fault(mode=Mode.LATENCY, delay=0.4)
    began = time.monotonic()
    through = f"http://127.0.0.1:{proxied.port}"
    warmed = await fetch(errand(stage.edge.url, timeout=5.0, seconds=1.0), through)

    assert time.monotonic() - began < 3
    assert {item.reason.partition(" ")[0] for item in warmed.missed} <= {"there", "no"}
    assert warmed.missed


async def test_never_more_requests_at_a_time_than_allowed() -> None:
    running = most = 0

    async def edge(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await WallClock().sleep(0.02)
        running -= 1
        if request.path.endswith("master.m3u8"):
            lines = [f"#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2\nv{n}.m3u8" for n in range(6)]
            return web.Response(text="\n".join(["#EXTM3U", *lines]))
        return web.Response(text=f"#EXTM3U\n#EXTINF:2,\n{request.path[-4]}seg_0.m4s\n#EXT-X-ENDLIST\n")

    async with serving(edge) as url:
        warmed = await fetch(errand(url), concurrency=2)
    assert (len(warmed.missed), most) == (0, 2)


@asynccontextmanager
async def agent() -> AsyncGenerator[str]:
    variables = {
        "APP_ENV": "test",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "PROBE_AGENT_REGION": "ams",
        "PROBE_AGENT_SECRET": SECRET,
    }
    settings = load(variables, env_file=None, roles=["probe-agent"])
    async with open_probe_agent(settings) as process, serve_probe_agent(process) as server:
        yield f"http://127.0.0.1:{server.port}"


@asynccontextmanager
async def regional(secret: str = SECRET) -> AsyncGenerator[RegionalWarmer]:
    clock = WallClock()
    async with AiohttpTransport() as transport:
        own = HttpWarmer(transport, monotonic=time.monotonic, concurrency=8)
        sealer = Sealer([secret], "PROBE_AGENT_SECRET")
        yield RegionalWarmer(own, AgentLine(transport, sealer=sealer, clock=clock, monotonic=time.monotonic))


async def test_an_agent_warms_what_is_there(stage: Stage) -> None:
    async with agent() as url, regional() as warmer:
        warmed = await warmer.warm(Region("ams", agent=url), errand(stage.edge.url))

    assert warmed
    assert len([path for path in warmed.warmed if "/seg_" in path]) == 2 * len(LADDER.rungs)


async def test_an_agent_does_nothing_for_a_stranger(stage: Stage) -> None:
    async with agent() as url, regional("whsec_YW5vdGhlciBwcm9iZSBhZ2VudCBzZWNyZXQgaGVyZQ==") as warmer:
        assert await warmer.warm(Region("ams", agent=url), errand(stage.edge.url)) is None
    assert stage.middleman.asked == []


async def test_an_agent_that_knows_no_warm_ups_is_silent(stage: Stage) -> None:
    async def old(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with serving(old) as url, regional() as warmer:
        assert await warmer.warm(Region("ams", agent=url), errand(stage.edge.url)) is None
