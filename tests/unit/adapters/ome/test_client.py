"""What the client makes of OME's answers, and of answers that are not OME's."""

from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.ome import AlreadyExists, Forbidden, OmeClient, OmeError
from streaming_service.adapters.ome.models import (
    HlsDump,
    Program,
    ProgramItem,
    ScheduledChannel,
    ScheduledStream,
    ome_time,
)
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.errors import NotFound, UpstreamRejected, UpstreamUnavailable
from tests.unit.adapters.servers import ManualClock, OneAnswer, Serve

pytestmark = pytest.mark.anyio
BASE = "http://ome:8081"
CHANNEL = ScheduledChannel(
    ScheduledStream("ss-1"),
    [Program("main", "2026-01-02T03:04:05.000+00:00", repeat=True, items=[ProgramItem("file://a.mp4")])],
)


def envelope(status: int, response: object = None, message: str = "[HTTP] because") -> dict[str, object]:
    body: dict[str, object] = {"statusCode": status, "message": message}
    return body if response is None else body | {"response": response}


def client_of(status: int, body: Any) -> tuple[OmeClient, OneAnswer]:
    caller = OneAnswer(status, body)
    return OmeClient(caller, BASE, access_token="key:secret", vhost="default", timeout=3.0), caller


async def test_a_question_goes_to_the_vhost_with_the_token() -> None:
    client, caller = client_of(200, envelope(200, ["a", "b"]))
    assert await client.scheduled_channels("reels") == ["a", "b"]

    ((request, _),) = caller.asked
    assert (request.method, request.url) == ("GET", f"{BASE}/v1/vhosts/default/apps/reels/scheduledChannels")
    assert request.headers["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert request.timeout == 3.0


async def test_a_channel_is_posted_as_ome_spells_it() -> None:
    client, caller = client_of(201, envelope(201))
    await client.create_scheduled_channel("reels", CHANNEL)

    ((request, _),) = caller.asked
    assert request.headers["content-type"] == "application/json"
    assert request.body == (
        b'{"stream":{"name":"ss-1","bypassTranscoder":false,"videoTrack":true,"audioTrack":true},'
        b'"programs":[{"name":"main","scheduled":"2026-01-02T03:04:05.000+00:00","repeat":true,'
        b'"items":[{"url":"file://a.mp4","start":0,"duration":-1}]}]}'
    )


async def test_only_questions_are_repeated() -> None:
    client, caller = client_of(200, envelope(200, []))
    await client.streams("reels")
    await client.create_scheduled_channel("reels", CHANNEL)
    await client.delete_scheduled_channel("reels", "ss-1")

    assert [retry for _, retry in caller.asked] == [True, False, False]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, OmeError),
        (401, OmeError),
        (403, Forbidden),
        (404, NotFound),
        (409, AlreadyExists),
        (429, UpstreamUnavailable),
        (500, UpstreamUnavailable),
        (502, UpstreamUnavailable),
        (503, UpstreamUnavailable),
    ],
)
async def test_each_refusal_has_its_error_with_omes_own_words(status: int, error: type[Exception]) -> None:
    client, _ = client_of(status, envelope(status))

    with pytest.raises(error, match=rf"POST .* answered {status}: \[HTTP\] because"):
        await client.create_scheduled_channel("reels", CHANNEL)


@pytest.mark.parametrize("status", [401, 403, 409])
async def test_what_asking_again_does_not_help_is_a_rejection(status: int) -> None:
    client, _ = client_of(status, envelope(status))

    with pytest.raises(UpstreamRejected):
        await client.scheduled_channels("reels")


async def test_a_wrong_token_says_which_variables_to_look_at() -> None:
    client, _ = client_of(401, envelope(401))

    with pytest.raises(OmeError, match="check OME_API_KEY and OME_API_SECRET") as caught:
        await client.version()
    assert "secret" not in str(caught.value)


async def test_a_deletion_under_way_is_only_early() -> None:
    client, _ = client_of(500, envelope(500))

    await client.delete_scheduled_channel("reels", "ss-1")


async def test_a_deletion_that_ome_cannot_answer_is_no_deletion() -> None:
    client, _ = client_of(503, envelope(503))

    with pytest.raises(UpstreamUnavailable):
        await client.delete_scheduled_channel("reels", "ss-1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        b"<html>It works!</html>",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"{}",
        b'{"status":"ok"}',
        b'{"statusCode":"x"}',
    ],
    ids=lambda body: repr(body)[:20],
)
@pytest.mark.parametrize("status", [200, 201, 404, 500])
async def test_an_answer_that_is_not_omes_is_no_answer(status: int, body: bytes) -> None:
    client, _ = client_of(status, body)

    with pytest.raises(UpstreamUnavailable, match=r"is this OME's API port\?"):
        await client.create_scheduled_channel("reels", CHANNEL)


@pytest.mark.parametrize("response", [None, {}, "text", [1, None], {"streams": []}])
async def test_an_answer_of_another_shape_is_no_answer(response: object) -> None:
    client, _ = client_of(200, envelope(200, response))

    with pytest.raises(UpstreamUnavailable, match="unexpected shape"):
        await client.scheduled_channels("reels")


async def test_states_are_read_leniently() -> None:
    state = {
        "stream": {"name": "ss-1", "bypassTranscoder": "false", "audioTrack": "true", "unheardOf": 1},
        "currentProgram": {"state": "onair", "currentItem": {"currentPosition": "1200"}, "end": "never"},
    }
    client, _ = client_of(200, envelope(200, state))
    seen = await client.scheduled_channel("reels", "ss-1")

    assert seen.stream is not None
    assert not seen.stream.bypass_transcoder
    assert seen.current_program is not None
    assert seen.current_program.current_item is not None
    assert seen.current_program.current_item.current_position == 1200


