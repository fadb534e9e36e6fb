"""Google Cloud CDN signed URLs and signed URL prefixes.

Algorithm: https://cloud.google.com/cdn/docs/using-signed-urls#programmatically_creating_signed_urls
HMAC-SHA1 over `URLPrefix=…&Expires=…&KeyName=…`, base64url with padding, a 128-bit key. A signed URL without a prefix
is signed whole, up to and including its `KeyName`.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from streaming_service.domain.signing.forms import decode_text, in_time, is_below
from streaming_service.domain.signing.keyring import CLOUD_CDN_KEY_BYTES, Keyring, SigningKey
from streaming_service.domain.signing.scheme import PrefixGrant, Verdict

KEY_BYTES = CLOUD_CDN_KEY_BYTES
FIELDS = ["URLPrefix", "Expires", "KeyName", "Signature"]


class CloudCdnSigner:
    """`URLPrefix, Expires, KeyName, Signature` as query parameters."""

    binds_session = False

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sign(self, prefix: str, expires: int, session: str = "") -> PrefixGrant:
        """Grant every URL below `prefix` until `expires`."""
        del session
        return PrefixGrant(prefix, seal_prefix(self._keyring.active, prefix, expires, "&"))

    def sign_url(self, url: str, expires: int) -> str:
        """Grant this URL alone."""
        key = self._keyring.active
        policy = f"{url}{'&' if '?' in url else '?'}Expires={expires}&KeyName={key.id}"
        return f"{policy}&Signature={_signature(key, policy)}"

    def verify(self, url: str, now: int, cookies: str = "") -> Verdict:
        """Check the parameters as the CDN does: they must stand together, in this order."""
        del cookies
        target, _, query = url.partition("?")
        if not url.isascii():
            return Verdict.MALFORMED
        parts = query.split("&")
        names = [part.partition("=")[0] for part in parts]
        if "URLPrefix" in names:
            start = names.index("URLPrefix")
            return check_prefix(self._keyring, parts[start : start + 4], "&", target, now)
        if "Signature" not in names:
            return Verdict.UNSIGNED
        return self._check_url(url, parts, names, now)

    def _check_url(self, url: str, parts: Sequence[str], names: Sequence[str], now: int) -> Verdict:
        if names[-3:] != FIELDS[1:]:
            return Verdict.MALFORMED
        expires, key_id, signature = (part.partition("=")[2] for part in parts[-3:])
        key = self._keyring.find(key_id, now)
        if key is None:
            return Verdict.UNKNOWN_KEY
        if not _is_signed(key, url.rpartition("&")[0], signature):
            return Verdict.WRONG_SIGNATURE
        return in_time(expires, now)


def seal_prefix(key: SigningKey, prefix: str, expires: int, joint: str) -> str:
    """The four fields, joined by `joint`: `&` in a query, `:` in a cookie."""
    encoded = urlsafe_b64encode(prefix.encode()).decode()
    policy = joint.join((f"URLPrefix={encoded}", f"Expires={expires}", f"KeyName={key.id}"))
    return f"{policy}{joint}Signature={_signature(key, policy)}"


def check_prefix(keyring: Keyring, fields: Sequence[str], joint: str, target: str, now: int) -> Verdict:
    """Do the four fields, all of them ASCII, grant `target` (a URL without its query) at `now`?"""
    if [field.partition("=")[0] for field in fields] != FIELDS:
        return Verdict.MALFORMED
    encoded, expires, key_id, signature = (field.partition("=")[2] for field in fields)
    key = keyring.find(key_id, now)
    if key is None:
        return Verdict.UNKNOWN_KEY
    if not _is_signed(key, joint.join(fields[:3]), signature):
        return Verdict.WRONG_SIGNATURE
    prefix = decode_text(encoded)
    if prefix is None:
        return Verdict.MALFORMED
    return in_time(expires, now) if is_below(target, prefix) else Verdict.OTHER_PATH


def _is_signed(key: SigningKey, policy: str, signature: str) -> bool:
    return hmac.compare_digest(_signature(key, policy).encode(), signature.encode())


def _signature(key: SigningKey, policy: str) -> str:
    return urlsafe_b64encode(hmac.digest(key.secret, policy.encode(), "sha1")).decode()
