"""The quick way and llhttp's say the same, whatever is asked and however it arrives."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_service.application.introspection import Introspector
from streaming_service.application.playback import Playback, PlaybackPolicy
from streaming_service.domain.access import Viewer
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import AvailabilityWindow, Drm, GeoRestrictions
from streaming_service.domain.history import change
from streaming_service.domain.placement import stream_name
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.tracing import TracedDoor
from streaming_service.errors import UpstreamUnavailable
from tests.integration.http.harness import (
    CAUSE,
    CDN,
    CONTENT,
    SIGNING_SECRET,
    UNKNOWN,
    FallibleStore,
    Harness,
    Viewers,
    make_api,
    playable,
    viewer,
    waiting,
)
from tests.placements import placed as put
from tests.wire import Answered, FakeClient, answers

DRM, NORTH, OVER, EARLY, UNREADY, GONE = (str(UUID(int=number)) for number in range(1, 7))
PATH = f"/v1/streams/{CONTENT}/manifest"


def showing(content_id: str = CONTENT, **changes: Any) -> Channel:
    """On an origin of its own, because each of them wants the first seat."""
    now = datetime.now(UTC)
    placed = put(waiting(content_id, **changes), now, origin=content_id, stream=stream_name("ss-", content_id, 1))
    return placed.started(now).playable(now, drain_after=timedelta())


class Stage:
    """An API whose contents and viewers are known, at a moment that does not pass."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.app = self.runner.run(self._build())

    async def _build(self) -> TracedDoor:
        store, viewers = FallibleStore(), Viewers()
        self.metrics: Any = None
        viewers.known |= {
            "entitled": viewer(entitlements=(CONTENT, 'a"\u00e9\\')),
            "elsewhere": viewer(entitlements=("other",), country="DE"),
            "german": viewer(country="DE"),
            "scopeless": viewer(scopes=frozenset()),
            "inactive": None,
            "down": UpstreamUnavailable("auth", "down"),
        }
        early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
        contents = (
            showing(),
            showing(DRM, drm=Drm('k"1', "https://drm.test/"), availability=AvailabilityWindow(early, late)),
            showing(NORTH, geo=GeoRestrictions(allow=("AT",))),
            showing(OVER, availability=AvailabilityWindow(None, early)),
            showing(EARLY, availability=AvailabilityWindow(late, None)),
            waiting(UNREADY),
            showing(GONE).retired(datetime.now(UTC)),
        )
        for channel in contents:
            await store.commit(change(channel, "test", CAUSE), None)
        now = time.time()
        api = make_api(store, viewers, [])
        self.metrics = api.metrics
        playback = Playback(
            store=store,
            viewers=Introspector(viewers, time=lambda: now, meter=api.metrics),
            signer=CloudCdnSigner(Keyring(SigningKey("primary", SIGNING_SECRET))),
            policy=PlaybackPolicy(base_url=CDN, ttl=300, playlist="master"),
            time=lambda: now,
        )
        app = build_app(make_api(store, viewers, [], playback=playback, metrics=api.metrics))
        for content in (CONTENT, DRM, NORTH, OVER, EARLY, UNREADY, GONE, UNKNOWN):
            for token in (*viewers.known, "unknown"):
                await playback.manifest(content, token, "auto", None, "warm")
        return app

    def ask(self, *pieces: bytes, quick: bool) -> bytes:
        """Everything that is answered to these pieces on one connection."""

        async def talk() -> bytes:
            client = FakeClient(self.app, quick=quick)
            await client.send(*pieces)
            client.connection.connection_lost(None)
            return client.written

        return self.runner.run(talk())


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.runner.close()


CONTENTS = st.one_of(
    st.sampled_from([CONTENT, CONTENT, CONTENT, DRM, NORTH, OVER, EARLY, UNREADY, GONE, UNKNOWN]),
    st.sampled_from([CONTENT.upper(), "clip", CONTENT + "0", "%39" + CONTENT[1:], "a/b"]),
)
QUERIES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "quality=auto",
                "quality=480p",
                "quality=4k",
                "%71uality=360p",
                "device=tv",
                "device=fridge",
                "geo=at",
                "geo=DE",
                "geo=%C3%84T",
                "session=9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d99",
                "session=1",
                "x=+",
                "",
                "#f",
                "a b",
                "\u00e9",
            ]
        ),
        st.text(alphabet="aqz=&?/%20+;:@!$'()*,\"<>^`{|}~", max_size=6),
    ),
    max_size=3,
).map("&".join)
TOKENS = st.sampled_from(
    [
        "planted-viewer-token-5678",
        "entitled",
        "elsewhere",
        "german",
        "scopeless",
        "inactive",
        "down",
        "unknown",
    ]
)
AUTHORIZATIONS = st.one_of(
    TOKENS.map(lambda token: f"Bearer {token}"),
    TOKENS.map(lambda token: f"bEARER   {token}  "),
    st.sampled_from(["", "Bearer", "Bearer ", "Basic dTpw", "Bearer \u00e9", "Bearer a b", "Bearer\tentitled"]),
)
HEADERS = st.lists(
    st.one_of(
        AUTHORIZATIONS.map(lambda value: ("Authorization", value)),
        st.sampled_from(
            [
                ("X-Correlation-Id", "Trace-42"),
                ("x-correlation-id", "a b"),
                ("X-CORRELATION-ID", "x" * 200),
                ("Connection", "keep-alive"),
                ("connection", "KEEP-ALIVE"),
                ("Connection", "close"),
                ("Connection", "upgrade"),
                ("Upgrade", "websocket"),
                ("Content-Length", "0"),
                ("Content-Length", "3"),
                ("Transfer-Encoding", "chunked"),
                ("Expect", "100-continue"),
                ("User-Agent", "player/1.0 (tv)"),
                ("Accept", "*/*"),
                ("X-Odd\u00e9", "1"),
                ("X-Empty", ""),
                ("X Space", "1"),
                ("", "1"),
                ("Host", "y"),
                ("X-Forwarded-For", "1.2.3.4"),
            ]
        ),
    ),
    max_size=4,
)