def test_moments_are_written_as_ome_does() -> None:
    assert ome_time(ManualClock().now()) == "2026-01-02T03:04:05.000+00:00"


# -- dumps ------------------------------------------------------------------------------------------------------------

DUMP = HlsDump("d1", "/dumps/a/1", ["master.m3u8", "max-480p.m3u8"])


@pytest.mark.parametrize(("info_file", "sent"), [("", b""), ("/dumps/a.xml", b',"infoFile":"/dumps/a.xml"')])
async def test_a_dump_is_posted_as_ome_spells_it(info_file: str, sent: bytes) -> None:
    client, caller = client_of(200, envelope(200))
    await client.start_hls_dump("reels", "ss-1", replace(DUMP, info_file=info_file))

    ((request, retry),) = caller.asked
    assert request.url == f"{BASE}/v1/vhosts/default/apps/reels/streams/ss-1:startHlsDump"
    assert (request.method, retry) == ("POST", False)
    assert request.body == (
        b'{"outputStreamName":"ss-1","id":"d1","outputPath":"/dumps/a/1","playlist":["master.m3u8","max-480p.m3u8"]'
        + sent
        + b"}"
    )


async def test_dumps_are_listed_leniently_and_the_question_can_be_repeated() -> None:
    mine = {"enabled": False, "id": "d1", "outputPath": "/dumps/a/1", "outputStreamName": "ss-1", "new": 1}
    servers = {"enabled": "true", "outputPath": "/dumps/auto", "playlist": ["master.m3u8"]}
    client, caller = client_of(200, envelope(200, [mine, servers]))
    first, second = await client.hls_dumps("reels", "ss-1")

    assert (first.id, first.enabled, first.output_path, first.playlist) == ("d1", False, "/dumps/a/1", [])
    assert (second.id, second.enabled, second.playlist) == ("", True, ["master.m3u8"])
    ((request, retry),) = caller.asked
    assert request.url.endswith("/streams/ss-1:hlsDumps")
    assert request.body == b'{"outputStreamName":"ss-1"}'
    assert retry


async def test_stops_and_conclusions_are_actions_on_the_stream() -> None:
    client, caller = client_of(200, envelope(200))
    await client.stop_hls_dump("reels", "ss-1", "d1")
    await client.conclude_hls_live("reels", "ss-1")

    assert [(request.url.rpartition("/")[2], request.body, retry) for request, retry in caller.asked] == [
        ("ss-1:stopHlsDump", b'{"outputStreamName":"ss-1","id":"d1"}', False),
        ("ss-1:concludeHlsLive", b"{}", False),
    ]


async def test_a_dump_that_is_too_early_is_not_found() -> None:
    client, _ = client_of(404, envelope(404))

    with pytest.raises(NotFound, match="startHlsDump answered 404"):
        await client.start_hls_dump("reels", "ss-1", DUMP)


async def test_a_dump_that_ome_refuses_is_refused_again() -> None:
    """OME's 500 is a no here, not an illness."""
    client, _ = client_of(500, envelope(500))

    with pytest.raises(OmeError, match=r"\[HTTP\] because") as caught:
        await client.start_hls_dump("reels", "ss-1", DUMP)
    assert caught.value.status == 500
    with pytest.raises(OmeError):
        await client.stop_hls_dump("reels", "ss-1", "none")


@pytest.mark.parametrize(("status", "body"), [(500, b"<html>"), (503, envelope(503))])
async def test_an_ome_that_is_ill_has_refused_nothing(status: int, body: Any) -> None:
    client, _ = client_of(status, body)

    with pytest.raises(UpstreamUnavailable):
        await client.start_hls_dump("reels", "ss-1", DUMP)


async def test_a_list_of_dumps_of_another_shape_is_no_answer() -> None:
    client, _ = client_of(200, envelope(200, {"dumps": []}))

    with pytest.raises(UpstreamUnavailable, match="hlsDumps of reels/ss-1 answered an unexpected shape"):
        await client.hls_dumps("reels", "ss-1")


# -- over real HTTP ---------------------------------------------------------------------------------------------------


def http_client(transport: AiohttpTransport, url: str, clock: ManualClock) -> OmeClient:
    caller = ResilientCaller(
        "ome",
        transport,
        Breaker("ome", clock.monotonic),
        clock=clock,
        monotonic=clock.monotonic,
        jitter=lambda: 0.5,
        context=dict,
    )
    return OmeClient(caller, url, access_token="key:secret", timeout=1.0)


async def test_a_wrong_port_is_named_as_such(serve: Serve, transport: AiohttpTransport, clock: ManualClock) -> None:
    async def website(_: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome to nginx!</html>", content_type="text/html")

    with pytest.raises(UpstreamUnavailable, match=r"is this OME's API port\?"):
        await http_client(transport, await serve(website), clock).version()


async def test_nobody_there_is_unavailable(transport: AiohttpTransport, clock: ManualClock) -> None:
    with pytest.raises(UpstreamUnavailable, match="cannot be reached"):
        await http_client(transport, "http://127.0.0.1:1", clock).version()


async def test_bodies_are_sent_with_their_length(serve: Serve, transport: AiohttpTransport, clock: ManualClock) -> None:
    seen: list[dict[str, str]] = []

    async def ome(request: web.Request) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response({"statusCode": 201, "message": "Created"}, status=201)

    await http_client(transport, await serve(ome), clock).create_scheduled_channel("reels", CHANNEL)

    assert int(seen[0]["content-length"]) > 100
    assert "transfer-encoding" not in seen[0]
