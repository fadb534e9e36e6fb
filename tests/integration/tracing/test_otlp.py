"""Spans on their way to a real receiver: batched, never waited for, every one sent or counted as lost."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from streaming_service.adapters.tracing.otlp import OtlpTracer, TracingPlan
from streaming_service.domain.trace import Lineage, TraceContext
from streaming_service.tracing import Kind, active, current, part
from tests.otlp import OtlpReceiver, otlp_receiver

pytestmark = pytest.mark.anyio

ABOVE = TraceContext("1" * 32, "2" * 16, True, "vendor=7")
UNSAMPLED = TraceContext("3" * 32, "4" * 16, False)


class Counts:
    """Meter of spans; called by several threads."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def spans(self, result: str, count: int) -> None:
        self.counts[result] += count


def tracer(url: str, counts: Counts, **changes: Any) -> OtlpTracer:
    plan: dict[str, Any] = {
        "endpoint": f"{url}/v1/traces",
        "headers": {"x-api-key": "planted"},
        "resource": {"service.name": "test"},
        "sampler": "parentbased_always_on",
        "ratio": 1.0,
        "delay": 0.05,
    }
    return OtlpTracer(TracingPlan(**(plan | changes)), counts)


async def closed(opened: OtlpTracer, seconds: float = 3.0) -> None:
    await asyncio.to_thread(opened.close, seconds)


async def test_a_span_arrives_with_all_that_was_said_of_it() -> None:
    async with otlp_receiver() as receiver:
        counts = Counts()
        opened = tracer(receiver.url, counts)
        lineage = Lineage(ABOVE, (UNSAMPLED,))
        with active(opened.begin("before", Kind.CONSUMER, lineage, {"a": 1, "left.out": None})) as span:
            span.rename("whole")
            assert span.context.state == "vendor=7"
            with part("step", Kind.CLIENT) as step:
                step.failed("503", "it said so")
        await closed(opened)
    step_seen, whole_seen = receiver.spans
    assert (whole_seen.name, whole_seen.kind, whole_seen.attributes) == ("whole", "consumer", {"a": 1})
    assert (whole_seen.trace_id, whole_seen.parent) == (ABOVE.trace_id, ABOVE.span_id)
    assert whole_seen.links == ((UNSAMPLED.trace_id, UNSAMPLED.span_id),)
    assert (step_seen.parent, step_seen.kind) == (whole_seen.span_id, "client")
    assert (step_seen.failed, step_seen.status, step_seen.attributes) == (True, "it said so", {"error.type": "503"})
    assert whole_seen.resource["service.name"] == "test"
    assert counts.counts == {"exported": 2}


@pytest.mark.parametrize(
    ("sampler", "ratio", "parent", "recorded"),
    [
        ("parentbased_always_on", 1.0, None, True),
        ("parentbased_always_on", 1.0, UNSAMPLED, False),
        ("parentbased_always_off", 1.0, None, False),
        ("parentbased_always_off", 1.0, ABOVE, True),
        ("parentbased_traceidratio", 0.0, None, False),
        ("parentbased_traceidratio", 0.0, ABOVE, True),
        ("traceidratio", 0.0, ABOVE, False),
        ("traceidratio", 1.0, UNSAMPLED, True),
        ("always_on", 0.0, UNSAMPLED, True),
        ("always_off", 1.0, ABOVE, False),
    ],
)
async def test_the_sampler_decides(sampler: str, ratio: float, parent: TraceContext | None, recorded: bool) -> None:
    async with otlp_receiver() as receiver:
        opened = tracer(receiver.url, Counts(), sampler=sampler, ratio=ratio)
        with active(opened.begin("whole", lineage=Lineage(parent))) as span, part("step") as step:
            assert span.recording is step.recording is recorded
            assert span.context.sampled is recorded
            assert parent is None or span.context.trace_id == parent.trace_id
            assert span.context.trace_id != "0" * 32
            active_span = current()
            assert active_span is not None
            assert active_span.telling
        await closed(opened)
    assert len(receiver.spans) == (2 if recorded else 0)


async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted() -> None:
    async with otlp_receiver() as receiver:
        counts = Counts()
        receiver.delay = 0.3
        opened = tracer(receiver.url, counts, queue=10, delay=60.0)
        for _ in range(200):
            opened.begin("span").end()
        assert counts.counts["dropped"] >= 150  # at once, not when the process ends
        await closed(opened)
    assert sum(counts.counts.values()) == 200
    assert counts.counts["exported"] == len(receiver.spans)


async def test_nobody_waits_for_a_receiver_that_is_silent() -> None:
    async with otlp_receiver() as receiver:
        counts = Counts()
        receiver.delay = 20.0
        opened = tracer(receiver.url, counts, queue=100)
        began = time.perf_counter()
        for _ in range(1000):
            opened.begin("span").end()
        assert time.perf_counter() - began < 1.0
        began = time.perf_counter()
        await closed(opened, 0.3)
        assert time.perf_counter() - began < 2.0
        assert counts.counts == {"dropped": 1000}


async def test_what_the_receiver_refuses_is_counted() -> None:
    async with otlp_receiver() as receiver:
        counts = Counts()
        receiver.status = 400
        opened = tracer(receiver.url, counts)
        opened.begin("span").end()
        await _until(lambda: counts.counts == {"failed": 1})
        receiver.status = 200
        opened.begin("span").end()
        await _until(lambda: counts.counts == {"failed": 1, "exported": 1})
        await closed(opened)
    assert len(receiver.spans) == 1


async def test_a_receiver_that_is_not_there_costs_nothing_but_its_spans() -> None:
    counts = Counts()
    async with otlp_receiver() as receiver:
        gone = receiver.url
    opened = tracer(gone, counts)
    for _ in range(5):
        opened.begin("span").end()
    await closed(opened, 0.5)
    assert sum(counts.counts.values()) == 5
    assert not counts.counts["exported"]


async def test_a_plan_shows_no_key() -> None:
    async with otlp_receiver() as receiver:
        assert "planted" not in repr(_plan(receiver))


def _plan(receiver: OtlpReceiver) -> TracingPlan:
    return TracingPlan(receiver.url, {"x-api-key": "planted"}, {}, "always_on", 1.0)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
