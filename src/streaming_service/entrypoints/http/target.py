"""A request's head as ASGI sees it: https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope"""

from typing import Any
from urllib.parse import unquote

import httptools

from streaming_service.entrypoints.http.asgi import Headers

VERSIONS = ("1.0", "1.1")


def scope_of(
    method: str,
    url: bytes,
    version: str,
    headers: Headers,
    *,
    client: tuple[str, int] | None,
    server: tuple[str, int],
) -> dict[str, Any] | None:
    """None when the request is none that HTTP/1.1 knows (RFC 9112, 3.2)."""
    hosts = sum(1 for name, _ in headers if name == b"host")
    if version not in VERSIONS or hosts > 1 or (not hosts and version == "1.1"):
        return None
    try:
        target = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return None
    path: bytes = target.path or b"/"
    if path[:1] != b"/":
        return None
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": version,
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": target.query or b"",
        "root_path": "",
        "headers": headers,
        "client": client,
        "server": server,
        "extensions": {},
    }


def address_of(found: Any) -> tuple[str, int] | None:
    """Of what a socket says; of IPv6 without flow and scope."""
    return (found[0], found[1]) if found else None
