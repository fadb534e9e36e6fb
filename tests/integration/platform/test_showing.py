"""What a person sees of the stand-in platform."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.devkit.platform import StandInPlatform

pytestmark = pytest.mark.anyio


Post = Callable[..., Awaitable[Response]]


@pytest.fixture
def post(transport: AiohttpTransport, platform: StandInPlatform) -> Post:
    async def _post(path: str, body: bytes, key: str = "") -> Response:
        return await transport.send(Request("POST", platform.url + path, {"authorization": f"Bearer {key}"}, body))

    return _post


async def get(transport: AiohttpTransport, url: str) -> dict[str, Any]:
    response = await transport.send(Request("GET", url))
    assert response.headers["content-type"].startswith("application/json")
    return cast("dict[str, Any]", response.json())


async def test_each_path_shows_what_it_got_even_when_it_refused(
    transport: AiohttpTransport, platform: StandInPlatform, post: Post
) -> None:
    assert (await post("/gateway/warmup", b'{"manifestUrl": "u", "cacheKey": "k"}')).status == 202
    assert (await post("/gateway/warmup", b'{"manifestUrl": "u"}')).status == 422
    assert (await post("/gateway/warmup", b"not json \xff")).status == 400

    shown = await get(transport, f"{platform.url}/gateway/warmup")
    assert shown["count"] == 3
    assert [item["status"] for item in shown["received"]] == [202, 422, 400]
    assert shown["received"][0]["body"] == {"manifestUrl": "u", "cacheKey": "k"}
    assert shown["received"][2]["body"] == "not json �"


async def test_the_front_page_lists_everything(
    transport: AiohttpTransport, platform: StandInPlatform, post: Post
) -> None:
    platform.tokens.add("somebodys-token", {"scopes": []})
    await post("/cdn/purge", b'{"path": "/a"}', "cdn-key")
    shown = await get(transport, platform.url)

    assert shown["paths"]["/cdn/purge"]["count"] == 1
    assert "/content/internal/catalog/media" in shown["paths"]
    assert "viewer-demo" in shown["tokens"]
    assert "somebodys-token" not in json.dumps(shown)
    assert "cdn-key" not in json.dumps(shown)


async def test_only_the_last_requests_are_kept_but_all_are_counted(platform: StandInPlatform, post: Post) -> None:
    for number in range(205):
        await post("/observability", b'{"event": "%d"}' % number)

    received = platform.received("/observability")
    assert len(received) == 200
    assert received[-1].body == {"event": "204"}
    assert platform.inbox.count("/observability") == 205


async def test_the_traffic_director_is_healthy(post: Post) -> None:
    answer = (await post("/cdn/traffic-director/validate", b"{}", "cdn-key")).json()

    assert answer.keys() == {"cluster", "healthy", "validatedAt"}
    assert (await post("/cdn/traffic-director/validate", b"{}", "wrong")).status == 401


async def test_waiting_for_what_does_not_come_ends(platform: StandInPlatform) -> None:
    with pytest.raises(TimeoutError):
        await platform.wait_for("/bigquery", timeout=0.01)


async def test_a_taken_port_is_an_error(platform: StandInPlatform) -> None:
    port = int(platform.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with StandInPlatform(port=port):
            pass
