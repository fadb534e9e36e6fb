"""Starting, stopping, and what happens to requests in between."""

import asyncio
import json
import re
import socket
from typing import Any

import aiohttp
import pytest

from streaming_service.domain.access import Viewer
from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.errors import ConfigurationError
from tests.integration.http.harness import (
    CONTENT,
    SERVICE_TOKEN,
    VIEWER_TOKEN,
    FallibleStore,
    Harness,
    Viewers,
    make_api,
    playable,
    serving,
    viewer,
)

pytestmark = pytest.mark.anyio

MANIFEST = f"/v1/streams/{CONTENT}/manifest"
VIEWER = {"authorization": f"Bearer {VIEWER_TOKEN}"}


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Loops differ in how they accept and close."""
    return "asyncio", {"use_uvloop": request.param}


class SlowViewers(Viewers):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.let = asyncio.Event()

    async def introspect(self, token: str, correlation_id: str) -> Viewer | None:
        self.reached.set()
        await self.let.wait()
        return viewer()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def started(
    grace: float = 5.0, viewers: Viewers | None = None, linger: float = 0.0, **changes: Any
) -> tuple[HttpServer, str]:
    store = FallibleStore()
    api = make_api(store, viewers or Viewers(), [], **changes)
    await Harness(api, store, Viewers(), [], None, None).add(playable())  # type: ignore[arg-type]
    server = HttpServer(build_app(api), "127.0.0.1", 0, grace_seconds=grace, linger_seconds=linger)
    await server.start()
    return server, f"http://127.0.0.1:{server.port}"


async def test_a_manifest_request_in_hand_is_finished() -> None:
    viewers = SlowViewers()
    server, url = await started(viewers=viewers)
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(url + MANIFEST, headers=VIEWER))
        await viewers.reached.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.2)
        assert not stopping.done()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{url}/health")
        viewers.let.set()
        response = await asking
        assert response.status == 200
        assert (await response.json())["manifestUrl"]
        await asyncio.wait_for(stopping, 2)


async def test_a_request_behind_the_bridge_is_finished() -> None:
    reached, let = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        reached.set()
        await let.wait()

    server, url = await started(check_ready=slow)
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(f"{url}/readyz"))
        await reached.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.1)
        let.set()
        assert (await asking).status == 200
        await asyncio.wait_for(stopping, 2)


@pytest.mark.parametrize("hot", [True, False])
async def test_after_the_grace_a_request_is_told_and_given_up(hot: bool) -> None:
    viewers = SlowViewers()

    async def hang() -> None:
        viewers.reached.set()
        await asyncio.Event().wait()

    server, url = await started(0.1, viewers, check_ready=hang)
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(url + (MANIFEST if hot else "/readyz"), headers=VIEWER))
        await viewers.reached.wait()
        await asyncio.wait_for(server.stop(), 2)
        response = await asking
        assert (response.status, (await response.json())["code"]) == (503, "shutting_down")
        assert response.headers["retry-after"] == "1"
    viewers.let.set()


async def test_idle_connections_do_not_hold_it_up() -> None:
    server, url = await started()
    async with aiohttp.ClientSession() as session:
        assert (await session.get(f"{url}/health")).status == 200
        await asyncio.wait_for(server.stop(), 1)


async def test_while_it_lingers_each_connection_ends_with_its_next_answer() -> None:
    server, url = await started(linger=30.0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        for path in ("/health", MANIFEST):
            async with session.get(url + path, headers=VIEWER) as answer:
                assert (answer.status, "connection" in answer.headers) == (200, False)
        stopping = asyncio.create_task(server.stop())
        while not server.closing:
            await asyncio.sleep(0)
        for path, status in (("/health", 200), (MANIFEST, 200), ("/v1/admin/streams", 401)):
            async with session.get(url + path, headers=VIEWER if path == MANIFEST else {}) as answer:
                assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert not stopping.done()
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


async def test_a_silent_connection_is_closed_after_a_while(running: Harness) -> None:
    server = HttpServer(build_app(running.api), "127.0.0.1", 0, grace_seconds=1, idle_seconds=0.1)
    await server.start()
    for sent in (b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        await asyncio.wait_for(reader.read(), 2)
        await closed(writer)
    await server.stop()


async def test_stopping_twice_is_stopping_once() -> None:
    server, _ = await started()
    await server.stop()
    await server.stop()


async def test_it_can_be_started_again() -> None:
    server, _ = await started()
    await server.stop()
    await server.start()
    async with aiohttp.ClientSession() as session:
        assert (await session.get(f"http://127.0.0.1:{server.port}/health")).status == 200
    await server.stop()


async def test_a_taken_port_is_said_in_a_sentence(running: Harness) -> None:
    port = running.server.port
    for other in (HttpServer(build_app(running.api), "127.0.0.1", port, grace_seconds=1),) * 2:
        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is taken"):
            await other.start()


async def test_a_foreign_address_is_said_in_a_sentence(running: Harness) -> None:
    for host in ("192.0.2.1", "not a host"):
        with pytest.raises(ConfigurationError, match="is no address of this machine"):
            await HttpServer(build_app(running.api), host, 0, grace_seconds=1).start()


async def test_names_and_six_are_addresses(running: Harness) -> None:
    for host in ("localhost", "::1"):
        try:
            server = HttpServer(build_app(running.api), host, 0, grace_seconds=1)
            await server.start()
        except ConfigurationError:
            assert host == "::1"  # this machine has no IPv6
            continue
        async with running.session.get(f"http://{'[::1]' if ':' in host else host}:{server.port}/health") as response:
            assert response.status == 200
        await server.stop()


async def test_many_at_once_are_all_answered() -> None:
    async with serving() as running:
        await running.add(playable())
        answers = await asyncio.gather(
            *(running.watch() for _ in range(300)), *(running.ask("GET", "/health") for _ in range(100))
        )
        assert {answer.status for answer in answers} == {200}
        assert len({answer.headers["x-correlation-id"] for answer in answers}) == 400


async def test_correlation_ids_do_not_mix_between_requests_that_wait() -> None:
    viewers = SlowViewers()
    server, url = await started(viewers=viewers)
    async with aiohttp.ClientSession() as session:

        async def ask(number: int) -> str:
            headers = {"authorization": f"Bearer token-{number}", "x-correlation-id": f"id-{number}"}
            async with session.get(url + MANIFEST, headers=headers) as response:
                assert response.status == 200
                return response.headers["x-correlation-id"]

        asking = asyncio.gather(*(ask(number) for number in range(20)))
        await viewers.reached.wait()
        await asyncio.sleep(0.05)
        viewers.let.set()
        assert await asking == [f"id-{number}" for number in range(20)]
    await server.stop()


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving() as running:
        one = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        last = f"GET {MANIFEST} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write(one + one + last)
        received = await asyncio.wait_for(reader.read(), 5)
        assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"200", b"401"]
        await closed(writer)


async def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    viewers = SlowViewers()
    server, _ = await started(viewers=viewers)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"GET {MANIFEST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {VIEWER_TOKEN}\r\n\r\n".encode())
        await viewers.reached.wait()
    viewers.let.set()
    await asyncio.wait_for(server.stop(), 2)
    assert server.in_hand == 0


async def test_tokens_in_headers_are_bytes_of_any_kind(running: Harness) -> None:
    for token in (SERVICE_TOKEN + "\u00e9", "\u00ff"):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
        writer.write(b"GET /internal/qos HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-service-token: ")
        writer.write(token.encode("latin-1") + b"\r\n\r\n")
        body = await asyncio.wait_for(reader.read(), 5)
        assert int(body.split()[1]) in {401, 403}
        assert json.loads(body.partition(b"\r\n\r\n")[2])["code"].endswith("service_token")
        await closed(writer)