def written(
    method: str,
    content: str,
    query: str,
    version: str,
    host: list[tuple[str, str]],
    headers: list[tuple[str, str]],
    gap: str,
) -> bytes:
    line = f"{method} /v1/streams/{content}/manifest{'?' + query if query else ''} {version}\r\n"
    said = "".join(f"{name}:{gap}{value}\r\n" for name, value in [*host, *headers])
    return f"{line}{said}\r\n".encode("latin-1")


REQUESTS = st.builds(
    written,
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "get"]),
    content=CONTENTS,
    query=QUERIES,
    version=st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.2", ""]),
    host=st.sampled_from([[("Host", "x")], [("Host", "x")], [("host", "")], []]),
    headers=HEADERS,
    gap=st.sampled_from([" ", "", "  ", "\t"]),
)


@settings(max_examples=300, deadline=None)
@given(request=REQUESTS)
def test_both_ways_say_the_same(stage: Stage, request: bytes) -> None:
    heads = request.startswith(b"HEAD")
    quick, slow = (answers(stage.ask(request, quick=way), heads=heads) for way in (True, False))
    assert quick == slow
    for one, other in zip(quick, slow, strict=True):
        given_id = dict(one.headers)["x-correlation-id"] == dict(other.headers)["x-correlation-id"]
        assert given_id is (b"Trace-42" in request and "Trace-42" in str(one.headers))


@pytest.mark.parametrize("token", ["planted-viewer-token-5678", "entitled", "scopeless", "inactive", "elsewhere"])
@pytest.mark.parametrize("content", [CONTENT, DRM, NORTH, OVER, EARLY, UNREADY, GONE])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_quick_way_is_taken_where_it_is_meant(stage: Stage, method: str, content: str, token: str) -> None:
    request = (
        f"{method} /v1/streams/{content}/manifest?geo=AT&quality=480p HTTP/1.1\r\n"
        f"Host: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
    quick = stage.app.quick
    assert quick is not None

    async def at_once() -> bytes | None:
        return quick(request)

    answer = stage.runner.run(at_once())
    assert answer is not None
    assert answers(answer, heads=method == "HEAD") == answers(stage.ask(request, quick=False), heads=method == "HEAD")


def test_both_ways_count_the_same(stage: Stage) -> None:
    def counted() -> list[float]:
        names = [
            ("streaming_manifest_requests_total", {"result": "ok"}),
            ("streaming_manifest_requests_total", {"result": "missing_scope"}),
            ("streaming_introspection_total", {"result": "cached"}),
            ("streaming_manifest_latency_ms_count", {}),
        ]
        return [stage.metrics.registry.get_sample_value(name, labels) or 0.0 for name, labels in names]

    for way in (True, False):
        before = counted()
        for token in ("entitled", "scopeless"):
            stage.ask(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode(), quick=way)
        assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 2, 2]


