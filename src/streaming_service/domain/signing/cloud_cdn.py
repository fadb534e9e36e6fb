"""Google Cloud CDN signed URL prefixes.

Algorithm: https://cloud.google.com/cdn/docs/using-signed-urls#programmatically_creating_signed_urls_with_a_url_prefix
HMAC-SHA1 over `URLPrefix=…&Expires=…&KeyName=…`, base64url with padding, a 128-bit key.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha1
from urllib.parse import unquote

from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Grant, Verdict

KEY_BYTES = 16


class CloudCdnSigner:
    """`URLPrefix, Expires, KeyName, Signature` as query parameters."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sign(self, prefix: str, expires: int) -> Grant:
        """Grant every URL below `prefix` until `expires`."""
        key = self._keyring.active
        encoded = urlsafe_b64encode(prefix.encode()).decode()
        policy = f"URLPrefix={encoded}&Expires={expires}&KeyName={key.id}"
        return Grant(f"{policy}&Signature={_signature(key, policy)}")

    def verify(self, url: str, now: int) -> Verdict:
        """Check the four parameters as the CDN does: they must stand together, in this order."""
        target, _, query = url.partition("?")
        if not query.isascii():
            return Verdict.MALFORMED
        start = query.find("URLPrefix=")
        if start < 0 or (start and query[start - 1] != "&"):
            return Verdict.UNSIGNED
        parts = [part.partition("=") for part in query[start:].split("&")[:4]]
        if [name for name, _, _ in parts] != ["URLPrefix", "Expires", "KeyName", "Signature"]:
            return Verdict.MALFORMED
        encoded, expires, key_id, signature = (value for _, _, value in parts)
        key = self._keyring.find(key_id)
        if key is None:
            return Verdict.UNKNOWN_KEY
        policy = f"URLPrefix={encoded}&Expires={expires}&KeyName={key_id}"
        if not hmac.compare_digest(_signature(key, policy).encode(), signature.encode()):
            return Verdict.WRONG_SIGNATURE
        # Signed by us from here on, so both decode; the prefix ends in "/" and so cannot match a sibling's name.
        if not _is_below(target, urlsafe_b64decode(encoded).decode()):
            return Verdict.OTHER_PATH
        return Verdict.VALID if int(expires) > now else Verdict.EXPIRED


def _is_below(target: str, prefix: str) -> bool:
    """A server may decode %-escapes and take a backslash for a slash before it walks the path: so do we."""
    path = unquote(target.removeprefix(prefix)).replace("\\", "/")
    return target.startswith(prefix) and not any(part in {".", ".."} for part in path.split("/"))


def _signature(key: SigningKey, policy: str) -> str:
    return urlsafe_b64encode(hmac.new(key.secret, policy.encode(), sha1).digest()).decode()
