"""Calls out and the store as spans: what they name, and what they never do."""

import pytest
from sqlalchemy import Connection, create_engine

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.store.traced import TracedDatabase
from streaming_service.adapters.tracing.transport import TracedTransport
from streaming_service.domain.trace import Lineage, TraceContext, parse_traceparent
from streaming_service.errors import StoreUnavailable, UpstreamUnavailable
from streaming_service.tracing import NO_TRACER, Kind, active
from tests.fakes import KeepingTracer

pytestmark = pytest.mark.anyio

OUTSIDE = TraceContext("1" * 32, "2" * 16, True, "vendor=7")
SECRETS = "https://user:planted@cdn.example:8443/planted/master.m3u8?Signature=planted"


class Inner:
    """A transport that keeps what it is given, and answers `status`; None: nobody does."""

    def __init__(self, status: int | None = 200) -> None:
        self.sent: list[Request] = []
        self._status = status

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        if self._status is None:
            raise UpstreamUnavailable("cdn.example", "does not answer")
        return Response(self._status, {}, b"")


async def test_a_call_names_its_own_span_and_shows_nothing_of_its_url() -> None:
    tracer, inner = KeepingTracer(), Inner()
    with active(tracer.begin("work")) as work:
        await TracedTransport(inner).send(Request("GET", SECRETS, {"authorization": "planted"}, peer="cdn"))
    span = tracer.named("GET cdn")
    assert inner.sent[0].headers == {"authorization": "planted", "traceparent": span.context.traceparent}
    assert (span.kind, span.lineage.parent) == (Kind.CLIENT, work.context)
    assert span.attributes == {
        "http.request.method": "GET",
        "server.address": "cdn.example",
        "server.port": 8443,
        "service.peer.name": "cdn",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("http://ome/v1", "ome", 80),
        ("https://auth.example", "auth.example", 443),
        ("http://[::1]:8081/v1", "[::1]", 8081),
        ("https://cdn.example?planted", "cdn.example", 443),
    ],
)
async def test_a_call_names_where_it_goes(url: str, address: str, port: int) -> None:
    tracer = KeepingTracer()
    with active(tracer.begin("work")):
        await TracedTransport(Inner()).send(Request("GET", url))
    attributes = tracer.named("GET").attributes
    assert (attributes["server.address"], attributes["server.port"]) == (address, port)


@pytest.mark.parametrize(("status", "failed"), [(204, False), (302, False), (404, False), (401, True), (503, True)])
async def test_a_refusal_is_a_failure_but_that_something_is_not_there_is_an_answer(status: int, failed: bool) -> None:
    tracer = KeepingTracer()
    with active(tracer.begin("work")):
        await TracedTransport(Inner(status)).send(Request("GET", "http://ome/"))
    assert tracer.named("GET").failure == ((str(status), "") if failed else None)


async def test_no_answer_is_a_failure() -> None:
    tracer = KeepingTracer()
    with active(tracer.begin("work")), pytest.raises(UpstreamUnavailable):
        await TracedTransport(Inner(None)).send(Request("GET", "http://ome/"))
    failure = tracer.named("GET").failure
    assert failure == ("UpstreamUnavailable", "cdn.example: does not answer")


async def test_without_tracing_every_call_still_has_a_context() -> None:
    inner = Inner()
    await TracedTransport(inner).send(Request("GET", "http://ome/"))
    with active(NO_TRACER.begin("request", lineage=Lineage(OUTSIDE))):
        await TracedTransport(inner).send(Request("GET", "http://ome/"))
    alone, within = (request.headers for request in inner.sent)
    context = parse_traceparent(alone["traceparent"])
    assert context is not None
    assert not context.sampled
    assert "tracestate" not in alone
    assert (within["traceparent"], within["tracestate"]) == (OUTSIDE.traceparent, "vendor=7")


class Base:
    """A database whose jobs run at once; `down`: they do not."""

    down = False

    async def read(self, job: object, *args: object, **kwargs: object) -> object:
        if self.down:
            raise StoreUnavailable("the database does not answer")
        assert callable(job)
        with create_engine("sqlite://").connect() as connection:
            return job(connection, *args, **kwargs)

    write = transact = read


def count_rows(connection: Connection, content_id: str) -> str:
    return f"{connection.dialect.name} {content_id}"


async def test_a_job_of_the_store_is_named_by_what_it_does_and_not_by_what_it_is_about() -> None:
    tracer, database = KeepingTracer(), TracedDatabase(Base(), "sqlite")  # type: ignore[arg-type]
    with active(tracer.begin("work")):
        assert await database.read(count_rows, "planted") == "sqlite planted"
        assert await database.transact(count_rows, content_id="planted") == "sqlite planted"
    first, second = tracer.spans[1:]
    assert first.name == second.name == "store test_traced.count_rows"
    assert (first.attributes["streaming.store.access"], second.attributes["streaming.store.access"]) == (
        "read",
        "transact",
    )
    assert first.attributes["db.system.name"] == "sqlite"
    assert "planted" not in str([(span.name, span.attributes) for span in tracer.spans])


async def test_a_store_that_does_not_answer_is_a_failed_span() -> None:
    tracer, base = KeepingTracer(), Base()
    base.down = True
    database = TracedDatabase(base, "sqlite")  # type: ignore[arg-type]
    with active(tracer.begin("work")), pytest.raises(StoreUnavailable):
        await database.write(count_rows, "c")
    assert tracer.spans[1].failure == ("StoreUnavailable", "the database does not answer")
