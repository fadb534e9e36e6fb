"""Requests as spans, and what a plain request costs that nobody records."""

import pytest

from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.tracing import TracedDoor
from streaming_service.tracing import NO_TRACER, Kind, Tracer, traceparent
from tests.fakes import KeepingTracer
from tests.integration.http.harness import (
    CONTENT,
    SERVICE_TOKEN,
    VIEWER_TOKEN,
    FallibleStore,
    Harness,
    Viewers,
    make_api,
    playable,
)
from tests.wire import FakeClient, answers

pytestmark = pytest.mark.anyio

TRACE, SPAN = "1" * 32, "2" * 16
PATH = f"/v1/streams/{CONTENT}/manifest"


def asking(*headers: str, path: str = PATH, method: str = "GET", token: str = VIEWER_TOKEN) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: a.example", f"Authorization: Bearer {token}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def naming(flags: str, name: str = "traceparent") -> str:
    return f"{name}: 00-{TRACE}-{SPAN}-{flags}"


class Stage:
    """An API whose manifest is known already."""

    def __init__(self, app: TracedDoor, store: FallibleStore) -> None:
        self.app = app
        self.store = store

    async def ask(self, data: bytes) -> int:
        client = FakeClient(self.app)
        await client.send(data)
        (answered,) = answers(client.written, heads=data.startswith(b"HEAD"))
        return answered.status


async def staged(tracer: Tracer, *, share: float = 0.0) -> Stage:
    store, viewers = FallibleStore(), Viewers()
    api = make_api(store, viewers, [], tracer=tracer, traced_share=share)
    await Harness(api, store, viewers, [], None, None).add(playable())  # type: ignore[arg-type]
    await api.playback.manifest(CONTENT, VIEWER_TOKEN, "auto", None, "warm")
    return Stage(build_app(api), store)


async def test_without_tracing_plain_requests_are_answered_by_the_route_itself() -> None:
    stage = await staged(NO_TRACER, share=1.0)
    quick = stage.app.quick
    assert quick is not None
    assert getattr(quick, "__func__", None).__qualname__ == "ManifestRoute.quick"  # type: ignore[union-attr]
    assert quick(asking(naming("01")), "192.0.2.1")


async def test_a_plain_request_that_nobody_records_is_answered_at_once() -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    assert stage.app.quick is not None
    for data in (asking(), asking(naming("00")), asking(naming("02")), asking("traceparent: nonsense")):
        assert stage.app.quick(data, "192.0.2.1"), data
        assert await stage.ask(data) == 200
    assert tracer.spans == []


@pytest.mark.parametrize(
    "header", [naming("01"), naming("03"), naming("01", "Traceparent"), naming("01", "TraceParent")]
)
async def test_a_plain_request_of_a_recorded_trace_is_a_span_of_it(header: str) -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    assert stage.app.quick is not None
    assert stage.app.quick(asking(header), "192.0.2.1") is None
    assert await stage.ask(asking(header)) == 200
    (span,) = tracer.spans
    assert span.name == "GET /v1/streams/{contentId}/manifest"
    assert span.kind is Kind.SERVER
    assert span.lineage.parent is not None
    assert (span.lineage.parent.trace_id, span.lineage.parent.span_id) == (TRACE, SPAN)
    assert span.attributes["http.response.status_code"] == 200
    assert span.ended


async def test_a_share_of_the_plain_requests_begins_a_trace() -> None:
    tracer = KeepingTracer()
    chances = iter([0.24, 0.25, 0.9, 0.1])
    stage = await staged(tracer, share=0.25)
    app = TracedDoor(stage.app._door, tracer, share=0.25, chance=lambda: next(chances))
    assert app.quick is not None
    assert [app.quick(asking(), "192.0.2.1") is None for _ in range(4)] == [True, False, False, True]


async def test_a_request_that_has_to_ask_somebody_is_recorded() -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    assert await stage.ask(asking(token="planted-unknown")) == 401
    (span,) = tracer.spans
    assert span.attributes["http.response.status_code"] == 401
    assert span.failure is None  # the caller's mistake, not ours
    assert "planted" not in str(span.attributes)


async def test_what_is_asked_behind_the_question_mark_and_unknown_paths_are_not_shown() -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    await stage.ask(asking(naming("01"), path=f"{PATH}?session=9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d12"))
    await stage.ask(asking(path="/planted-secret-path?planted=1"))
    assert [span.name for span in tracer.spans] == ["GET /v1/streams/{contentId}/manifest", "GET"]
    shown = str([span.attributes for span in tracer.spans])
    assert "session" not in shown
    assert "planted" not in shown


async def test_routes_are_named_by_their_templates() -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    asked = asking(path=f"/v1/admin/streams/{CONTENT}/events", token=SERVICE_TOKEN)
    assert await stage.ask(asked) == 200
    span = tracer.named("GET /v1/admin/streams/{contentId}/events")
    assert span.attributes["url.path"] == f"/v1/admin/streams/{CONTENT}/events"


async def test_what_machines_ask_every_second_is_no_trace() -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        await stage.ask(asking(naming("01"), path=path))
    assert tracer.spans == []


async def test_our_own_failure_is_one_of_the_span() -> None:
    tracer = KeepingTracer()
    stage = await staged(tracer)
    stage.store.down = True
    asked = asking(path=f"/v1/admin/streams/{CONTENT}", token=SERVICE_TOKEN)
    assert await stage.ask(asked) == 503
    assert tracer.spans[0].failure == ("503", "")
    assert "planted" not in str(tracer.spans[0].attributes)


async def test_without_tracing_the_callers_trace_is_still_the_cause_of_a_change() -> None:
    stage = await staged(NO_TRACER)
    asked = asking(naming("01"), path=f"/v1/admin/streams/{CONTENT}/replay", method="POST", token=SERVICE_TOKEN)
    assert await stage.ask(asked) == 202
    channel = await stage.store.get(CONTENT)
    assert channel is not None
    assert channel.trace is not None
    assert channel.trace.traceparent == f"00-{TRACE}-{SPAN}-01"
    assert traceparent() is None
