"""Taking a channel from an OME that answers in its own way while the channel goes."""

import msgspec
import pytest

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.ome import OmeClient, OmeOrigin
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.errors import UpstreamUnavailable

pytestmark = pytest.mark.anyio


class Going:
    """Answers each call with the next status, and keeps to the last one."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[str] = []

    async def call(self, request: Request, *, retry: bool = False) -> Response:
        self.asked.append(request.method)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return Response(status, {}, msgspec.json.encode({"statusCode": status, "message": "OK", "response": {}}))

    async def sleep(self, seconds: float) -> None:
        """No time passes."""

    async def stop(self) -> bool:
        client = OmeClient(self, "http://ome:8081", access_token="key:secret")
        watcher = OmeWatcher(client, self, "http://ome:3333", playlist="master", timeout=1.0)
        return await OmeOrigin("default", client, watcher, None, vhost="default", sleep=self.sleep).stop(
            "reels", "ss-1"
        )


async def test_it_is_watched_until_it_is_gone() -> None:
    ome = Going(200, 200, 200, 404)

    assert await ome.stop()
    assert ome.asked == ["DELETE", "GET", "GET", "GET"]


async def test_what_cannot_be_shown_while_it_goes_is_not_gone_yet() -> None:
    ome = Going(500, 200, 500, 404)

    assert await ome.stop()
    assert ome.asked == ["DELETE", "GET", "GET", "GET"]


async def test_what_does_not_go_is_said() -> None:
    assert not await Going(200).stop()


async def test_an_ome_that_is_ill_is_no_answer() -> None:
    with pytest.raises(UpstreamUnavailable):
        await Going(200, 503).stop()
