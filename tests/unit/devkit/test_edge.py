"""The stand-in edge in front of a small upstream, over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from aiohttp import ClientError, ClientSession, web
from yarl import URL

from streaming_service.devkit.edge import StandInEdge
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Verdict

pytestmark = pytest.mark.anyio

NOW = 1_000_000
SIGNER = CloudCdnSigner(Keyring(SigningKey("primary", bytes(16))))
PLAYLIST = '#EXTM3U\n#EXT-X-MAP:URI="init.m4s"\n#EXTINF:2,\nseg.m4s\n'


class Upstream:
    """A little origin: a playlist that changes, segments, and trouble."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        name = request.path.rpartition("/")[2]
        if name.endswith(".m3u8"):
            return web.Response(
                text=PLAYLIST, content_type="application/vnd.apple.mpegurl", headers={"cache-control": "max-age=10"}
            )
        if name == "seg.m4s":
            return web.Response(
                body=f"segment {len(self.asked)}".encode(),
                content_type="video/mp4",
                headers={"cache-control": "max-age=10", "etag": '"1"', "server": "origin"},
            )
        if name == "live.m4s":
            return web.Response(body=b"live", headers={"cache-control": "no-cache"})
        if name == "cut.m4s":
            return await self._cut(request)
        return web.Response(status=404, text="no such file")

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"cache-control": "max-age=10"})
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response


@pytest.fixture
async def upstream() -> AsyncGenerator[Upstream]:
    origin = Upstream()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await origin(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield origin
    await runner.cleanup()


class Time:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def edge(upstream: Upstream, time: Time) -> AsyncGenerator[StandInEdge]:
    async with StandInEdge(upstream.url, SIGNER.verify, now=time) as running:
        yield running


Get = Callable[..., Awaitable[tuple[int, str, dict[str, str]]]]


@pytest.fixture
async def get() -> AsyncGenerator[Get]:
    async with ClientSession() as session:

        async def _get(
            url: str, headers: dict[str, str] | None = None, method: str = "GET"
        ) -> tuple[int, str, dict[str, str]]:
            async with session.request(method, URL(url, encoded=True), headers=headers) as answer:
                return answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()}

        yield _get


def grant(edge: StandInEdge, expires: int = NOW + 300) -> str:
    return SIGNER.sign(f"{edge.public_base_url}/reels/s-1/", expires).query


def signed(edge: StandInEdge, name: str, query: str = "") -> str:
    return f"{edge.url}/reels/s-1/{name}?{query}{'&' if query else ''}{grant(edge)}"


@pytest.mark.parametrize("name", ["master.m3u8", "seg.m4s", "missing"])
async def test_without_a_signature_nothing_is_given(edge: StandInEdge, upstream: Upstream, get: Get, name: str) -> None:
    status, text, _ = await get(f"{edge.url}/reels/s-1/{name}")

    assert (status, text) == (403, "403 unsigned\n")
    assert upstream.asked == []


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PROPFIND"])
async def test_no_method_gets_around_the_signature(
    edge: StandInEdge, upstream: Upstream, get: Get, method: str
) -> None:
    assert (await get(f"{edge.url}/reels/s-1/seg.m4s", method=method))[0] == 403
    assert upstream.asked == []


async def test_refusals_name_the_verdict(edge: StandInEdge, get: Get) -> None:
    query = grant(edge)
    base = f"{edge.url}/reels/s-1/seg.m4s?"
    tampered = query[:-2] + ("A=" if query[-2] != "A" else "B=")

    assert (await get(base + tampered))[:2] == (403, "403 wrong_signature\n")
    assert (await get(base + query.replace("primary", "other")))[1] == "403 unknown_key\n"
    assert (await get(base + grant(edge, NOW)))[1] == "403 expired\n"
    assert (await get(f"{edge.url}/reels/s-2/seg.m4s?{query}"))[1] == "403 other_path\n"


@pytest.mark.parametrize("dots", ["..", "%2e%2e", "%2E%2E", "x/..%2f..", "..%5c..", "."])
async def test_no_dots_lead_out_of_the_prefix(edge: StandInEdge, upstream: Upstream, get: Get, dots: str) -> None:
    status, text, _ = await get(f"{edge.url}/reels/s-1/{dots}/s-2/seg.m4s?{grant(edge)}")

    assert (status, text) == (403, "403 other_path\n")
    assert upstream.asked == []


async def test_the_host_header_does_not_choose_what_is_verified(edge: StandInEdge, get: Get) -> None:
    foreign = SIGNER.sign("http://evil.example/reels/s-1/", NOW + 300).query
    status, _, _ = await get(f"{edge.url}/reels/s-1/seg.m4s?{foreign}", {"host": "evil.example"})

    assert status == 403


async def test_a_public_base_url_is_what_signatures_are_for(upstream: Upstream, time: Time, get: Get) -> None:
    async with StandInEdge(upstream.url, SIGNER.verify, now=time, public_base_url="https://cdn.test/") as edge:
        query = SIGNER.sign("https://cdn.test/reels/s-1/", NOW + 300).query

        assert (await get(f"{edge.url}/reels/s-1/seg.m4s?{query}"))[0] == 200


async def test_a_playlist_hands_its_grant_to_its_children(edge: StandInEdge, upstream: Upstream, get: Get) -> None:
    query = grant(edge)
    status, text, headers = await get(signed(edge, "master.m3u8", "_HLS_msn=4"))

    assert status == 200
    assert text == f'#EXTM3U\n#EXT-X-MAP:URI="init.m4s?{query}"\n#EXTINF:2,\nseg.m4s?{query}\n'
    assert headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert headers["access-control-allow-origin"] == "*"
    assert upstream.asked == ["/reels/s-1/master.m3u8?_HLS_msn=4"]
    assert (await get(f"{edge.url}/reels/s-1/{text.splitlines()[-1]}"))[0] == 200


