"""`hmac`: signed prefixes for an edge that you own.

The canonical form is ours; docs/signing.md describes it and gives a verifier in a few lines. HMAC-SHA256 over these
six parts, each preceded by its length in bytes (four bytes, big endian), so that no two of them can be confused:

    "streaming-service-hmac-v1", key id, expiry (Unix seconds, decimal), session or nothing, host, path prefix

The host is as in the Host header: lower case, with a port unless that is the scheme's own. In the URL stand
`PathPrefix` and `Signature` (base64url without padding), `Expires`, `KeyName` and, where there is one, `Session`.
"""

import hmac
import re

from streaming_service.domain.signing.forms import (
    decode,
    decode_text,
    encode,
    in_time,
    is_below,
    parts_of,
    without_default_port,
)
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import PrefixGrant, Verdict
from streaming_service.errors import InvalidInput

VERSION = "streaming-service-hmac-v1"
FIELDS = ["PathPrefix", "Expires", "KeyName", "Session", "Signature"]
_WITHOUT_SESSION = [name for name in FIELDS if name != "Session"]
_SESSION = re.compile(r"[A-Za-z0-9._~-]{0,64}")


class HmacSigner:
    """The fields as query parameters, together and in this order."""

    binds_session = True

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sign(self, prefix: str, expires: int, session: str = "") -> PrefixGrant:
        """Grant every URL below `prefix` until `expires`, to `session` if there is one.

        Raises InvalidInput for a session that a URL would have to escape; UUIDs never are.
        """
        if not _SESSION.fullmatch(session):
            raise InvalidInput("session", "is not up to 64 letters, digits or any of . _ ~ -")
        key = self._keyring.active
        scheme, authority, path = parts_of(prefix)
        signature = _sign(key, str(expires), session, without_default_port(scheme, authority), path)
        named = f"&Session={session}" if session else ""
        fields = f"PathPrefix={encode(path.encode())}&Expires={expires}&KeyName={key.id}{named}"
        return PrefixGrant(prefix, f"{fields}&Signature={encode(signature)}")

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        """Check the fields for the URL's own host."""
        del cookies
        if not url.isascii():
            return Verdict.MALFORMED
        parts = [part.partition("=") for part in url.partition("?")[2].split("&")]
        names = [name for name, _, _ in parts]
        if "PathPrefix" not in names:
            return Verdict.UNSIGNED
        start = names.index("PathPrefix")
        wanted = FIELDS if names[start + 3 : start + 4] == ["Session"] else _WITHOUT_SESSION
        end = start + len(wanted)
        if names[start:end] != wanted:
            return Verdict.MALFORMED
        return self._check({name: value for name, _, value in parts[start:end]}, url, now)

    def _check(self, fields: dict[str, str], url: str, now: int) -> Verdict:
        scheme, authority, path = parts_of(url)
        prefix, signature = decode_text(fields["PathPrefix"]), decode(fields["Signature"])
        padded = any(fields[name].endswith("=") for name in ("PathPrefix", "Signature"))
        if prefix is None or signature is None or padded or fields.get("Session") == "":
            return Verdict.MALFORMED  # each of them is another spelling of the same message
        key = self._keyring.find(fields["KeyName"], now)
        if key is None:
            return Verdict.UNKNOWN_KEY
        host = without_default_port(scheme, authority)
        if not hmac.compare_digest(_sign(key, fields["Expires"], fields.get("Session", ""), host, prefix), signature):
            return Verdict.WRONG_SIGNATURE
        return in_time(fields["Expires"], now) if is_below(path, prefix) else Verdict.OTHER_PATH


def _sign(key: SigningKey, expires: str, session: str, host: str, prefix: str) -> bytes:
    parts = (VERSION, key.id, expires, session, host, prefix)
    encoded = (part.encode() for part in parts)
    return hmac.digest(key.secret, b"".join(len(part).to_bytes(4, "big") + part for part in encoded), "sha256")
