"""What a connection does with clients that are slow, greedy, broken, or gone."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from streaming_service.entrypoints.http.app import build_rest
from streaming_service.entrypoints.http.clients import nobody_guesses
from streaming_service.entrypoints.http.door import Door
from streaming_service.entrypoints.http.manifest import ManifestRoute
from streaming_service.entrypoints.http.server import HttpServer
from tests.integration.http.harness import (
    CONTENT,
    SERVICE_TOKEN,
    VIEWER_TOKEN,
    Harness,
    playable,
)
from tests.wire import FakeClient, answers

pytestmark = pytest.mark.anyio

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
MANIFEST = (
    f"GET /v1/streams/{CONTENT}/manifest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {VIEWER_TOKEN}\r\n\r\n".encode()
)
POST = f"POST /internal/events/pubsub HTTP/1.1\r\nHost: x\r\nx-service-token: {SERVICE_TOKEN}\r\n".encode()


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Loops differ in how they write, pause and close."""
    return "asyncio", {"use_uvloop": request.param}


class Client:
    """A socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, bytes]:
        """Status, and the whole of one answer with a length."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        status = int(head.split()[1])
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return status, head + await self.reader.readexactly(int(length or 0))

    async def rest(self) -> bytes:
        """Until the server closes."""
        return await asyncio.wait_for(self.reader.read(), 5)


@asynccontextmanager
async def connected(server: HttpServer) -> AsyncGenerator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def serving_app(app: Any, **options: Any) -> AsyncGenerator[HttpServer]:
    server = HttpServer(app, "127.0.0.1", 0, grace_seconds=1, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.mark.parametrize("odd", [b"X: %b", b"%b: x", b"X: 1\r\nA: 2\r\nY: %b"])
async def test_a_head_is_no_larger_than_64_kib(running: Harness, odd: bytes) -> None:
    for length, status in ((50_000, 200), (70_000, 431)):
        async with connected(running.server) as client:
            client.writer.write(GET + odd % (b"x" * length) + b"\r\n\r\n")
            found, body = await client.answer()
            assert found == status
            assert status == 200 or b"header_too_large" in body


async def test_a_path_counts_too(running: Harness) -> None:
    async with connected(running.server) as client:
        client.writer.write(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status, answer = await client.answer()
        assert status == 431
        assert len(answer) < 2000
        assert await client.rest() == b""


async def test_a_head_without_an_end_is_not_kept(running: Harness) -> None:
    async with connected(running.server) as client:
        with suppress(ConnectionError):
            for _ in range(200):
                client.writer.write(b"\r\n" * 500)
                await client.writer.drain()
        assert b" 431 " in (await client.rest()).splitlines()[0]


@pytest.mark.parametrize("ending", [b"Trailer: " + b"x" * 70_000, b"1;" + b"x" * 70_000])
async def test_trailers_and_extensions_have_the_same_limit(running: Harness, ending: bytes) -> None:
    before = b"" if ending.startswith(b"1;") else b"0\r\n"
    async with connected(running.server) as client:
        client.writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n" + before + ending)
        assert (await client.answer())[0] == 400
        assert await client.rest() == b""
    assert running.published == []


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET /health HTTP/1.1\r\n\r\n", 400, b"bad_request"),
        (GET + b"Host: y\r\n\r\n", 400, b"bad_request"),
        (b"GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505, b"http_version"),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"bad_request"),
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, b"bad_request"),
    ],
)
async def test_what_is_not_understood_is_answered_and_ends(
    running: Harness, request_bytes: bytes, status: int, code: bytes
) -> None:
    async with connected(running.server) as client:
        client.writer.write(request_bytes)
        found, answer = await client.answer()
        assert found == status
        assert code in answer
        assert b"application/problem+json" in answer
        assert b"connection: close" in answer
        assert await client.rest() == b""


async def test_http_1_0_is_answered_once(running: Harness) -> None:
    async with connected(running.server) as client:
        client.writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        status, answer = await client.answer()
        assert (status, b"connection: close" in answer) == (200, True)
        assert await client.rest() == b""


