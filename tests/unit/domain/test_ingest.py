"""Keys: how they are made, how long they are good, and who came with which."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streaming_service.domain.channel import Channel, accepted
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.ingest import (
    came_with_older_keys,
    connected,
    disconnected,
    previous_key_valid_until,
    publisher_of,
    revoked,
    rotated,
)
from streaming_service.domain.ingest_key import SECRET_BYTES, admits, content_of, digest, make_key
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.publisher import Publisher
from streaming_service.domain.spec import ChannelSpec
from streaming_service.errors import IllegalTransition
from tests.fakes import NOW

CONTENT = str(uuid4())
GRACE = timedelta(seconds=300)
SPEC = ChannelSpec(
    content_id=CONTENT,
    classification=Classification.REEL,
    source_uri="gs://uploads/slate.mp4",
    media_path="uploads/slate.mp4",
    checksum="sum",
    application="reels",
    protocol=Protocol.LL_HLS,
    rungs=parse_ladder("720p|1280x720|2500").rungs,
    live=True,
)


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def keyed(*moments: float) -> Channel:
    """A live channel whose keys `key-0`, `key-1`… were made so many seconds from now."""
    channel = accepted(SPEC, NOW, NOW)
    for number, moment in enumerate(moments):
        channel = rotated(channel, digest(f"key-{number}"), NOW + after(moment), GRACE)
    return channel


def good(channel: Channel, moment: float) -> list[str]:
    names = [f"key-{number}" for number in range(4)]
    return [name for name in names if admits(channel.ingest, name, NOW + after(moment))]


@given(st.uuids(), st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES))
def test_a_key_tells_its_content_and_nothing_else(content: object, secret: bytes) -> None:
    key = make_key(str(content), secret)
    assert content_of(key) == str(content)
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert len(key) < 200, "OME's names are no longer"


@pytest.mark.parametrize("text", ["", "key", "a" * 32, "a" * 32 + "-", "G" * 32 + "-" + "a" * 32, "\ud800"])
def test_what_is_no_key(text: str) -> None:
    assert content_of(text) is None


def test_the_previous_key_is_good_for_the_grace_alone() -> None:
    channel = keyed(0, 10)
    assert good(channel, 10) == ["key-0", "key-1"]
    assert good(channel, 309.9) == ["key-0", "key-1"]
    assert good(channel, 310) == ["key-1"]
    assert previous_key_valid_until(channel) == NOW + after(310)
    assert previous_key_valid_until(keyed(0)) is None


def test_another_rotation_prolongs_nothing() -> None:
    channel = keyed(0, 10, 200)
    assert good(channel, 309.9) == ["key-0", "key-1", "key-2"]
    assert good(channel, 310) == ["key-1", "key-2"]
    assert good(channel, 500) == ["key-2"]


def test_without_grace_the_old_one_is_void_at_once() -> None:
    channel = rotated(keyed(0), digest("key-1"), NOW, timedelta(0))
    assert good(channel, 0) == ["key-1"]


def test_who_came_with_an_old_key_was_there_before_the_oldest_good_one() -> None:
    channel = keyed(0, 10, 200)
    assert came_with_older_keys(channel, NOW + after(310)) == NOW + after(10), "key-1 is in its grace: it stays"
    assert came_with_older_keys(channel, NOW + after(500)) == NOW + after(200)
    assert came_with_older_keys(accepted(SPEC, NOW, NOW), NOW) is None


def test_revoked_keys_are_forgotten() -> None:
    channel = revoked(keyed(0, 10), NOW + after(310))
    assert [key.digest for key in channel.ingest] == [digest("key-1")]
    with pytest.raises(IllegalTransition):
        revoked(channel, NOW + after(310))


def test_a_retired_content_has_no_keys_and_gets_none() -> None:
    retired = connected(keyed(0), someone(), NOW).retired(NOW)
    assert (retired.ingest, retired.publishers) == ((), ())
    with pytest.raises(IllegalTransition):
        rotated(retired, "digest", NOW, GRACE)


def someone(port: int = 1, **changes: object) -> Publisher:
    return replace(Publisher("192.0.2.7", port, "rtmp", NOW), **changes)


def test_publishers_come_once_and_go_once() -> None:
    channel = connected(keyed(0), someone(), NOW)
    assert connected(channel, someone(), NOW) is channel
    assert publisher_of(channel, NOW) == someone()
    gone = disconnected(channel, "192.0.2.7", 1, NOW)
    assert publisher_of(gone, NOW) is None
    assert disconnected(gone, "192.0.2.7", 1, NOW) is gone


def test_a_second_one_is_refused_by_ome_and_does_not_take_the_place_of_the_first() -> None:
    channel = connected(connected(keyed(0), someone(1), NOW), someone(2), NOW)
    assert publisher_of(channel, NOW) == someone(1)
    assert publisher_of(disconnected(channel, "192.0.2.7", 2, NOW), NOW) == someone(1)
    assert publisher_of(disconnected(channel, "192.0.2.7", 1, NOW), NOW) == someone(2)


def test_who_came_with_an_old_key_is_gone_after_its_grace() -> None:
    channel = connected(keyed(0), someone(until=NOW + GRACE), NOW)
    assert publisher_of(channel, NOW + after(299)) is not None
    assert publisher_of(channel, NOW + GRACE) is None
    later = connected(channel, someone(2), NOW + GRACE)
    assert [item.port for item in later.publishers] == [2]


def test_publishers_who_never_say_goodbye_do_not_pile_up() -> None:
    channel = keyed(0)
    for port in range(100):
        channel = connected(channel, someone(port), NOW)
    assert len(channel.publishers) == 8
    assert channel.publishers[-1].port == 99


def test_nobody_pushes_to_what_is_not_live() -> None:
    uploaded = accepted(replace(SPEC, live=False), NOW, NOW)
    assert connected(uploaded, someone(), NOW) is uploaded
