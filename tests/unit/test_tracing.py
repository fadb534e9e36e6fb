"""What is active, what belongs to it, and what it leaves behind."""

import asyncio
import io
import json
import subprocess
import sys

import pytest
import structlog

from streaming_service.domain.trace import Lineage, TraceContext
from streaming_service.errors import UpstreamUnavailable
from streaming_service.telemetry import configure_logging
from streaming_service.tracing import (
    NO_TRACER,
    Kind,
    active,
    current,
    note,
    outgoing,
    part,
    part_failed,
    traceparent,
)
from tests.fakes import KeepingTracer

OUTSIDE = TraceContext("1" * 32, "2" * 16, True)


def test_parts_belong_to_what_is_active_and_end_with_it() -> None:
    tracer = KeepingTracer()
    with active(tracer.begin("whole")) as whole:
        with part("step", Kind.CLIENT, {"n": 1}):
            with part("inner"):
                assert outgoing() == tracer.named("inner").context
            note({"noted": True})
        assert current() is whole
    step, inner = tracer.named("step"), tracer.named("inner")
    assert step.lineage.parent == whole.context
    assert inner.lineage.parent == step.context
    assert (step.kind, step.attributes) == (Kind.CLIENT, {"n": 1, "noted": True})
    assert all(span.ended for span in tracer.spans)
    assert current() is None


def test_a_part_of_nothing_is_nothing() -> None:
    with part("step") as span:
        assert not span.recording
        assert current() is None
        note({"nobody": "listens"})
        part_failed("nothing")
    assert traceparent() is None


def test_an_error_that_passes_through_is_told_but_only_ours_says_how() -> None:
    tracer = KeepingTracer()
    with pytest.raises(UpstreamUnavailable), active(tracer.begin("ours")):
        raise UpstreamUnavailable("auth", "is down")
    with pytest.raises(ValueError, match="planted"), active(tracer.begin("theirs")):
        raise ValueError("planted")
    assert tracer.named("ours").failure == ("UpstreamUnavailable", "auth: is down")
    assert tracer.named("theirs").failure == ("ValueError", "")
    assert all(span.ended for span in tracer.spans)


def test_being_cancelled_is_no_failure() -> None:
    tracer = KeepingTracer()
    with pytest.raises(asyncio.CancelledError), active(tracer.begin("work")):
        raise asyncio.CancelledError
    assert tracer.named("work").failure is None
    assert tracer.named("work").attributes == {"error.type": "cancelled"}


def test_without_tracing_the_callers_context_goes_out_as_it_came() -> None:
    with active(NO_TRACER.begin("request", Kind.SERVER, Lineage(OUTSIDE))), part("step"):
        assert outgoing() == OUTSIDE
        assert traceparent() == OUTSIDE.traceparent


def test_without_tracing_and_without_a_caller_there_is_a_context_that_nobody_records() -> None:
    with active(NO_TRACER.begin("request")):
        first = outgoing()
        assert outgoing() == first
        assert not first.sampled
        assert traceparent() is None  # nothing later should look for it
    assert outgoing() != outgoing()


def test_log_lines_name_the_span_when_it_means_anything() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    try:
        log = structlog.get_logger("test")
        log.info("before")
        with active(KeepingTracer().begin("work")) as span:
            log.info("inside")
        with active(NO_TRACER.begin("work")):
            log.info("unknown to anybody")
    finally:
        structlog.reset_defaults()
    before, inside, unknown = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (inside["trace_id"], inside["span_id"]) == (span.context.trace_id, span.context.span_id)
    assert "trace_id" not in before
    assert "trace_id" not in unknown


def test_a_process_that_does_not_trace_does_not_import_opentelemetry() -> None:
    code = """
import asyncio, sys
from streaming_service.bootstrap import open_service
from streaming_service.configuration import load
from streaming_service.entrypoints.serving import serve_http

async def main():
    settings = load({"APP_ENV": "test", "EVENT_SOURCE": "push", "CHANNEL_REPOSITORY_BACKEND": "memory",
                     "DRY_RUN_PROVISIONING": "true", "CDN_BASE_URL": "https://cdn.example", "HTTP_PORT": "0",
                     "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==", "HTTP_HOST": "127.0.0.1"}, env_file=None)
    async with open_service(settings) as service, serve_http(service):
        slow = ("opentelemetry.sdk", "opentelemetry.trace", "opentelemetry.exporter", "google.protobuf", "requests")
        print(sorted(name for name in sys.modules if name.startswith(slow)))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "[]", (done.stdout, done.stderr)
