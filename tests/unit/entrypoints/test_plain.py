"""What is plain, and that llhttp agrees."""

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streaming_service.entrypoints.http.plain import LONGEST, PlainReader, PlainRequest

CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
PATH = f"/v1/streams/{CONTENT}/manifest"
LINE = f"GET {PATH} HTTP/1.1\r\n".encode()
HOST = b"Host: x\r\n"


def read(data: bytes) -> PlainRequest | None:
    return PlainReader().read(data)


def test_a_players_request_is_plain() -> None:
    data = (
        f"GET {PATH}?quality=720p&geo=DE HTTP/1.1\r\nhost: api.example:4900\r\nAUTHORIZATION:  Bearer abc  \r\n"
        "X-Correlation-ID: Trace-1\r\nConnection: Keep-Alive\r\nAccept: */*\r\nx-empty:\r\n\r\n"
    )
    assert read(data.encode()) == ("GET", PATH, CONTENT, "quality=720p&geo=DE", "Bearer abc", "Trace-1", None)
    assert read(b"HEAD" + LINE[3:] + HOST + b"\r\n") == ("HEAD", PATH, CONTENT, "", None, None, None)
    assert read(LINE[:-11] + b"? HTTP/1.1\r\n" + HOST + b"\r\n") == ("GET", PATH, CONTENT, "", None, None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        LINE,
        LINE + HOST,
        LINE + HOST + b"\r",
        LINE + b"\r\n",
        LINE + HOST + HOST + b"\r\n",
        LINE + HOST + b"\r\n\r\n",
        LINE + HOST + b"\r\nx",
        (LINE + HOST + b"\r\n") * 2,
        b"\r\n" + LINE + HOST + b"\r\n",
        b" " + LINE + HOST + b"\r\n",
        LINE.replace(b"GET", b"get") + HOST + b"\r\n",
        LINE.replace(b"GET", b"POST") + HOST + b"\r\n",
        LINE.replace(b"1.1", b"1.0") + HOST + b"\r\n",
        LINE.replace(b"\r\n", b"\n") + b"Host: x\n\n",
        LINE + HOST.replace(b"\r", b"") + b"\r\n",
        LINE.replace(b" H", b"  H") + HOST + b"\r\n",
        LINE.replace(b" H", b"\tH") + HOST + b"\r\n",
        LINE.replace(b" H", b"?a#b H") + HOST + b"\r\n",
        LINE.replace(b" H", b"?a b H") + HOST + b"\r\n",
        LINE.replace(b" H", b'?a"b H') + HOST + b"\r\n",
        LINE.replace(b" H", b"?a\x00 H") + HOST + b"\r\n",
        LINE.replace(b" H", b"?\xc3\xa9 H") + HOST + b"\r\n",
        LINE.replace(b"9b2e", b"9B2E") + HOST + b"\r\n",
        LINE.replace(b"/v1", b"http://x/v1") + HOST + b"\r\n",
        LINE.replace(b"/manifest", b"/manifest/") + HOST + b"\r\n",
        LINE.replace(b"/streams", b"/./streams") + HOST + b"\r\n",
        LINE.replace(b"/streams", b"/%73treams") + HOST + b"\r\n",
        LINE + HOST + b"Content-Length: 0\r\n\r\n",
        LINE + HOST + b"content-length: 5\r\n\r\nhello",
        LINE + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
        LINE + HOST + b"TRANSFER-ENCODING: identity\r\n\r\n",
        LINE + HOST + b"Expect: 100-continue\r\n\r\n",
        LINE + HOST + b"Upgrade: h2c\r\n\r\n",
        LINE + HOST + b"TE: trailers\r\n\r\n",
        LINE + HOST + b"Trailer: x\r\n\r\n",
        LINE + HOST + b"HTTP2-Settings: x\r\n\r\n",
        LINE + HOST + b"Keep-Alive: 5\r\n\r\n",
        LINE + HOST + b"Connection: close\r\n\r\n",
        LINE + HOST + b"Connection: keep-alive, upgrade\r\n\r\n",
        LINE + HOST + b"Connection:\r\n\r\n",
        LINE + HOST + b"Proxy-Connection: keep-alive\r\n\r\n",
        LINE + HOST + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
        LINE + HOST + b"X-Correlation-Id: a\r\nX-Correlation-Id: a\r\n\r\n",
        LINE + HOST + b" folded: x\r\n\r\n",
        LINE + HOST + b"A: b\r\n c\r\n\r\n",
        LINE + HOST + b"A: b\r\n\tc\r\n\r\n",
        LINE + b"Host : x\r\n\r\n",
        LINE + HOST + b"A\r\n\r\n",
        LINE + HOST + b": b\r\n\r\n",
        LINE + HOST + b"A(b): c\r\n\r\n",
        LINE + HOST + b"A: b\rc\r\n\r\n",
        LINE + HOST + b"A: b\nContent-Length: 5\r\n\r\n",
        LINE + HOST + b"A: b\x00\r\n\r\n",
        LINE + HOST + b"A: b\x7f\r\n\r\n",
        LINE + HOST + b"A: \xff\r\n\r\n",
        LINE + HOST + b"A:\tb\r\n\r\n",
        LINE + HOST + b"A: " + b"x" * LONGEST + b"\r\n\r\n",
    ],
)
def test_everything_odd_is_not(data: bytes) -> None:
    assert read(data) is None


