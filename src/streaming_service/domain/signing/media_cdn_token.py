"""Google Media CDN's short-duration tokens, the text behind `edge-cache-token=`.

Algorithm: https://cloud.google.com/media-cdn/docs/generate-tokens
Fields joined by `~`: what is granted, `Expires`, and a seal over both. The seal is `Signature=` (Ed25519, base64url
without padding) or `hmac=` (HMAC, hexadecimal).
"""

import hmac
import re
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from streaming_service.domain.signing.forms import decode, decode_text, encode, has_dots, is_below, number, parts_of
from streaming_service.domain.signing.keyring import SigningKey
from streaming_service.domain.signing.scheme import Verdict


class Algorithm(StrEnum):
    """How a token is sealed. SHA-1 is there for CDNs that know nothing else; the settings do not offer it."""

    ED25519 = "ed25519"
    HMAC_SHA256 = "hmac-sha256"
    HMAC_SHA1 = "hmac-sha1"


class Scope(StrEnum):
    """What a token is good for: everything below a URL, what paths look like, or one path."""

    URL_PREFIX = "URLPrefix"
    PATH_GLOBS = "PathGlobs"
    FULL_PATH = "FullPath"


class Seal:
    """Seals text and checks seals. Ed25519 keys are 32 bytes, the private one; it is expanded once."""

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._private: dict[bytes, Ed25519PrivateKey] = {}

    def make(self, key: SigningKey, text: str) -> str:
        """`Signature=…` or `hmac=…` for ASCII text."""
        if self._algorithm is Algorithm.ED25519:
            return f"Signature={encode(self._ed25519(key).sign(text.encode()))}"
        digest = "sha1" if self._algorithm is Algorithm.HMAC_SHA1 else "sha256"
        return f"hmac={hmac.digest(key.secret, text.encode(), digest).hex()}"

    def fits(self, key: SigningKey, text: str, seal: str) -> bool:
        """Was this seal made with this key for this text? Both ASCII; any text gets an answer."""
        if self._algorithm is not Algorithm.ED25519:
            return hmac.compare_digest(self.make(key, text).encode(), seal.encode())
        name, _, value = seal.partition("=")
        signature = decode(value)
        if name != "Signature" or signature is None or value.endswith("="):
            return False
        try:
            self._ed25519(key).public_key().verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True

    def _ed25519(self, key: SigningKey) -> Ed25519PrivateKey:
        private = self._private.get(key.secret)
        if private is None:
            private = self._private[key.secret] = Ed25519PrivateKey.from_private_bytes(key.secret)
        return private


class Token(Struct, frozen=True):
    """A token taken apart. `value` is the scope's as it stands in the token, empty for a full path."""

    scope: Scope
    value: str
    expires: int
    seal: str

    def signed(self, path: str) -> str:
        """The text that was sealed, if the token was made for this path. A full path is in the seal alone."""
        value = path if self.scope is Scope.FULL_PATH else self.value
        return f"{self.scope}={value}~Expires={self.expires}"

    def covers(self, target: str) -> bool:
        """Is the address (absolute, without query) within the scope?"""
        path = parts_of(target)[2]
        match self.scope:
            case Scope.URL_PREFIX:
                prefix = decode_text(self.value)
                return prefix is not None and is_below(target, prefix)
            case Scope.PATH_GLOBS:
                return not has_dots(path) and any(_matches(glob, path) for glob in re.split("[,!]", self.value))
            case Scope.FULL_PATH:
                return True  # the seal fits no other path

    def judge(self, target: str, now: int) -> Verdict:
        """What is left to ask once the seal fits."""
        if not self.covers(target):
            return Verdict.OTHER_PATH
        return Verdict.VALID if self.expires > now else Verdict.EXPIRED


def make_token(seal: Seal, key: SigningKey, scope: Scope, value: str, expires: int) -> str:
    """A token. `value` is a URL prefix, globs as `/tv/*,/film/*`, or a path that begins with `/`."""
    written = encode(value.encode()) if scope is Scope.URL_PREFIX else value
    sealed = seal.make(key, f"{scope}={written}~Expires={expires}")
    shown = scope.value if scope is Scope.FULL_PATH else f"{scope}={written}"
    return f"{shown}~Expires={expires}~{sealed}"


def parse_token(text: str) -> Token | None:
    """None when the text is no token of ours. Media CDN knows more fields (addresses, headers, a start); a verifier
    that does not check them must not let them pass."""
    fields = text.split("~")
    if len(fields) != 3:
        return None
    name, mark, value = fields[0].partition("=")
    field, _, written = fields[1].partition("=")
    expires = number(written)
    if name not in set(Scope) or field != "Expires" or expires is None or str(expires) != written:
        return None
    scope = Scope(name)
    if bool(mark) is (scope is Scope.FULL_PATH):
        return None
    return Token(scope, value, expires, fields[2])


def _matches(glob: str, path: str) -> bool:
    """`*` is anything, `?` one character that is no slash."""
    signs = {"*": ".*", "?": "[^/]"}
    return re.fullmatch("".join(signs.get(sign) or re.escape(sign) for sign in glob), path, re.DOTALL) is not None