async def test_a_cached_playlist_carries_the_grant_of_who_asks(edge: StandInEdge, upstream: Upstream, get: Get) -> None:
    first, second = grant(edge, NOW + 100), grant(edge, NOW + 200)
    await get(f"{edge.url}/reels/s-1/master.m3u8?{first}")
    _, text, _ = await get(f"{edge.url}/reels/s-1/master.m3u8?{second}")

    assert second in text
    assert first not in text
    assert len(upstream.asked) == 1


async def test_a_segment_passes_through(edge: StandInEdge, get: Get) -> None:
    status, text, headers = await get(signed(edge, "seg.m4s"))

    assert (status, text) == (200, "segment 1")
    assert (headers["content-type"], headers["cache-control"], headers["etag"]) == ("video/mp4", "max-age=10", '"1"')
    assert "origin" not in headers.get("server", "")


async def test_the_cache_honours_max_age_and_can_be_purged(
    edge: StandInEdge, upstream: Upstream, time: Time, get: Get
) -> None:
    url = signed(edge, "seg.m4s")

    assert [(await get(url))[1] for _ in range(3)] == ["segment 1"] * 3
    time.now += 10
    assert (await get(url))[1] == "segment 2"
    assert edge.purge("/reels/s-1/*") == 1
    assert (await get(url))[1] == "segment 3"
    assert [request.cache for request in edge.recent] == ["miss", "hit", "hit", "miss", "miss"]


async def test_what_must_not_be_cached_is_not(edge: StandInEdge, upstream: Upstream, get: Get) -> None:
    for name in ("live.m4s", "live.m4s", "missing", "missing"):
        await get(signed(edge, name))

    assert len(upstream.asked) == 4


async def test_parts_of_a_file_are_asked_of_the_origin(edge: StandInEdge, upstream: Upstream, get: Get) -> None:
    await get(signed(edge, "seg.m4s"), {"range": "bytes=0-1"})
    await get(signed(edge, "seg.m4s"))

    assert upstream.headers[0]["range"] == "bytes=0-1"
    assert len(upstream.asked) == 2


async def test_head_is_answered_without_a_body(edge: StandInEdge, get: Get) -> None:
    status, text, headers = await get(signed(edge, "seg.m4s"), method="HEAD")

    assert (status, text, headers["content-type"]) == (200, "", "video/mp4")


async def test_a_signed_post_is_no_business_of_an_edge(edge: StandInEdge, get: Get) -> None:
    assert (await get(signed(edge, "seg.m4s"), method="POST"))[0] == 405


async def test_browsers_may_ask_first(edge: StandInEdge, get: Get) -> None:
    status, _, headers = await get(f"{edge.url}/reels/s-1/seg.m4s", method="OPTIONS")

    assert (status, headers["access-control-allow-headers"]) == (204, "range")


async def test_what_the_origin_does_not_know_is_not_found(edge: StandInEdge, get: Get) -> None:
    assert (await get(signed(edge, "missing")))[0] == 404


async def test_an_origin_that_is_down_is_a_bad_gateway(time: Time, get: Get) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with StandInEdge(f"http://127.0.0.1:{taken.getsockname()[1]}", SIGNER.verify, now=time) as edge:
            status, text, _ = await get(signed(edge, "seg.m4s"))

    assert status == 502
    assert "origin does not answer" in text


async def test_an_answer_that_breaks_off_breaks_off_for_the_player_too(
    edge: StandInEdge, upstream: Upstream, get: Get
) -> None:
    for _ in range(2):
        with pytest.raises(ClientError):
            await get(signed(edge, "cut.m4s"))

    assert len(upstream.asked) == 2  # and the half was not cached


async def test_the_status_page_shows_what_happened_and_no_grant(edge: StandInEdge, get: Get) -> None:
    await get(signed(edge, "seg.m4s"))
    await get(f"{edge.url}/reels/s-1/seg.m4s")
    status, text, _ = await get(f"{edge.url}/_edge")

    assert status == 200
    assert '"verdict.valid":1' in text
    assert '"status.403":1' in text
    assert "/reels/s-1/seg.m4s" in text
    assert "Signature" not in text


async def test_warming_fills_the_cache(edge: StandInEdge, upstream: Upstream, get: Get) -> None:
    assert await edge.warm(signed(edge, "seg.m4s")) == 200
    assert await edge.warm(f"{edge.url}/reels/s-1/seg.m4s") == 403

    assert (await get(signed(edge, "seg.m4s")))[1] == "segment 1"


async def test_many_at_once(edge: StandInEdge, get: Get) -> None:
    answers = await asyncio.gather(*(get(signed(edge, "live.m4s", f"n={n}")) for n in range(50)))

    assert {answer[:2] for answer in answers} == {(200, "live")}


async def test_a_taken_port_is_an_error_and_leaves_nothing_behind(edge: StandInEdge, upstream: Upstream) -> None:
    port = int(edge.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with StandInEdge(upstream.url, SIGNER.verify, port=port):
            pass


async def test_verdicts_are_kept(edge: StandInEdge, get: Get) -> None:
    await get(f"{edge.url}/a")

    (request,) = edge.recent
    assert (request.method, request.path, request.verdict, request.status) == ("GET", "/a", Verdict.UNSIGNED, 403)
