"""An OTLP receiver over real HTTP, and spans as tests want to read them."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


class Seen(Struct, frozen=True):
    """A span as it arrived; ids in hex, `parent` empty for a root, `links` as (trace id, span id)."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    attributes: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    failed: bool
    status: str
    resource: Mapping[str, Any]


class OtlpReceiver:
    """Keeps what it is sent. `status` is what it answers, after `delay` seconds."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self.status = 200
        self.delay = 0.0
        self.url = ""
        self._news = asyncio.Event()

    async def until(self, enough: Callable[[list[Seen]], Any], seconds: float = 30.0) -> list[Seen]:
        """All spans, once `enough` of them is true."""
        try:
            async with asyncio.timeout(seconds):
                while not enough(self.spans):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            listed = "\n".join(f"{item.trace_id} {item.parent:16} {item.span_id} {item.name}" for item in self.spans)
            raise AssertionError(f"the spans never came; there are:\n{listed}") from None
        return list(self.spans)

    def of(self, trace_id: str) -> list[Seen]:
        return [item for item in self.spans if item.trace_id == trace_id]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self.delay)
        self.headers.append(request.headers)
        if self.status == 200:
            content = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
            self.bodies.append(content)
            self.spans += _read(content)
            self._news.set()
        return web.Response(status=self.status)


@asynccontextmanager
async def otlp_receiver() -> AsyncGenerator[OtlpReceiver]:
    """Listens at `url`."""
    receiver = OtlpReceiver()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def _read(body: bytes) -> list[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _seen(span, _attributes(group.resource.attributes))
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _seen(span: WireSpan, resource: Mapping[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=_attributes(span.attributes),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        failed=span.status.code == 2,
        status=span.status.message,
        resource=resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    value: AnyValue = pair.value
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