async def test_there_is_room_for_so_many(running: Harness) -> None:
    app = Door(build_rest(running.api))
    async with serving_app(app, max_connections=2) as server, connected(server) as one, connected(server) as two:
        for client in (one, two):
            client.writer.write(GET + b"\r\n")
            assert (await client.answer())[0] == 200
        async with connected(server) as three:
            answer = await three.rest()
            assert b" 503 " in answer.splitlines()[0]
            assert b"too_many_connections" in answer
        one.writer.close()
        await asyncio.sleep(0.05)
        async with connected(server) as four:
            four.writer.write(GET + b"\r\n")
            assert (await four.answer())[0] == 200


async def test_a_head_that_trickles_is_given_up(running: Harness) -> None:
    async with serving_app(Door(build_rest(running.api)), idle_seconds=0.2) as server, connected(server) as client:
        began = asyncio.get_running_loop().time()
        with suppress(ConnectionError, RuntimeError):  # asyncio's word, and uvloop's, for a closed connection
            for byte in GET * 10:
                client.writer.write(bytes([byte]))
                await asyncio.sleep(0.02)
                if client.reader.at_eof():
                    break
        assert asyncio.get_running_loop().time() - began < 2


async def test_who_asks_again_and_again_is_not_idle(running: Harness) -> None:
    async with serving_app(Door(build_rest(running.api)), idle_seconds=0.2) as server, connected(server) as client:
        for _ in range(12):
            client.writer.write(GET + b"\r\n")
            assert (await client.answer())[0] == 200
            await asyncio.sleep(0.05)


async def flood(client: Client, request: bytes, limit: int) -> int:
    """Ask without reading; how many bytes the server took before it took no more."""
    sent = 0
    with suppress(TimeoutError, ConnectionError):
        while sent < limit:
            client.writer.write(request * 100)
            sent += len(request) * 100
            async with asyncio.timeout(0.3):
                await client.writer.drain()
    return sent


async def test_who_does_not_read_is_not_read_from(running: Harness) -> None:
    await running.add(playable())
    for request in (MANIFEST, GET + b"\r\n"):
        async with connected(running.server) as client:
            client.writer.transport.set_write_buffer_limits(high=0)
            assert await flood(client, request, 200_000_000) < 50_000_000
            (connection,) = running.server._hub.members  # type: ignore[union-attr]
            assert len(connection._held) < 1_000_000  # type: ignore[attr-defined]
            assert connection._transport.get_write_buffer_size() < 1_000_000  # type: ignore[attr-defined]
            client.writer.transport.abort()
        while running.server._hub.members:  # type: ignore[union-attr]
            await asyncio.sleep(0.01)


async def test_what_is_asked_in_advance_is_not_begun_in_advance() -> None:
    let = asyncio.Event()

    async def rest(_: Any, __: Any, send: Any) -> None:
        await let.wait()
        await nowhere(_, __, send)

    client = FakeClient(Door(rest))
    client.connection.data_received((GET + b"\r\n") * 3000)
    assert not client.transport.reading
    assert len(client.connection._exchanges) < 200
    let.set()
    async with asyncio.timeout(20):
        while client.written.count(b"HTTP/1.1 404") < 3000:
            await asyncio.sleep(0.01)
    assert client.transport.reading
    assert len(answers(client.written)) == 3000


async def test_who_never_reads_is_let_go(running: Harness) -> None:
    async def rest(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})

    async with serving_app(Door(rest), idle_seconds=0.2) as server, connected(server) as client:
        client.writer.write(GET + b"\r\n")
        await asyncio.sleep(0.1)
        async with asyncio.timeout(3):
            while server._hub.members:  # type: ignore[union-attr]
                await asyncio.sleep(0.02)


async def test_who_expects_to_be_told_is_told(running: Harness) -> None:
    async with connected(running.server) as client:
        client.writer.write(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"{}")
        assert (await client.answer())[0] == 204


