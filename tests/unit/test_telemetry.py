"""Log lines and metrics as others read them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from streaming_service.context import correlation_id
from streaming_service.telemetry import LATENCY_BUCKETS_MS, ManifestMeter, Metrics, configure_logging

PLANTED = "planted-secret-value"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(level: str = "info", form: str = "json") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, form, stream)
    return stream


def fail_with_a_secret_at_hand() -> None:
    token = PLANTED
    raise ValueError(f"of {len(token)} letters")


# -- logs -------------------------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object() -> None:
    stream = configured()
    structlog.get_logger("test").info("channel plays", content_id="c-1", count=2)

    (line,) = lines(stream)
    assert (line["event"], line["level"], line["content_id"], line["count"]) == ("channel plays", "info", "c-1", 2)
    assert line["timestamp"].endswith("Z")


def test_a_stream_that_is_no_terminal_gets_json() -> None:
    stream = configured(form="auto")
    structlog.get_logger("test").info("hello")

    assert lines(stream)[0]["event"] == "hello"


def test_the_console_form_is_for_people() -> None:
    stream = configured(form="console")
    structlog.get_logger("test").info("channel plays", content_id="c-1")

    assert "channel plays" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warn", 2), ("warning", 2), ("error", 1)])
def test_less_severe_lines_are_left_out(level: str, count: int) -> None:
    stream = configured(level)
    log = structlog.get_logger("test")
    for write in (log.debug, log.info, log.warning, log.error):
        write("line")

    assert len(lines(stream)) == count


def test_a_line_carries_the_correlation_id_of_its_request() -> None:
    stream = configured()
    token = correlation_id.set("c-42")
    structlog.get_logger("test").info("inside")
    correlation_id.reset(token)
    structlog.get_logger("test").info("outside")

    inside, outside = lines(stream)
    assert inside["correlation_id"] == "c-42"
    assert "correlation_id" not in outside


def test_libraries_log_the_same_way_from_warnings_on() -> None:
    stream = configured("debug")
    logging.getLogger("aiohttp").info("chatter")
    logging.getLogger("aiohttp").warning("trouble with %s", "it")

    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("trouble with it", "warning")


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("library", [False, True])
def test_an_exception_is_logged_with_its_stack_and_without_what_was_in_variables(form: str, library: bool) -> None:
    stream = configured(form=form)
    try:
        fail_with_a_secret_at_hand()
    except ValueError:
        log: Any = logging.getLogger("library") if library else structlog.get_logger("test")
        log.exception("it failed")

    text = stream.getvalue()
    assert "fail_with_a_secret_at_hand" in text
    assert "of 20 letters" in text
    assert PLANTED not in text


def test_configuring_again_does_not_double_the_lines() -> None:
    configured()
    stream = configured()
    logging.getLogger("library").warning("once")

    assert len(lines(stream)) == 1


# -- metrics ----------------------------------------------------------------------------------------------------------


def samples(metrics: Metrics) -> dict[str, float]:
    """Lines of a scrape that are ours."""
    found: dict[str, float] = {}
    for line in generate_latest(metrics.registry).decode().splitlines():
        if line.startswith("streaming_"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def test_counters_have_the_names_that_others_scrape() -> None:
    metrics = Metrics()
    metrics.provisioned("ready", 3.2)
    metrics.provisioned("retry")
    metrics.upload_event("created")
    metrics.introspection("cached")
    metrics.delivery("bigquery", "delivered")
    metrics.channels({"ready": 5})
    metrics.outbox({"bigquery": 7}, 12.5)
    metrics.dead_letters(3)
    metrics.watch_breaker("auth", lambda: 2)
    metrics.waiting({"reel": 4})
    metrics.origins({"default": 3}, {"default": 5})
    found = samples(metrics)

    assert found['streaming_provisioning_total{result="ready"}'] == 1
    assert found['streaming_provisioning_total{result="retry"}'] == 1
    assert found["streaming_provisioning_seconds_count"] == 1
    assert found['streaming_provisioning_seconds_bucket{le="5.0"}'] == 1
    assert found['streaming_upload_events_total{result="created"}'] == 1
    assert found['streaming_introspection_total{result="cached"}'] == 1
    assert found['streaming_deliveries_total{endpoint="bigquery",result="delivered"}'] == 1
    assert found['streaming_channels{status="ready"}'] == 5
    assert found['streaming_outbox_pending{endpoint="bigquery"}'] == 7
    assert found["streaming_outbox_oldest_seconds"] == 12.5
    assert found["streaming_dead_letters"] == 3
    assert found['streaming_breaker_state{service="auth"}'] == 2
    assert found['streaming_channels_waiting{classification="reel"}'] == 4
    assert found['streaming_origin_channels{origin="default"}'] == 3
    assert found['streaming_origin_capacity{origin="default"}'] == 5


def test_origins_that_have_left_are_shown_no_more() -> None:
    metrics = Metrics()
    metrics.origins({"old": 1, "new": 0}, {"old": 5, "new": 5})
    metrics.origins({"old": 1, "new": 0}, {"new": 5})
    metrics.origins({"new": 0}, {"new": 5})
    found = samples(metrics)

    assert {name for name in found if "origin_" in name} == {
        'streaming_origin_channels{origin="new"}',
        'streaming_origin_capacity{origin="new"}',
    }


def test_manifest_requests_are_counted_by_result_and_put_into_buckets() -> None:
    metrics = Metrics()
    for result, milliseconds in (("ok", 0.05), ("ok", 0.1), ("ok", 0.3), ("no_token", 5000.0)):
        metrics.manifest.observe(result, milliseconds)
    found = samples(metrics)

    assert found['streaming_manifest_requests_total{result="ok"}'] == 3
    assert found['streaming_manifest_requests_total{result="no_token"}'] == 1
    assert found['streaming_manifest_latency_ms_bucket{le="0.1"}'] == 2
    assert found['streaming_manifest_latency_ms_bucket{le="0.5"}'] == 3
    assert found['streaming_manifest_latency_ms_bucket{le="2000.0"}'] == 3
    assert found['streaming_manifest_latency_ms_bucket{le="+Inf"}'] == 4
    assert found["streaming_manifest_latency_ms_count"] == 4
    assert found["streaming_manifest_latency_ms_sum"] == pytest.approx(5000.45)


def test_warm_ups_are_counted_by_region_and_result() -> None:
    metrics = Metrics()
    metrics.warmed("iad", "warmed", 12)
    metrics.warmed("iad", "failed", 1)
    found = samples(metrics)

    assert found['streaming_cdn_warmup_total{region="iad",result="warmed"}'] == 12
    assert found['streaming_cdn_warmup_total{region="iad",result="failed"}'] == 1


def test_latency_buckets_reach_from_a_tenth_to_two_thousand() -> None:
    assert (LATENCY_BUCKETS_MS[0], LATENCY_BUCKETS_MS[-1]) == (0.1, 2000.0)
    assert list(LATENCY_BUCKETS_MS) == sorted(LATENCY_BUCKETS_MS)


def test_a_meter_that_saw_nothing_can_be_scraped() -> None:
    assert [metric.name for metric in ManifestMeter().collect()] == [
        "streaming_manifest_requests",
        "streaming_manifest_latency_ms",
    ]


def test_every_process_has_its_own_registry() -> None:
    first, second = Metrics(), Metrics()
    first.upload_event("created")

    assert 'streaming_upload_events_total{result="created"}' not in samples(second)


def test_a_scrape_also_tells_about_the_process_and_has_no_companions() -> None:
    metrics = Metrics()
    metrics.upload_event("created")
    text = generate_latest(metrics.registry).decode()

    assert "process_resident_memory_bytes" in text
    assert "python_gc_objects_collected_total" in text
    assert "_created" not in text
    assert generate_openmetrics(metrics.registry).decode().endswith("# EOF\n")


# -- failover ---------------------------------------------------------------------------------------------------------


def test_where_viewers_are_sent_is_asked_at_each_scrape() -> None:
    metrics, share, contents = Metrics(), [0.25], {"promoted": 2, "returning": 0}
    metrics.watch_failover(lambda: share[0], lambda: contents)
    text = generate_latest(metrics.registry).decode()
    assert 'streaming_failover_state{target="failover"} 0.25' in text
    assert 'streaming_failover_state{target="primary"} 0.75' in text
    assert 'streaming_failover_contents{state="promoted"} 2.0' in text

    share[0], contents["returning"] = 1.0, 7
    text = generate_latest(metrics.registry).decode()
    assert 'streaming_failover_state{target="primary"} 0.0' in text
    assert 'streaming_failover_contents{state="returning"} 7.0' in text


def test_without_a_failover_nothing_is_shown_of_it() -> None:
    assert b"streaming_failover" not in generate_latest(Metrics().registry)