class Told:
    """What llhttp makes of the same bytes."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = self.body = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_body(self, _: bytes) -> None:
        self.body += 1

    def on_message_complete(self) -> None:
        self.complete += 1


WHOLE = (
    f"GET {PATH}?quality=720p&x=y HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abc\r\n"
    "x-correlation-id: a-b\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: keep-alive\r\nUser-Agent: tv/1 (a; x)\r\n\r\n"
).encode()
PIECES = st.sampled_from(
    [
        *(bytes([number]) for number in (0, 9, 10, 13, 32, 35, 37, 58, 63, 127, 128, 255)),
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"Host: y\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Upgrade: x\r\n",
        b"Authorization: Bearer other\r\n",
        b"x-forwarded-for: 192.0.2.2\r\n",
        WHOLE,
        b"GET ",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 30), st.one_of(PIECES, st.binary(max_size=3))), max_size=3
    )
)
@example(changes=[])
def test_what_is_plain_means_the_same_to_llhttp(changes: list[tuple[int, int, bytes]]) -> None:
    data = WHOLE
    for start, length, piece in changes:
        data = data[:start] + piece + data[start + length :]
    found = read(data)
    if found is None:
        return
    method, path, content_id, query, authorization, correlation_id, forwarded = found
    told = Told()
    parser = httptools.HttpRequestParser(told)
    parser.feed_data(data)
    assert (told.complete, told.body, parser.should_keep_alive(), parser.should_upgrade()) == (1, 0, True, False)
    url = httptools.parse_url(told.url)
    assert (parser.get_method().decode(), parser.get_http_version()) == (method, "1.1")
    assert (url.path, url.query or b"", url.fragment) == (path.encode(), query.encode(), None)
    assert content_id in path
    said = dict(told.headers)
    single = {b"authorization": authorization, b"x-correlation-id": correlation_id, b"x-forwarded-for": forwarded}
    for name, value in {**single, b"host": "x"}.items():
        assert [key for key, _ in told.headers].count(name) == (value is not None)
    for name, value in single.items():
        assert said.get(name) == (None if value is None else value.encode())


def test_names_that_somebody_makes_up_are_not_remembered_for_ever() -> None:
    reader = PlainReader()
    for number in range(3000):
        assert reader.read(LINE + HOST + b"x-%d: y\r\n\r\n" % number)
    assert len(reader._meanings) <= 1024
    assert reader.read(LINE + HOST + b"CONTENT-length: 1\r\n\r\n") is None
