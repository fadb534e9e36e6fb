"""The server and its door, with applications that do what ours do not (yet)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from streaming_service.entrypoints.http.asgi import AsgiApp
from streaming_service.entrypoints.http.clients import nobody_guesses
from streaming_service.entrypoints.http.door import Door
from streaming_service.entrypoints.http.manifest import ManifestRoute
from streaming_service.entrypoints.http.server import HttpServer
from tests.integration.http.harness import FallibleStore, Viewers, make_api

pytestmark = pytest.mark.anyio

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


@asynccontextmanager
async def behind(rest: AsgiApp) -> AsyncGenerator[tuple[aiohttp.ClientSession, HttpServer]]:
    api = make_api(FallibleStore(), Viewers(), [])
    route = ManifestRoute(api.playback, api.metrics.manifest, nobody_guesses())
    server = HttpServer(Door(rest, route), "127.0.0.1", 0, grace_seconds=1)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            yield session, server
    finally:
        await server.stop()


async def test_a_stream_comes_piece_by_piece() -> None:
    let = asyncio.Event()

    async def rest(_: Any, __: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await let.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    async with behind(rest) as (session, _), session.get("/x") as response:
        assert response.headers["x-correlation-id"]
        assert await response.content.readany() == b"one "
        let.set()
        assert await response.content.read() == b"two"


async def test_head_of_a_stream_has_no_body() -> None:
    async def rest(scope: Any, _: Any, send: Any) -> None:
        assert scope["method"] == "GET"
        await send(START)
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with behind(rest) as (session, _), session.head("/x") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_an_application_that_breaks_is_a_fault() -> None:
    async def rest(_: Any, __: Any, send: Any) -> None:
        await send(START)
        raise ValueError("planted-detail")

    async with behind(rest) as (session, _), session.get("/x") as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (500, "internal_error")
        assert b"planted" not in await response.read()


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    async def rest(_: Any, __: Any, send: Any) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("planted-detail")

    async with behind(rest) as (session, _), session.get("/x") as response:
        assert (response.status, await response.content.readexactly(4)) == (200, b"half")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_an_application_that_says_nothing_is_a_fault() -> None:
    async def rest(*_: Any) -> None: ...

    async with behind(rest) as (session, _), session.get("/x") as response:
        assert response.status == 500


async def test_a_client_that_leaves_is_noticed() -> None:
    gone = asyncio.Event()
    began = asyncio.Event()

    async def rest(_: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send(START)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        began.set()
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    async with behind(rest) as (session, server):
        response = await session.get("/x")
        await began.wait()
        response.close()
        await asyncio.wait_for(gone.wait(), 2)
        await asyncio.sleep(0.05)
        assert server.in_hand == 0


async def test_what_the_application_is_told() -> None:
    told: dict[str, Any] = {}

    async def rest(scope: Any, _: Any, send: Any) -> None:
        told.update(scope)
        await send({"type": "http.response.start", "status": 204, "headers": [(b"cache-control", b"public")]})
        await send({"type": "http.response.body"})

    async with behind(rest) as (session, _), session.get("/a%20b/%C3%A9?x=%20y", headers={"X-One": "1"}) as response:
        assert response.status == 204
        assert response.headers.getall("cache-control") == ["public"]
    assert (told["type"], told["path"], told["query_string"]) == ("http", "/a b/é", b"x=%20y")
    assert (b"x-one", b"1") in told["headers"]
    assert told["client"][0] == "127.0.0.1"
