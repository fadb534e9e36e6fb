"""Every scheme at the stand-in edge, as a player meets it: from the manifest to the last segment, and not without."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from urllib.parse import urljoin

import m3u8
import pytest
from aiohttp import ClientSession, web
from yarl import URL

from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.edge_forms import form_of
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, RetiredKey
from streaming_service.domain.signing.scheme import Scheme, Signer
from tests.signing import FORMS, header, key, request, signer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("form", FORMS)]

NOW = 1_000_000
MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo/chunks.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\n{absolute}\n"
CHUNKS = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="../init.mp4"\n#EXTINF:2,\nseg_1.m4s?v=1\n'

Get = Callable[..., Awaitable[tuple[int, str, dict[str, str]]]]


class Origin:
    """A master playlist, whose second rung is an absolute path, its media playlists and their segments."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        assert "cookie" not in request.headers
        if request.path.endswith("master.m3u8"):
            text = MASTER.format(absolute=request.path.replace("master", "low/chunks"))
            return web.Response(text=text, content_type="application/vnd.apple.mpegurl")
        if request.path.endswith(".m3u8"):
            return web.Response(text=CHUNKS, content_type="application/vnd.apple.mpegurl")
        return web.Response(body=b"media", content_type="video/mp4", headers={"cache-control": "max-age=60"})


@pytest.fixture
async def origin() -> AsyncGenerator[Origin]:
    subject = Origin()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await subject(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    subject.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield subject
    await runner.cleanup()


def edge_of(form: str, origin: Origin, subject: Signer) -> StandInEdge:
    return StandInEdge(origin.url, subject.verify, form=form_of(FORMS[form][0], subject), now=lambda: NOW)


@pytest.fixture
async def edge(form: str, origin: Origin) -> AsyncGenerator[StandInEdge]:
    async with edge_of(form, origin, signer(form)) as running:
        yield running


@pytest.fixture
async def get() -> AsyncGenerator[Get]:
    async with ClientSession() as session:

        async def _get(url: str, cookies: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
            sent = {**headers, **({"cookie": cookies} if cookies else {})}
            async with session.get(URL(url, encoded=True), headers=sent) as answer:
                return answer.status, await answer.text(), {k.lower(): v for k, v in answer.headers.items()}

        yield _get


def prefix(edge: StandInEdge, stream: str = "s-1") -> str:
    return f"{edge.public_base_url}/reels/{stream}/"


async def test_a_player_gets_from_the_manifest_to_the_last_segment(
    form: str, edge: StandInEdge, origin: Origin, get: Get
) -> None:
    url, cookies = request(signer(form).sign(prefix(edge), NOW + 300), "master.m3u8")
    status, text, _ = await get(url, cookies)
    assert status == 200
    rungs = [urljoin(url, item.uri) for item in m3u8.loads(text).playlists]
    assert len(rungs) == 2
    for rung in rungs:
        # As a low-latency player asks for the next one: it adds its directives to the URL that it was given.
        for asked in (rung, f"{rung}{'&' if '?' in rung else '?'}_HLS_msn=2&_HLS_part=0"):
            status, text, _ = await get(asked, cookies)
            assert status == 200
        playlist = m3u8.loads(text)
        assert playlist.segment_map[0].uri is not None
        for uri in (playlist.segment_map[0].uri, playlist.segments[0].uri):
            assert uri is not None
            assert (await get(urljoin(rung, uri), cookies))[:2] == (200, "media")

    assert set(origin.asked) == {
        "/reels/s-1/master.m3u8",
        "/reels/s-1/video/chunks.m3u8",
        "/reels/s-1/video/chunks.m3u8?_HLS_msn=2&_HLS_part=0",
        "/reels/s-1/low/chunks.m3u8",
        "/reels/s-1/low/chunks.m3u8?_HLS_msn=2&_HLS_part=0",
        "/reels/s-1/init.mp4",
        "/reels/s-1/video/seg_1.m4s?v=1",
        "/reels/s-1/low/seg_1.m4s?v=1",
    }


@pytest.mark.parametrize("name", ["master.m3u8", "video/chunks.m3u8", "video/seg_1.m4s"])
async def test_without_a_grant_nothing_is_given(
    form: str, edge: StandInEdge, origin: Origin, get: Get, name: str
) -> None:
    assert (await get(prefix(edge) + name))[:2] == (403, "403 unsigned\n")
    assert origin.asked == []


@pytest.mark.parametrize("name", ["master.m3u8", "video/seg_1.m4s"])
async def test_a_grant_that_is_not_right_gives_nothing(
    form: str, edge: StandInEdge, origin: Origin, get: Get, name: str
) -> None:
    expired = request(signer(form).sign(prefix(edge), NOW), name)
    foreign = request(signer(form, Keyring(key(form, 9))).sign(prefix(edge), NOW + 300), name)
    url, cookies = request(signer(form).sign(prefix(edge), NOW + 300), name)
    neighbour = url.replace("/s-1/", "/s-2/"), cookies

    assert (await get(*expired))[:2] == (403, "403 expired\n")
    assert (await get(*foreign))[:2] == (403, "403 wrong_signature\n")
    assert (await get(*neighbour))[0] == 403
    assert origin.asked == []


async def test_what_a_retired_key_signed_is_let_in_until_it_ends(form: str, origin: Origin, get: Get) -> None:
    old, new = key(form, 1, "old"), key(form, 2, "new")
    for until, expected in ((NOW + 1, 200), (NOW, 403)):
        async with edge_of(form, origin, signer(form, Keyring(new, retired=(RetiredKey(old, until),)))) as edge:
            url, cookies = request(signer(form, Keyring(old)).sign(prefix(edge), NOW + 300), "master.m3u8")
            assert (await get(url, cookies))[0] == expected


async def test_the_log_shows_what_was_asked_for_and_no_grant(form: str, edge: StandInEdge, get: Get) -> None:
    grant = signer(form).sign(prefix(edge), NOW + 300)
    await get(grant.url("master.m3u8"), header(grant.cookies))

    assert [asked.path for asked in edge.recent] == ["/reels/s-1/master.m3u8"]
    _, text, _ = await get(f"{edge.url}/_edge")
    assert not any(word in text for word in ("Signature", "hmac=", "signature"))


async def test_a_warm_up_is_let_in_with_what_it_is_given(form: str, edge: StandInEdge, origin: Origin) -> None:
    grant = signer(form).sign(prefix(edge), NOW + 300)

    assert await edge.warm(grant.url("master.m3u8"), header(grant.cookies)) == 200
    assert await edge.warm(f"{prefix(edge)}master.m3u8") == 403
    assert len(origin.asked) == 1


async def test_browsers_may_send_cookies_where_they_are_the_grant(form: str, edge: StandInEdge, get: Get) -> None:
    url, cookies = request(signer(form).sign(prefix(edge), NOW + 300), "seg_1.m4s")
    status, _, headers = await get(url, cookies, origin="https://player.example")

    by_cookie = FORMS[form][0] is Scheme.CLOUD_CDN_COOKIE
    assert status == 200
    assert headers["access-control-allow-origin"] == ("https://player.example" if by_cookie else "*")
    assert ("access-control-allow-credentials" in headers) is by_cookie


async def test_children_are_signed_only_by_a_signer_that_can(form: str) -> None:
    if FORMS[form][0] is Scheme.OME:
        with pytest.raises(TypeError, match="ome needs its own signer"):
            form_of(Scheme.OME, CloudCdnSigner(Keyring(key("cloud-cdn"))))
    else:
        assert form_of(FORMS[form][0], signer(form))
