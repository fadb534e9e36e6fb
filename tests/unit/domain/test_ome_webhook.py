"""Webhooks as real servers sent them (v0.21), and everything that is not one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.ome_webhook import (
    Admission,
    Direction,
    ReplayGuard,
    is_fresh,
    parse_admission,
    parse_alert,
    parse_transcode,
    replay_key,
    sign,
    verify,
)
from streaming_service.errors import InvalidInput

RECORDS: list[dict[str, str]] = [
    json.loads(line) for line in (Path(__file__).parent / "ome_webhooks/recorded.jsonl").read_text().splitlines()
]
PARSERS: dict[str, Callable[[bytes], Any]] = {
    "admission": parse_admission,
    "transcode": parse_transcode,
    "alert": parse_alert,
}
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def recorded(hook: str, *words: str) -> bytes:
    """The first record of this kind whose body holds these words."""
    return next(
        item["body"].encode()
        for item in RECORDS
        if item["path"] == hook and all(word in item["body"] for word in words)
    )


# -- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["signature"])
def test_recorded_signatures_are_ours(record: dict[str, str]) -> None:
    body = record["body"].encode()
    assert sign(body, record["secret"]) == record["signature"]
    assert verify(body, record["signature"], [record["secret"]])
    assert not verify(body + b" ", record["signature"], [record["secret"]])
    assert not verify(body, record["signature"], ["another"])


def test_every_secret_of_a_rotation_counts() -> None:
    assert verify(b"{}", sign(b"{}", "old"), ["new", "old"])
    assert verify(b"{}", sign(b"{}", "new"), ["new", "old"])
    assert not verify(b"{}", sign(b"{}", "older"), ["new", "old"])


@pytest.mark.parametrize("signature", [None, "", "=", "ü", "\udcff", sign(b"{}", "s") + "=", sign(b"{}", "s").lower()])
def test_anything_else_is_no_signature(signature: str | None) -> None:
    assert not verify(b"{}", signature, ["s"])


def test_without_secrets_nobody_is_ome() -> None:
    assert not verify(b"{}", sign(b"{}", ""), [])


@given(st.binary(), st.text())
def test_no_signature_but_the_right_one_is_accepted(body: bytes, signature: str) -> None:
    assert verify(body, signature, ["secret"]) == (signature == sign(body, "secret"))


# -- time and repetition ----------------------------------------------------------------------------------------------


def test_freshness_looks_both_ways() -> None:
    for seconds, fresh in ((0, True), (60, True), (-60, True), (60.001, False), (-61, False)):
        assert is_fresh(NOW - timedelta(seconds=seconds), NOW, MINUTE) is fresh


def test_a_request_is_new_once_within_the_window() -> None:
    guard = ReplayGuard(MINUTE)
    key = replay_key(b"{}")
    assert guard.is_new(key, NOW)
    assert not guard.is_new(key, NOW + MINUTE)
    assert guard.is_new(replay_key(b"{} "), NOW + MINUTE)
    assert guard.is_new(key, NOW + MINUTE + timedelta(milliseconds=1))


def test_what_is_forgotten_is_new_again() -> None:
    guard = ReplayGuard(MINUTE)
    assert guard.is_new("a", NOW)
    guard.forget("a")
    guard.forget("never seen")
    assert guard.is_new("a", NOW)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), max_size=200))
def test_the_guard_never_holds_more_than_it_may(steps: list[tuple[int, int]]) -> None:
    guard, now = ReplayGuard(MINUTE, capacity=5), NOW
    for key, pause in steps:
        now += timedelta(seconds=pause)
        guard.is_new(key, now)
        assert len(guard) <= 5
        assert not guard.is_new(key, now)


# -- bodies -----------------------------------------------------------------------------------------------------------


def test_a_publisher_that_knocks() -> None:
    asked = parse_admission(recorded("admission", '"incoming"', '"opening"'))
    assert asked == Admission(
        direction=Direction.INCOMING,
        closing=False,
        protocol="rtmp",
        url="rtmp://127.0.0.1:1935/reels/live1?streamKey=abc",
        at=datetime(2026, 11, 22, 14, 33, 31, 560_000, tzinfo=UTC),
        address="127.0.0.1",
        port=54654,
        real_ip="127.0.0.1",
    )
    assert asked.target == ("reels", "live1")


def test_a_goodbye_carries_both_addresses() -> None:
    asked = parse_admission(recorded("admission", '"outgoing"', '"closing"'))
    assert (asked.closing, asked.direction, asked.protocol) == (True, Direction.OUTGOING, "llhls")
    assert asked.new_url == asked.url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("srt://h:9999/reels/key", ("reels", "key")),
        ("rtmp://h/reels", ("reels", "")),
        ("rtmp://h/reels/a/b", ("reels", "a")),
        ("h/reels/a", ("", "")),
        ("", ("", "")),
    ],
)
def test_targets(url: str, target: tuple[str, str]) -> None:
    assert Admission(Direction.INCOMING, closing=False, protocol="rtmp", url=url, at=NOW).target == target


def test_a_stream_that_begins() -> None:
    query = parse_transcode(recorded("transcode", '"landa"'))
    assert (query.application, query.stream, query.scheduled) == ("reels", "landa", True)
    assert (query.width, query.height, query.b_frames, query.audio) == (1280, 720, False, True)
    assert query.framerate == pytest.approx(24.9986, abs=1e-4)
    assert query.created_at == datetime(2026, 11, 22, 14, 25, 46, 912_000, tzinfo=UTC)


def test_what_ome_tells_of_other_sources() -> None:
    assert parse_transcode(recorded("transcode", '"b25"')).b_frames
    assert parse_transcode(recorded("transcode", '"mute"')).audio is False
    portrait = parse_transcode(recorded("transcode", '"port"'))
    assert (portrait.width, portrait.height) == (720, 1280)
    assert not parse_transcode(recorded("transcode", '"Rtmp"')).scheduled


def test_a_server_that_writes_every_value_as_a_string_is_understood() -> None:
    body = b"""{"stream": {"application": "reels", "name": "s", "createdTime": "2026-11-22T12:00:00.000+00:00",
        "sourceType": "Scheduled", "new": 1, "tracks": [{"type": "Video", "video": {"width": "640", "height": "360",
        "framerate": "25.0", "hasBframes": "true"}}]}}"""
    query = parse_transcode(body)
    assert (query.width, query.height, query.framerate, query.b_frames, query.audio) == (640, 360, 25.0, True, False)


def test_without_tracks_nothing_is_said_about_sound() -> None:
    body = b'{"stream": {"application": "a", "name": "s", "createdTime": "2026-11-22T12:00:00Z"}}'
    assert parse_transcode(body).audio is None


def test_an_alert() -> None:
    alert = parse_alert(recorded("alert", "INGRESS_BITRATE_LOW"))
    assert alert.codes == ("INGRESS_BITRATE_LOW", "INGRESS_BITRATE_HIGH")
    assert alert.source_uri == f"#default#reels/{alert.stream}"
    assert alert.kind == "INGRESS"
    assert alert.server


def test_the_same_trouble_has_the_same_key() -> None:
    body = recorded("alert", "INGRESS_BITRATE_LOW")
    shape = json.loads(body)
    shape["messages"][0]["description"] = "another number"
    shape["messages"].reverse()
    assert parse_alert(json.dumps(shape).encode()).key == parse_alert(body).key
    shape["sourceInfo"]["createdTime"] = "later"
    assert parse_alert(json.dumps(shape).encode()).key != parse_alert(body).key


@pytest.mark.parametrize("uri", ["", "#default", "#default#reels", "nonsense"])
def test_an_alert_about_no_stream(uri: str) -> None:
    assert parse_alert(json.dumps({"sourceUri": uri}).encode()).stream == ""


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"null", b"{}", b'{"request": 1}', b'{"stream": []}', b"[" * 9999]
)
@pytest.mark.parametrize("hook", PARSERS)
def test_what_is_not_ome_s_is_named(hook: str, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        PARSERS[hook](body)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"direction": "sideways"}, "request.direction"),
        ({"status": "ajar"}, "request.status"),
        ({"time": "yesterday"}, "request.time"),
        ({"time": "2026-11-22T12:00:00"}, "request.time"),
        ({"url": None}, "request.url"),
    ],
)
def test_the_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    shape = json.loads(recorded("admission", '"incoming"', '"opening"'))
    shape["request"] |= change
    with pytest.raises(InvalidInput) as caught:
        parse_admission(json.dumps(shape).encode())
    assert caught.value.field == field


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A recorded body with some of its values replaced by anything."""
    record = draw(st.sampled_from(RECORDS))
    shape = json.loads(record["body"])
    for _ in range(draw(st.integers(1, 3))):
        node: Any = shape
        while isinstance(node, dict | list) and node:
            key: Any = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if draw(st.booleans()) or not isinstance(node[key], dict | list):
                node[key] = draw(VALUES)
                break
            node = node[key]
    return record["path"], json.dumps(shape).encode()


def read(hook: str, body: bytes) -> None:
    """Parse and use all of it."""
    try:
        found = PARSERS[hook](body)
    except InvalidInput:
        return
    if isinstance(found, Admission):
        assert len(found.target) == 2
        is_fresh(found.at, NOW, MINUTE)
    elif hook == "transcode":
        is_fresh(found.created_at, NOW, MINUTE)
        assert 0 <= found.width <= 65535
        assert 0 <= found.height <= 65535
    else:
        assert hash(found.key) == hash(found.key)
        assert "/" not in found.stream


@given(mutations())
def test_mutated_bodies_meet_only_typed_errors(case: tuple[str, bytes]) -> None:
    read(*case)


@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=200))
def test_any_bytes_meet_only_typed_errors(hook: str, body: bytes) -> None:
    read(hook, body)
