"""Addresses that encoders publish to: as OME tells them in its webhooks, and as we hand them out."""

from collections.abc import Iterable
from urllib.parse import parse_qs, quote, unquote, urlsplit

from msgspec import Struct

_STREAM_ID = "streamid"
# An address inside an address is percent-encoded, and encoders encode what is encoded already.
_ENCODINGS = 3


class IngestAddresses(Struct, frozen=True, omit_defaults=True):
    """Where a key is good. `rtmp` is the server alone, to which encoders add the key; the others hold the key."""

    rtmp: str | None = None
    srt: str | None = None
    whip: str | None = None


def target_of(url: str) -> tuple[str, str]:
    """Application and stream that a URL names; empty where it names none.

    OME asks about SRT as `srt://vhost/app/stream`, whatever the encoder wrote; what an encoder writes, the same in a
    `streamid`, is understood, too.
    """
    parts = _plain(url).partition("?")[0].split("/")
    application, stream = (*parts[3:5], "", "")[:2]
    return application, stream


def rewritten(url: str, stream: str) -> str:
    """The same place under another stream name, with the query, as OME wants `new_url`: the name in the path."""
    path, mark, query = _plain(url).partition("?")
    return f"{'/'.join([*path.split('/')[:4], stream])}{mark}{query}"


def addresses(bases: Iterable[str], vhost: str, application: str, key: str) -> IngestAddresses:
    """`bases` are where OME takes each protocol, such as `rtmp://ome:1935`, `srt://ome:9999`, `https://ome:3334`."""
    by_scheme = {base.partition("://")[0].removesuffix("s"): base.rstrip("/") for base in bases}
    rtmp, srt, http = by_scheme.get("rtmp"), by_scheme.get("srt"), by_scheme.get("http")
    return IngestAddresses(
        rtmp=rtmp and f"{rtmp}/{application}",
        srt=srt and f"{srt}?{_STREAM_ID}={quote(f'{vhost}/{application}/{key}', safe='')}",
        whip=http and f"{http}/{application}/{key}?direction=whip",
    )


def _plain(url: str) -> str:
    """The URL with application and stream in its path."""
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "srt" or _STREAM_ID not in rest.lower():
        return url
    try:
        asked = {name.lower(): values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    except ValueError:
        return url
    named = asked.get(_STREAM_ID, "")
    for _ in range(_ENCODINGS):
        named = unquote(named)
    return f"{scheme}{separator}{named.removeprefix('srt://')}" if named else url
