"""Statistics and kicks by the client."""

import pytest

from streaming_service.adapters.ome import OmeClient
from streaming_service.adapters.ome.models import StreamStatistics
from streaming_service.errors import NotFound
from tests.unit.adapters.servers import OneAnswer

pytestmark = pytest.mark.anyio

BASE = "http://ome:8081"
# A publisher with one viewer, as 0.21 answered.
RECORDED = {
    "avgThroughputIn": 977809,
    "avgThroughputOut": 0,
    "connections": {
        "file": 0,
        "hlsv3": 2,
        "llhls": 1,
        "ovt": 0,
        "push": 0,
        "srt": 0,
        "thumbnail": 0,
        "webrtc": 0,
    },
    "createdTime": "2026-11-22T14:02:09.991+00:00",
    "lastRecvTime": "2026-11-22T14:02:14.517+00:00",
    "lastSentTime": "2026-11-22T14:02:14.518+00:00",
    "lastThroughputIn": 123204,
    "lastThroughputOut": 0,
    "lastUpdatedTime": "2026-11-22T14:02:14.518+00:00",
    "maxThroughputIn": 977809,
    "maxThroughputOut": 12283,
    "maxTotalConnectionTime": "2026-11-22T14:02:12.474+00:00",
    "maxTotalConnections": 3,
    "totalBytesIn": 525532,
    "totalBytesOut": 3630,
    "totalConnections": 3,
}


def client_of(status: int, response: object = None) -> tuple[OmeClient, OneAnswer]:
    caller = OneAnswer(status, {"statusCode": status, "message": "OK", "response": response})
    return OmeClient(caller, BASE, access_token="key:secret", vhost="live", timeout=3.0), caller


async def test_what_was_recorded() -> None:
    client, caller = client_of(200, RECORDED)

    seen = await client.stream_statistics("reels", "ss-1")

    assert (seen.viewers, seen.total_connections) == (1, 3), "the constant of hlsv3 is nobody"
    assert seen.bitrate_kbps == 978
    assert (seen.total_bytes_in, seen.total_bytes_out) == (525532, 3630)
    assert (seen.created_time, seen.last_recv_time) == (RECORDED["createdTime"], RECORDED["lastRecvTime"])
    ((request, retry),) = caller.asked
    assert (request.method, request.url) == (
        "GET",
        f"{BASE}/v1/stats/current/vhosts/live/apps/reels/streams/ss-1",
    )
    assert retry


async def test_of_an_application() -> None:
    client, caller = client_of(200, RECORDED)

    await client.application_statistics("reels")

    assert caller.asked[0][0].url == f"{BASE}/v1/stats/current/vhosts/live/apps/reels"


async def test_of_a_server() -> None:
    client, caller = client_of(200, RECORDED)

    seen = await client.server_statistics()

    assert seen.created_time == RECORDED["createdTime"]
    assert caller.asked[0][0].url == f"{BASE}/v1/stats/current"


async def test_viewers_of_three_publishers_count() -> None:
    connections = {"llhls": 1, "webrtc": 10, "srt": 100, "hlsv3": 1000, "ovt": 1000, "push": 1000, "file": 1000}

    assert StreamStatistics(connections=connections).viewers == 111


async def test_other_versions_may_say_less_or_spell_numbers_as_text() -> None:
    client, _ = client_of(200, {"connections": {"llhls": "3"}, "avgThroughputIn": "1500000", "new": [1]})

    seen = await client.stream_statistics("reels", "ss-1")

    assert (seen.viewers, seen.bitrate_kbps, seen.created_time) == (3, 1500, "")


async def test_unknown() -> None:
    client, _ = client_of(404)

    with pytest.raises(NotFound):
        await client.stream_statistics("reels", "ss-1")
    with pytest.raises(NotFound):
        await client.application_statistics("reels")
    with pytest.raises(NotFound):
        await client.delete_stream("reels", "ss-1")


async def test_a_kick_is_not_repeated() -> None:
    client, caller = client_of(200)

    await client.delete_stream("reels", "cam1")

    ((request, retry),) = caller.asked
    assert (request.method, request.url) == ("DELETE", f"{BASE}/v1/vhosts/live/apps/reels/streams/cam1")
    assert not retry
