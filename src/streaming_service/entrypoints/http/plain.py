"""Plain manifest requests, read without a parser.

Nearly every request to this service is the same few lines. A request is plain when its bytes are exactly one complete
GET or HEAD of the manifest route by HTTP/1.1, with one Host and nothing that could have a second meaning. Everything
else goes to llhttp unchanged, so that there is one definition of HTTP: what is plain here, llhttp reads the same.
"""

import re
from typing import TypeAlias

LONGEST = 8192

_LINE = re.compile(
    r"(GET|HEAD) (/v1/streams/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/manifest)"
    r"(?:\?([A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*))? HTTP/1\.1\r\n"  # RFC 3986, query
).match
# RFC 9110, 5.5 and 5.6.2, but visible ASCII and spaces alone.
_HEADERS = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([ -~]*)\r\n").findall

_NOTHING, _HOST, _TOKEN, _CORRELATION, _FORWARDED, _CONNECTION, _UNUSUAL = range(7)
_MEANINGS = {
    "host": _HOST,
    "authorization": _TOKEN,
    "x-correlation-id": _CORRELATION,
    "x-forwarded-for": _FORWARDED,
    "connection": _CONNECTION,
    "proxy-connection": _UNUSUAL,
    "keep-alive": _UNUSUAL,
    "content-length": _UNUSUAL,
    "transfer-encoding": _UNUSUAL,
    "te": _UNUSUAL,
    "trailer": _UNUSUAL,
    "expect": _UNUSUAL,
    "upgrade": _UNUSUAL,
    "http2-settings": _UNUSUAL,
}
# Clients write a name in one or two ways each; a name that somebody makes up every time is looked up slowly.
_SPELLINGS_KEPT = 1024


# Method, path, content id, query without its question mark, the headers authorization, x-correlation-id and
# x-forwarded-for as they were sent. A tuple without a name: that costs half.
PlainRequest: TypeAlias = tuple[str, str, str, str, str | None, str | None, str | None]


class PlainReader:
    """Reads plain requests; remembers how names are spelled."""

    def __init__(self) -> None:
        self._meanings = dict(_MEANINGS)

    def read(self, data: bytes) -> PlainRequest | None:
        """None when these bytes are anything else than one plain request."""
        text = data.decode("latin-1")
        line = _LINE(text)
        if line is None or len(text) > LONGEST:
            return None
        start = line.end()
        found = _HEADERS(text, start)
        # Each match was its name, a colon, its value and the line's end; the empty line is what must be left. So
        # nothing stands between or behind them that is no header.
        length = start + 3 * len(found) + 2
        hosts = 0
        authorization = correlation_id = forwarded = None
        meanings = self._meanings
        for name, value in found:
            length += len(name) + len(value)
            meaning = meanings[name] if name in meanings else self._learn(name)
            if meaning == _NOTHING:
                continue
            if meaning == _HOST:
                hosts += 1
            elif meaning == _TOKEN and authorization is None:
                authorization = value.strip(" ")
            elif meaning == _CORRELATION and correlation_id is None:
                correlation_id = value.strip(" ")
            elif meaning == _FORWARDED and forwarded is None:
                forwarded = value.strip(" ")
            elif meaning != _CONNECTION or value.strip(" ").lower() != "keep-alive":
                return None
        if hosts != 1 or length != len(text) or text[-4:] != "\r\n\r\n":
            return None
        method, path, content_id, query = line.groups()
        return method, path, content_id, query or "", authorization, correlation_id, forwarded

    def _learn(self, name: str) -> int:
        meaning = _MEANINGS.get(name.lower(), _NOTHING)
        if len(self._meanings) < _SPELLINGS_KEPT:
            self._meanings[name] = meaning
        return meaning
