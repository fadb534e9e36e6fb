"""How signatures are written down, and what lies below a prefix: what several schemes have in common."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import unquote

from streaming_service.domain.signing.scheme import Verdict

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_LONGEST_NUMBER = 15


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes | None:
    """The bytes of a base64url text, padded or not. None when it is anything else, or another spelling of one:
    a text that decodes to the same bytes is still not the text that was signed."""
    stripped = text.rstrip("=")
    try:
        data = urlsafe_b64decode(stripped + "=" * (-len(stripped) % 4))
    except ValueError:
        return None
    return data if encode(data) == stripped else None


def decode_text(text: str) -> str | None:
    """As `decode`, for ASCII text."""
    data = decode(text)
    return data.decode() if data is not None and data.isascii() else None


def number(text: str) -> int | None:
    """A whole number as our signers write it: digits alone, and not so many that they could not be a moment."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def in_time(expires: str, now: int) -> Verdict:
    """The last question, asked of what is signed: until when? Both Unix seconds."""
    moment = number(expires)
    if moment is None:
        return Verdict.MALFORMED
    return Verdict.VALID if moment > now else Verdict.EXPIRED


def is_below(target: str, prefix: str) -> bool:
    """Does the address lie below the prefix, whatever a server makes of its path?

    A server may decode %-escapes and take a backslash for a slash before it walks the path: so do we. The prefix ends
    in `/`, so that it never matches the start of a sibling's name.
    """
    return prefix.endswith("/") and target.startswith(prefix) and not has_dots(target.removeprefix(prefix))


def has_dots(path: str) -> bool:
    """Is there a `.` or `..` among the path's parts, in any spelling?"""
    return any(part in {".", ".."} for part in unquote(path).replace("\\", "/").split("/"))


def parts_of(url: str) -> tuple[str, str, str]:
    """Scheme, authority and path (without query) of an absolute URL; empty where there is none."""
    scheme, mark, rest = url.partition("?")[0].partition("://")
    if not mark:
        return "", "", ""
    authority, slash, path = rest.partition("/")
    return scheme, authority, slash + path


def with_port(scheme: str, authority: str) -> str:
    """`host:port`, the scheme's own port where none is written."""
    if has_port(authority) or scheme not in _DEFAULT_PORTS:
        return authority
    return f"{authority}:{_DEFAULT_PORTS[scheme]}"


def without_default_port(scheme: str, authority: str) -> str:
    """The authority as a browser sends it in Host: lower case, and the port only where it is not the scheme's own."""
    port = _DEFAULT_PORTS.get(scheme)
    lowered = authority.lower()
    return lowered.removesuffix(f":{port}") if port and has_port(lowered) else lowered


def has_port(authority: str) -> bool:
    """Is a port written? The colons of an IPv6 address stand in brackets."""
    return ":" in authority.rpartition("]")[2]
