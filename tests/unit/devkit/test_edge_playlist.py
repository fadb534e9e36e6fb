"""Grants on every URI of a playlist, and on nobody else's."""

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.devkit.edge_forms import appending
from streaming_service.devkit.edge_playlist import authorize_children

GRANT = "URLPrefix=a==&Expires=1&KeyName=k&Signature=s-_="
BASE = "http://127.0.0.1:4999"

MULTIVARIANT = """#EXTM3U
#EXT-X-VERSION:10
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",URI="chunklist_1.m3u8?session=1"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes.m3u8"
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://key"
#EXT-X-STREAM-INF:BANDWIDTH=2500000,RESOLUTION=1280x720,AUDIO="audio"
chunklist_0.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1500000,RESOLUTION=854x480
../other/chunklist.m3u8?x=y
"""

MEDIA = """#EXTM3U\r
#EXT-X-TARGETDURATION:2\r
#EXT-X-MAP:URI="init.m4s",BYTERANGE="10@0"\r
#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/k",IV=0x1\r
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\r
#EXT-X-PART:DURATION=0.5,URI="part_1.m4s",INDEPENDENT=YES\r
#EXTINF:2.0,a title, with URI="not-a-uri"\r
/reels/s-1/seg_1.m4s\r
\r
# a comment, seg_9.m4s\r
#EXTINF:2.0,\r
http://127.0.0.1:4999/reels/s-1/seg_2.m4s#t=1\r
#EXTINF:2.0,\r
https://elsewhere.example/seg_3.m4s\r
#EXTINF:2.0,\r
//elsewhere.example/seg_4.m4s\r
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_2.m4s"\r
#EXT-X-RENDITION-REPORT:URI="../1/chunklist.m3u8",LAST-MSN=2\r
"""


def test_a_multivariant_playlist() -> None:
    assert authorize_children(MULTIVARIANT, appending(GRANT), BASE).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:10",
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",URI="chunklist_1.m3u8?session=1&{GRANT}"',
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes.m3u8?{GRANT}"',
        '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://key"',
        '#EXT-X-STREAM-INF:BANDWIDTH=2500000,RESOLUTION=1280x720,AUDIO="audio"',
        f"chunklist_0.m3u8?{GRANT}",
        "#EXT-X-STREAM-INF:BANDWIDTH=1500000,RESOLUTION=854x480",
        f"../other/chunklist.m3u8?x=y&{GRANT}",
    ]


def test_a_media_playlist() -> None:
    lines = authorize_children(MEDIA, appending(GRANT), BASE).split("\r\n")

    assert f'#EXT-X-MAP:URI="init.m4s?{GRANT}",BYTERANGE="10@0"' in lines
    assert '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/k",IV=0x1' in lines
    assert f'#EXT-X-PART:DURATION=0.5,URI="part_1.m4s?{GRANT}",INDEPENDENT=YES' in lines
    assert f"/reels/s-1/seg_1.m4s?{GRANT}" in lines
    assert "# a comment, seg_9.m4s" in lines
    assert f"http://127.0.0.1:4999/reels/s-1/seg_2.m4s?{GRANT}#t=1" in lines
    assert "https://elsewhere.example/seg_3.m4s" in lines
    assert "//elsewhere.example/seg_4.m4s" in lines
    assert f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part_2.m4s?{GRANT}"' in lines
    assert f'#EXT-X-RENDITION-REPORT:URI="../1/chunklist.m3u8?{GRANT}",LAST-MSN=2' in lines


def test_a_reader_of_playlists_finds_the_grants() -> None:
    playlist = m3u8.loads(authorize_children(MULTIVARIANT, appending(GRANT), BASE))

    assert [item.uri for item in playlist.playlists] == [
        f"chunklist_0.m3u8?{GRANT}",
        f"../other/chunklist.m3u8?x=y&{GRANT}",
    ]
    assert playlist.media[0].uri == f"chunklist_1.m3u8?session=1&{GRANT}"


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:49991/a", "http://127.0.0.1:4999", "data:text/plain,x", "HTTPS://x/"]
)
def test_other_hosts_never_see_a_grant(uri: str) -> None:
    assert authorize_children(uri, appending(GRANT), BASE) == uri


@given(st.text())
def test_no_text_loses_or_gains_a_line(text: str) -> None:
    assert len(authorize_children(text, appending(GRANT), BASE).splitlines()) == len(text.splitlines())
