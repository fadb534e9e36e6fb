"""What travels between processes that tell one story."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.event import trace_of
from streaming_service.domain.trace import Begun, Lineage, TraceContext, context_in, lineage, parse_traceparent
from tests.fakes import NOW

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"
CONTEXT = TraceContext(TRACE, SPAN, True)


def test_a_context_is_read_and_written_alike() -> None:
    assert parse_traceparent(GOOD) == CONTEXT
    assert CONTEXT.traceparent == GOOD
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-00") == TraceContext(TRACE, SPAN, False)


def test_only_the_lowest_flag_says_sampled() -> None:
    assert [bool((found := parse_traceparent(f"00-{TRACE}-{SPAN}-{flags}")) and found.sampled) for flags in (
        "02", "03", "ff", "fe"
    )] == [False, True, True, False]  # fmt: skip


def test_a_later_version_may_say_more() -> None:
    assert parse_traceparent(f"01-{TRACE}-{SPAN}-01-what-the-future-brings") == CONTEXT
    assert parse_traceparent(f"01-{TRACE}-{SPAN}-01") == CONTEXT


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        GOOD.upper(),
        f"{GOOD}-more",
        f" {GOOD}",
        f"{GOOD}\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01-{'x' * 300}",
        f"00-{TRACE}-{SPAN}-0",
    ],
)
def test_what_is_no_context_is_taken_for_none(text: str | None) -> None:
    assert parse_traceparent(text) is None


@given(st.text(max_size=80))
def test_any_text_is_a_context_or_none(text: str) -> None:
    found = parse_traceparent(text)
    assert found is None or found.trace_id in text


def test_what_vendors_add_goes_on_unless_no_header_could_hold_it() -> None:
    assert parse_traceparent(GOOD, "vendor=1,other=2") == TraceContext(TRACE, SPAN, True, "vendor=1,other=2")
    for broken in ("a=\r\nx: y", "ä=1", "x" * 513):
        assert parse_traceparent(GOOD, broken) == CONTEXT


@pytest.mark.parametrize("name", ["traceparent", "ce-traceparent", "ce_traceparent", "googclient_traceparent"])
def test_a_message_names_its_trace_in_any_of_these_ways(name: str) -> None:
    state = name.replace("parent", "state")
    assert context_in({name: GOOD, state: "v=1"}) == TraceContext(TRACE, SPAN, True, "v=1")


def test_a_broken_spelling_does_not_hide_a_good_one() -> None:
    assert context_in({"traceparent": "nonsense", "googclient_traceparent": GOOD}) == CONTEXT
    assert context_in({"x-correlation-id": "c-1"}) is None


def test_a_structured_cloud_event_holds_its_trace_itself() -> None:
    event = f'{{"specversion":"1.0","type":"media.uploaded","traceparent":"{GOOD}","data":{{}}}}'.encode()
    assert trace_of(event, {}) == CONTEXT
    other = TraceContext("1" * 32, "2" * 16, True)
    assert trace_of(event, {"traceparent": other.traceparent}) == other


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b'"traceparent"', b'{"traceparent":5}', b'{"traceparent":"x"}', b'["traceparent"]']
)
def test_what_is_no_event_has_no_trace(data: bytes) -> None:
    assert trace_of(data, {}) is None


def test_work_within_the_hour_is_part_of_the_trace_and_later_work_names_it() -> None:
    begun = Begun(GOOD, NOW)
    assert lineage(begun, NOW + timedelta(minutes=59)) == Lineage(parent=CONTEXT)
    assert lineage(begun, NOW + timedelta(hours=1)) == Lineage(links=(CONTEXT,))
    assert lineage(None, NOW) == lineage(Begun("nonsense", NOW), NOW) == Lineage()