GOOD = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer entitled\r\n\r\n".encode()
OTHER = f"GET /v1/streams/{UNREADY}/manifest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer entitled\r\n\r\n".encode()
START = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
# What is sent, and the statuses of what is answered.
STREAMS: list[tuple[bytes, list[int]]] = [
    (GOOD, [200]),
    (GOOD * 3, [200, 200, 200]),
    (GOOD + OTHER + GOOD, [200, 403, 200]),
    (b"\r\n" + GOOD + b"\r\n" + GOOD, [200, 200]),
    (GOOD + GOOD[:40], [200]),
    # Two lengths, two codings, or both: a request within a request (RFC 9112, 11.2).
    (START + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + GOOD, [400]),
    (START + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GOOD, [400]),
    (START + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\n" + GOOD, [400]),
    (START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + GOOD, [401]),
    (START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + GOOD, [400]),
    (START + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + GOOD, [400]),
    (START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + GOOD, [400]),
    (START + b"Content-Length: +5\r\n\r\nhello" + GOOD, [400]),
    (START + b"Content-Length: 5,5\r\n\r\nhello" + GOOD, [400]),
    (START + b"Content-Length: 0x5\r\n\r\nhello" + GOOD, [400]),
    (START + b"Content-Length: -1\r\n\r\n" + GOOD, [400]),
    # A body is a body, even when it looks like a request.
    (START + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD + OTHER, [401, 403]),
    (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\nHost: y\r\n\r\n" + GOOD, [401]),
    # Lines that others may read differently.
    (START + b"A: b\nContent-Length: 5\r\n\r\nhello" + GOOD, [400]),
    (START + b"A: b\r\n Content-Length: 5\r\n\r\nhello" + GOOD, [400]),
    (START + b" Content-Length: 5\r\n\r\nhello" + GOOD, [400]),
    (START + b"A\x00: b\r\n\r\n" + GOOD, [400]),
    (START + b"A: b\x00c\r\n\r\n" + GOOD, [400]),
    (START.replace(b"\r\n", b"\n") + b"\n" + GOOD, [400]),
    (GOOD + b"GET / HTTP/1.1\r\n\r\n" + GOOD, [200, 400]),
    (GOOD + b"\x16\x03\x01\x02\x00" + GOOD, [200, 400]),
    (GOOD + START + b"Host: y\r\n\r\n" + GOOD, [200, 400]),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + GOOD, [400]),
    (START.replace(b"1.1", b"2.0") + b"\r\n" + GOOD, [505]),
    # What ends a connection ends it.
    (START + b"Connection: close\r\n\r\n" + GOOD, [401]),
    (START.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\n\r\n" + GOOD, [401]),
    (START + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + GOOD, [401]),
    (START + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n\r\nabc" + GOOD, [401]),
    (GOOD + START + b"Authorization: Bearer a\r\nAuthorization: Bearer entitled\r\n\r\n" + GOOD, [200, 401, 200]),
]


@pytest.mark.parametrize(("stream", "statuses"), STREAMS, ids=[str(number) for number in range(len(STREAMS))])
def test_where_a_stream_is_cut_does_not_matter(stage: Stage, stream: bytes, statuses: list[int]) -> None:
    whole = answers(stage.ask(stream, quick=False))
    assert [answer.status for answer in whole] == statuses
    assert answers(stage.ask(*(stream[at : at + 1] for at in range(len(stream))), quick=True)) == whole
    for at in range(len(stream)):
        cut: list[Answered] = answers(stage.ask(stream[:at], stream[at:], quick=True))
        assert cut == whole, stream[:at]


CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "stream",
    [
        CHUNKED + b"%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n\r\n" + OTHER,
        CHUNKED + b"0;a=b\r\nTrailer: x\r\n\r\n" + OTHER,
    ],
)
def test_a_body_without_a_length_is_waited_for_only_when_it_is_there(stage: Stage, stream: bytes) -> None:
    assert [answer.status for answer in answers(stage.ask(stream, quick=True))] == [401, 403]
    for at in range(len(stream)):
        first, *others = answers(stage.ask(stream[:at], stream[at:], quick=True))
        closes = ("connection", "close") in first.headers
        assert [first.status, *(answer.status for answer in others)] == [401] + [403] * (not closes)


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(
        st.one_of(st.sampled_from([item for item, _ in STREAMS]), st.binary(max_size=20), REQUESTS), max_size=4
    ),
    cuts=st.lists(st.integers(0, 800), max_size=4),
)
def test_garbage_is_answered_the_same_both_ways(stage: Stage, parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(part for part in parts if not part.startswith(b"HEAD"))
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    pieces = [stream[one:other] for one, other in pairwise(places)]
    cut, whole = answers(stage.ask(*pieces, quick=True)), answers(stage.ask(*pieces, quick=False))
    assert cut == whole


class SlowViewers(Viewers):
    """Answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def introspect(self, token: str, correlation_id: str) -> Viewer | None:
        if token == "slow":
            await self.let.wait()
        return viewer()


@pytest.mark.anyio
async def test_a_quick_answer_waits_for_a_slow_one() -> None:
    store, viewers = FallibleStore(), SlowViewers()
    api = make_api(store, viewers, [])
    await Harness(api, store, viewers, [], None, None).add(playable())  # type: ignore[arg-type]
    app = build_app(api)
    client = FakeClient(app)
    await client.send(GOOD)
    assert app.quick is not None
    assert app.quick(GOOD)
    slow = GOOD.replace(b"entitled", b"slow").replace(b"\r\nAuth", b"\r\nx-correlation-id: slow\r\nAuth")
    client.connection.data_received(slow)
    for _ in range(5):
        client.connection.data_received(GOOD)
        await asyncio.sleep(0)
    assert len(answers(client.written)) == 1
    viewers.let.set()
    await client.settled()
    ids = [dict(answer.headers)["x-correlation-id"] for answer in answers(client.written)]
    assert len(ids) == 7
    assert ids.index("slow") == 1
