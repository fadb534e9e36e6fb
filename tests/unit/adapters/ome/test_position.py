"""How far a stream's playlist goes, as the watcher finds out."""

import pytest

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.ome import OmeClient
from streaming_service.adapters.ome.watching import OmeWatcher
from streaming_service.errors import UpstreamUnavailable

pytestmark = pytest.mark.anyio
MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720
chunklist_0_video_K_llhls.m3u8?session=1
#EXT-X-STREAM-INF:BANDWIDTH=1000000,RESOLUTION=640x360
chunklist_1_video_K_llhls.m3u8?session=1
"""
CHUNKLIST = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:01:40.500+00:00
#EXTINF:2.0,
seg_0_0_video_K_llhls.m4s
"""
STREAM = "http://ome:3333/reels/ss-1"


class Player:
    """Answers by file name."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = {"master": (200, MASTER), "chunklist_0_video_K_llhls": (200, CHUNKLIST)} | answers
        self.asked: list[Request] = []

    async def call(self, request: Request, *, retry: bool = False) -> Response:
        assert not retry
        self.asked.append(request)
        status, text = self.answers[request.url.rpartition("/")[2].partition(".m3u8")[0]]
        return Response(status, {}, text.encode())

    async def position(self) -> float | None:
        client = OmeClient(self, "http://ome:8081", access_token="key:secret")
        watcher = OmeWatcher(client, self, "http://ome:3333", playlist="master", timeout=1.0)
        return await watcher.position("reels", "ss-1")


async def test_the_end_of_the_best_rung() -> None:
    player = Player()

    assert await player.position() == 102.5
    assert [request.url for request in player.asked] == [
        f"{STREAM}/master.m3u8",
        f"{STREAM}/chunklist_0_video_K_llhls.m3u8?session=1",
    ]


async def test_whoever_looks_does_not_stay_to_be_counted_as_a_viewer() -> None:
    player = Player()
    await player.position()

    assert [request.headers for request in player.asked] == [{"connection": "close"}] * 2


@pytest.mark.parametrize("answer", [(404, ""), (201, ""), (200, ""), (200, CHUNKLIST)])
async def test_without_a_manifest_there_is_none(answer: tuple[int, str]) -> None:
    assert await Player(master=answer).position() is None


@pytest.mark.parametrize("answer", [(404, CHUNKLIST), (201, ""), (200, MASTER)])
async def test_without_a_chunklist_there_is_none(answer: tuple[int, str]) -> None:
    assert await Player(chunklist_0_video_K_llhls=answer).position() is None


async def test_an_error_is_no_answer() -> None:
    with pytest.raises(UpstreamUnavailable):
        await Player(master=(502, "")).position()