async def test_who_expects_and_is_refused_may_not_send_it_any_more(running: Harness) -> None:
    async with connected(running.server) as client:
        client.writer.write(
            b"POST /internal/events/pubsub HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        status, answer = await client.answer()
        assert (status, b"connection: close" in answer) == (401, True)
        assert await client.rest() == b""


async def test_the_rest_of_a_refused_body_is_let_pass(running: Harness) -> None:
    async with connected(running.server) as client:
        client.writer.write(b"POST /internal/events/pubsub HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n")
        status, answer = await client.answer()
        assert (status, b"connection: close" in answer) == (401, False)
        client.writer.write(b"x" * 4000 + GET + b"\r\n")
        assert (await client.answer())[0] == 200


async def test_a_large_one_ends_the_connection_but_the_answer_is_read(running: Harness) -> None:
    async with connected(running.server) as client:
        client.writer.write(b"POST /internal/events/pubsub HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        client.writer.write(b"x" * 400_000)
        await client.writer.drain()
        status, answer = await client.answer()
        assert (status, b"connection: close" in answer) == (401, True)
        assert await client.rest() == b""


async def test_what_cannot_be_understood_does_not_overtake() -> None:
    let = asyncio.Event()

    async def rest(_: Any, __: Any, send: Any) -> None:
        await let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first"})

    async with serving_app(Door(rest)) as server, connected(server) as client:
        client.writer.write(GET + b"\r\nnonsense\r\n\r\n")
        await asyncio.sleep(0.05)
        let.set()
        assert (await client.answer())[1].endswith(b"first")
        assert (await client.answer())[0] == 400
        assert await client.rest() == b""


async def test_an_answer_that_has_begun_is_finished_and_then_the_connection_ends() -> None:
    let = asyncio.Event()

    async def rest(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await let.wait()
        await send({"type": "http.response.body", "body": b"two"})

    async with serving_app(Door(rest)) as server, connected(server) as client:
        client.writer.write(GET + b"\r\n")
        await client.reader.readuntil(b"one")
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.02)
        let.set()
        await asyncio.wait_for(stopping, 0.5)
        assert (await client.rest()).endswith(b"two\r\n0\r\n\r\n")


async def test_the_rest_of_a_refused_body_does_not_hold_up_a_stop(running: Harness) -> None:
    async with serving_app(Door(build_rest(running.api))) as server, connected(server) as client:
        client.writer.write(b"POST /internal/events/pubsub HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        assert (await client.answer())[0] == 401
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.02)
        client.writer.write(b"rest")
        await asyncio.wait_for(stopping, 0.5)


async def test_a_forged_header_is_a_fault() -> None:
    async def rest(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"1\r\nset-cookie: a=b")]})
        await send({"type": "http.response.body", "body": b""})

    async with serving_app(Door(rest)) as server, connected(server) as client:
        client.writer.write(GET + b"\r\n")
        status, answer = await client.answer()
        assert (status, b"cookie" in answer) == (500, False)


@pytest.mark.parametrize(("body", "more"), [(b"longer than said", True), (b"", True)])
async def test_an_answer_is_never_longer_or_shorter_than_it_says(body: bytes, more: bool) -> None:
    async def rest(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": body, "more_body": more})
        await send({"type": "http.response.body", "body": b""})

    async with serving_app(Door(rest)) as server, connected(server) as client:
        client.writer.write((GET + b"\r\n") * 2)
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 6" in head
        if body:
            assert await client.reader.readexactly(6) == b"longer"
            assert (await client.answer())[1].endswith(b"longer")
        else:
            assert await client.rest() == b""


async def test_a_fault_in_the_quick_way_is_answered_by_the_other(
    running: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.add(playable())

    def broken(*_: object) -> None:
        raise ValueError("broken on purpose")

    route = ManifestRoute(running.api.playback, running.api.metrics.manifest, nobody_guesses())
    monkeypatch.setattr(route, "_known", broken)
    async with serving_app(Door(nowhere, route)) as server, connected(server) as client:
        client.writer.write(MANIFEST)
        assert (await client.answer())[0] == 200


async def nowhere(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})
