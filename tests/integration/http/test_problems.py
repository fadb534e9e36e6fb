"""Every error has one shape, every answer its headers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from io import StringIO
from uuid import UUID

import pytest

from tests.integration.http.harness import CONTENT, METRICS_TOKEN, SERVICE_TOKEN, VIEWER_TOKEN, Harness

pytestmark = pytest.mark.anyio

REGISTER = "/v1/admin/streams/register"


async def raw(running: Harness, request: bytes, *, half_close: bool = False) -> bytes:
    """Speak to the socket, for what no HTTP client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.server.port)
    writer.write(request)
    if half_close:
        writer.write_eof()
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/v1",
        "/v1/streams",
        f"/v1/streams/{CONTENT}",
        "/v1/streams/a/b/manifest",
        "/v1/streams//manifest",
        "/..%2f",
        "/%ff",
        "/a?b=%zz",
    ],
)
async def test_nothing_there(running: Harness, path: str) -> None:
    answer = await running.ask("GET", path)
    assert (answer.status, answer.json["code"]) == (404, "no_such_route")
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail", "instance", "code"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/admin/streams", {"GET", "OPTIONS"}),
        ("POST", "/health", {"GET", "OPTIONS"}),
        ("TRACE", "/metrics", {"GET", "OPTIONS"}),
    ],
)
async def test_methods(running: Harness, method: str, path: str, allowed: set[str]) -> None:
    answer = await running.admin(method, path)
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["/health", "/nothing", REGISTER, "/v1/admin/streams", f"/v1/streams/{CONTENT}/manifest"]
)
async def test_every_answer_names_its_request(running: Harness, path: str) -> None:
    fresh = await running.ask("GET", path)
    assert UUID(fresh.headers["x-correlation-id"])
    given = await running.ask("GET", path, headers={"x-correlation-id": "Trace-42"})
    assert given.headers["x-correlation-id"] == "Trace-42"
    for strange in ("a b", "a" * 129, '"><script>', "é"):
        replaced = await running.ask("GET", path, headers={"x-correlation-id": strange})
        assert UUID(replaced.headers["x-correlation-id"])


@pytest.mark.parametrize("path", ["/health", "/nothing", "/v1/admin/streams"])
async def test_security_headers(running: Harness, path: str) -> None:
    answer = await running.admin("GET", path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_a_body_that_announces_too_much_is_not_read(running: Harness) -> None:
    answer = await running.admin("POST", REGISTER, data=b" " * 5000, headers={"content-type": "application/json"})
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


async def test_a_chunked_body_is_cut_at_the_limit(running: Harness) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    try:
        answer = await running.admin("POST", REGISTER, data=endless(), headers={"content-type": "application/json"})
    except ConnectionError:
        return  # the server closed while we were still sending
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


async def test_a_body_at_the_limit_is_taken(running: Harness) -> None:
    body = json.dumps({"contentId": CONTENT}).encode().ljust(4096)
    answer = await running.admin("POST", REGISTER, data=body, headers={"content-type": "application/json"})
    assert answer.status == 422


HEAD = f"POST /internal/events/pubsub HTTP/1.1\r\nHost: x\r\nx-service-token: {SERVICE_TOKEN}\r\n".encode()


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 100\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
    ],
    ids=["announced", "between chunks", "within a chunk"],
)
async def test_a_body_that_breaks_off_is_not_an_event(running: Harness, request_bytes: bytes) -> None:
    answer = await raw(running, request_bytes, half_close=True)
    assert not answer or b" 400 " in answer.splitlines()[0]
    await asyncio.sleep(0.05)
    assert running.published == []


async def test_a_body_that_takes_too_long_is_given_up(running: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming_service.entrypoints.http.body._PATIENCE_SECONDS", 0.05)
    answer = await raw(running, HEAD + b"Content-Length: 100\r\n\r\n{")
    assert b" 408 " in answer.splitlines()[0]
    assert b"body_too_slow" in answer
    assert running.published == []


async def test_chunked_bodies_arrive_whole(running: Harness) -> None:
    answer = await raw(
        running, HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n3\r\n[1]\r\n0\r\n\r\n"
    )
    assert b" 204 " in answer.splitlines()[0]
    assert running.published[0].data == b"{}[1]"


async def test_no_websockets(running: Harness) -> None:
    answer = await running.ask(
        "GET",
        "/v1/admin/streams",
        headers={
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )
    assert answer.status == 401


async def test_a_malformed_request_line_does_no_harm(running: Harness) -> None:
    assert b" 400 " in (await raw(running, b"HELLO\r\n\r\n")).splitlines()[0]
    assert (await running.ask("GET", "/health")).status == 200


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "cursor=%ff", "status=%00", "q=%F0%9F%8E%AC", "tenantId=" + "a" * 5000]
)
async def test_odd_queries_are_never_our_fault(running: Harness, query: str) -> None:
    assert (await running.admin("GET", f"/v1/admin/streams?{query}")).status in {200, 400}


@pytest.mark.parametrize("token", [SERVICE_TOKEN, METRICS_TOKEN, VIEWER_TOKEN])
async def test_planted_secrets_never_come_back(running: Harness, log: StringIO, token: str) -> None:
    running.viewers.known[VIEWER_TOKEN] = ValueError("broken on purpose")
    running.store.down = True
    shown: list[str] = []
    for path in (
        "/v1/admin/streams",
        "/metrics",
        "/internal/qos",
        "/readyz",
        "/nothing",
        f"/v1/streams/{CONTENT}/manifest",
    ):
        for headers in ({"authorization": f"Bearer {token}"}, {"x-service-token": token}):
            answer = await running.ask("GET", path, headers=headers)
            shown.append(answer.body.decode() + str(dict(answer.headers)))
    await running.admin("POST", REGISTER, {"idempotency-key": token}, json={"contentId": CONTENT})
    assert "request failed" in log.getvalue() or token != VIEWER_TOKEN
    for secret in (SERVICE_TOKEN, METRICS_TOKEN, VIEWER_TOKEN, "planted-key"):
        assert secret not in "".join(shown)
        assert secret not in log.getvalue()
    assert "planted-password" not in "".join(shown)


async def test_a_fault_of_ours_tells_nothing_but_is_logged(
    running: Harness, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("planted-detail")

    monkeypatch.setattr(running.store, "get", broken)
    answer = await running.admin("GET", f"/v1/admin/streams/{CONTENT}", {"x-correlation-id": "op-7"})
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert b"planted" not in answer.body
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if "request failed" in line]
    assert (line["correlation_id"], line["level"]) == ("op-7", "error")
    assert "planted-detail" in json.dumps(line)
    assert SERVICE_TOKEN not in json.dumps(line)


async def test_the_context_does_not_show_its_tokens(running: Harness) -> None:
    assert "planted" not in repr(running.api)
