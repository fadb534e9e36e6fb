"""Addresses that encoders publish to, in every spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.ingest_url import IngestAddresses, addresses, rewritten, target_of

PATHS = [
    ("rtmp://h:1935/reels/KEY", "rtmp://h:1935/reels/name"),
    ("rtmp://h:1935/reels/KEY?streamKey=a%20b&x=y%2Fz", "rtmp://h:1935/reels/name?streamKey=a%20b&x=y%2Fz"),
    ("rtmp://h/reels/KEY/more", "rtmp://h/reels/name"),
    ("rtmp://[::1]:1935/reels/KEY", "rtmp://[::1]:1935/reels/name"),
    # As OME asks about SRT, whatever the encoder's streamid looked like.
    ("srt://default/reels/KEY", "srt://default/reels/name"),
    ("srt://h:9999/reels/KEY?mode=caller", "srt://h:9999/reels/name?mode=caller"),
    ("http://h:3333/reels/KEY?direction=whip", "http://h:3333/reels/name?direction=whip"),
    ("https://h:3334/reels/KEY?direction=whip&transport=tcp", "https://h:3334/reels/name?direction=whip&transport=tcp"),
    ("ws://h:3333/reels/KEY?direction=send", "ws://h:3333/reels/name?direction=send"),
]
STREAM_IDS = [
    "default/reels/KEY",
    "default%2Freels%2FKEY",
    "default%2freels%2fKEY",
    "default%252Freels%252FKEY",
    "srt%3A%2F%2Fdefault%2Freels%2FKEY",
    "srt://default/reels/KEY",
]


@pytest.mark.parametrize(("url", "new_url"), PATHS)
def test_the_stream_in_a_path(url: str, new_url: str) -> None:
    assert target_of(url) == ("reels", "KEY")
    assert rewritten(url, "name") == new_url


@pytest.mark.parametrize("stream_id", STREAM_IDS)
@pytest.mark.parametrize(
    "form", ["srt://h:9999/?streamid={}", "srt://h:9999?streamid={}&latency=200", "SRT://h?StreamID={}"]
)
def test_the_stream_in_a_stream_id(form: str, stream_id: str) -> None:
    url = form.format(stream_id)
    assert target_of(url) == ("reels", "KEY")
    assert rewritten(url, "name").lower() == "srt://default/reels/name", "OME takes the path form alone as new_url"


@pytest.mark.parametrize(
    "url", ["", "rtmp", "rtmp://h", "rtmp://h/reels", "srt://h?streamid=", "srt://[h?streamid=a/b/c"]
)
def test_nothing_is_named(url: str) -> None:
    assert target_of(url)[1] == ""


@given(st.text(max_size=60))
def test_no_url_is_too_strange(text: str) -> None:
    for url in (text, f"srt://h?streamid={text}", f"rtmp://{text}"):
        target_of(url)
        rewritten(url, "name")


def test_addresses_for_encoders() -> None:
    bases = ("rtmp://h:1935/", "srt://h:9999", "https://h:3334")
    assert addresses(bases, "default", "reels", "KEY") == IngestAddresses(
        rtmp="rtmp://h:1935/reels",
        srt="srt://h:9999?streamid=default%2Freels%2FKEY",
        whip="https://h:3334/reels/KEY?direction=whip",
    )
    assert addresses(["rtmps://h"], "default", "reels", "KEY") == IngestAddresses(rtmp="rtmps://h/reels")
    assert addresses([], "default", "reels", "KEY") == IngestAddresses()


def test_what_is_handed_out_is_understood() -> None:
    made = addresses(("rtmp://h", "srt://h:9999", "http://h:3333"), "default", "reels", "KEY")
    assert made.srt
    assert made.whip
    assert {target_of(f"{made.rtmp}/KEY"), target_of(made.srt), target_of(made.whip)} == {("reels", "KEY")}
