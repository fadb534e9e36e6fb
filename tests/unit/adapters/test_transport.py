"""What AiohttpTransport makes of good, bad, slow and hostile answers."""

import asyncio
import gzip
import socket

import pytest
from aiohttp import web

from streaming_service.adapters.http import Request
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.errors import UpstreamUnavailable
from tests.unit.adapters.servers import Converse, Serve

pytestmark = pytest.mark.anyio


async def test_sends_what_it_is_told_and_returns_status_headers_and_body(
    transport: AiohttpTransport, serve: Serve
) -> None:
    seen: dict[str, object] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(
            method=request.method, path=request.raw_path, body=await request.read(), header=request.headers["x-one"]
        )
        return web.Response(status=418, body=b"tea", headers={"X-Answer": "Yes"})

    base = await serve(handler)
    response = await transport.send(Request("PATCH", f"{base}/a", {"X-One": "1"}, b"{}"))

    assert seen == {"method": "PATCH", "path": "/a", "body": b"{}", "header": "1"}
    assert (response.status, response.ok, response.body) == (418, False, b"tea")
    assert response.headers["x-answer"] == "Yes"


async def test_a_url_travels_byte_for_byte(transport: AiohttpTransport, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.raw_path)

    path = "/a%2Fb/%7e/../c?x=a%20b&URLPrefix=aHR0cA==&Signature=-_=&y=+"
    response = await transport.send(Request("GET", await serve(handler) + path))

    assert response.body.decode() == path


async def test_an_empty_post_says_how_long_it_is(transport: AiohttpTransport, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("content-length", "-") + request.headers.get("content-type", "-"))

    response = await transport.send(Request("POST", await serve(handler)))

    assert response.body == b"0-"


async def test_a_redirect_is_an_answer_and_is_not_followed(transport: AiohttpTransport, serve: Serve) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"location": "/elsewhere"})

    response = await transport.send(Request("GET", await serve(handler) + "/here"))

    assert response.status == 302
    assert asked == ["/here"]


async def test_cookies_are_not_kept(transport: AiohttpTransport, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=request.headers.get("cookie", "none"), headers={"set-cookie": "a=b"})

    # By name: aiohttp's own jar keeps no cookies of bare addresses, so one of those would prove nothing.
    base = (await serve(handler)).replace("127.0.0.1", "localhost")
    await transport.send(Request("GET", base))

    assert (await transport.send(Request("GET", base))).body == b"none"


async def test_connections_are_kept_alive(transport: AiohttpTransport, serve: Serve) -> None:
    peers: set[object] = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    base = await serve(handler)
    for _ in range(5):
        await transport.send(Request("GET", base))

    assert len(peers) == 1


async def test_a_refused_connection_is_unavailable(transport: AiohttpTransport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UpstreamUnavailable, match="cannot be reached") as caught:
            await transport.send(Request("GET", f"http://127.0.0.1:{port}/secret-path?secret=query"))

    assert caught.value.service == f"127.0.0.1:{port}"
    assert "secret" not in str(caught.value)


async def test_an_unknown_host_is_unavailable(transport: AiohttpTransport) -> None:
    with pytest.raises(UpstreamUnavailable, match="does not resolve"):
        await transport.send(Request("GET", "http://nowhere.invalid/"))


@pytest.mark.parametrize(
    "url",
    ["", "ftp://host/", "http://", "http:///x", "//host/x", "http://[::1", "http://host/ä", "http://h/a b\r\nx: y"],
)
async def test_what_is_not_an_http_url_is_not_asked(transport: AiohttpTransport, url: str) -> None:
    with pytest.raises(UpstreamUnavailable, match="not a valid"):
        await transport.send(Request("GET", url))


async def test_user_info_in_a_url_stays_out_of_errors(transport: AiohttpTransport) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        await transport.send(Request("GET", "http://key:hush@127.0.0.1:1/"))

    assert "hush" not in str(caught.value)


async def test_the_timeout_covers_a_server_that_says_nothing(transport: AiohttpTransport, converse: Converse) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    url = await converse(silence)
    with pytest.raises(UpstreamUnavailable, match=r"no whole answer within 0\.05 s"):
        async with asyncio.timeout(2):
            await transport.send(Request("GET", url, timeout=0.05))


async def test_the_timeout_covers_a_body_that_drips(transport: AiohttpTransport, converse: Converse) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await writer.drain()
        await reader.read(1)
        await reader.read()

    with pytest.raises(UpstreamUnavailable, match="no whole answer"):
        await transport.send(Request("GET", await converse(drip), timeout=0.05))


@pytest.mark.parametrize(
    ("wire", "sentence"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n", "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", "cut off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc", "cut off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc", "cut off|no valid HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain", "cut off|no valid HTTP"),
    ],
)
async def test_an_answer_that_is_not_whole_http_is_none(
    transport: AiohttpTransport, converse: Converse, wire: bytes, sentence: str
) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(wire)
        await writer.drain()

    with pytest.raises(UpstreamUnavailable, match=sentence):
        await transport.send(Request("POST", await converse(conversation), timeout=2))


async def test_an_answer_at_the_limit_is_whole_and_one_above_is_refused(
    transport: AiohttpTransport, serve: Serve
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * int(request.path[1:]))

    base = await serve(handler)

    assert len((await transport.send(Request("GET", f"{base}/1000", max_body=1000))).body) == 1000
    with pytest.raises(UpstreamUnavailable, match="more than 1000 bytes") as caught:
        await transport.send(Request("GET", f"{base}/1001", max_body=1000))
    assert caught.value.status == 200


async def test_the_limit_counts_unpacked_bytes(transport: AiohttpTransport, serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"content-encoding": "gzip"})

    with pytest.raises(UpstreamUnavailable, match="more than 100000 bytes"):
        await transport.send(Request("GET", await serve(handler), max_body=100_000))


async def test_a_compressed_answer_is_unpacked(transport: AiohttpTransport, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"hello"), headers={"content-encoding": "gzip"})

    assert (await transport.send(Request("GET", await serve(handler)))).body == b"hello"


async def test_a_closed_transport_refuses(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response()

    base = await serve(handler)
    async with AiohttpTransport() as transport:
        await transport.send(Request("GET", base))

    with pytest.raises(UpstreamUnavailable, match="stopping"):
        await transport.send(Request("GET", base))


async def test_an_answer_that_began_and_broke_off_tells_its_status(
    transport: AiohttpTransport, converse: Converse
) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 100\r\n\r\nx")
        await writer.drain()

    with pytest.raises(UpstreamUnavailable) as caught:
        await transport.send(Request("GET", await converse(cut), timeout=2))
    assert caught.value.status == 206
    with pytest.raises(UpstreamUnavailable) as refused:
        await transport.send(Request("GET", "http://127.0.0.1:1/"))
    assert refused.value.status is None
