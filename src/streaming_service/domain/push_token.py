"""The OpenID Connect token that Pub/Sub signs each push with: what it says, and what it has to say. Pure.

Whose signature it is, is for whoever has Google's keys to find out; nothing that a token says counts before that.
https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
"""

import math
import re
from base64 import urlsafe_b64decode
from typing import Any, cast

import msgspec
from msgspec import Struct

from streaming_service.errors import StreamingServiceError

# Clocks may differ by so many seconds.
SKEW = 60.0
_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
# The only one that Google signs with. One that says `none`, or makes the public key a shared secret, is a forgery.
_ALGORITHM = "RS256"
_LONGEST = 8192
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class InvalidToken(StreamingServiceError):
    """It is no token of Google's, or not a valid one, or no longer."""


class ForeignToken(StreamingServiceError):
    """Google's and valid, and meant for somebody else or made for another account."""


class Claims(Struct, frozen=True):
    """What we read of it. Moments in Unix seconds."""

    iss: str
    aud: str
    exp: float
    iat: float
    email: str = ""
    email_verified: bool = False
    nbf: float | None = None


class PushToken(Struct, frozen=True):
    """Taken apart, and not yet believed: `signature` is to be one of `signed` by the key that `key_id` names."""

    key_id: str
    signed: bytes
    signature: bytes
    claims: Claims


class Expected(Struct, frozen=True):
    """Whom it has to be meant for, and whose it has to be."""

    audience: str
    email: str


def take_apart(token: str) -> PushToken:
    """Raises InvalidToken, whatever it is given."""
    parts = token.split(".")
    if len(token) > _LONGEST or len(parts) != 3:
        raise InvalidToken("is not a signed token")
    header, body, signature = (_decoded(part) for part in parts)
    said = _object(header)
    if said.get("alg") != _ALGORITHM:
        raise InvalidToken(f"is not signed with {_ALGORITHM}")
    if "crit" in said:
        raise InvalidToken("asks for extensions that nobody here understands")
    key_id = said.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise InvalidToken("names no key")
    try:
        claims = msgspec.json.decode(body, type=Claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidToken("does not say what a token of Google's says") from error
    return PushToken(key_id, ".".join(parts[:2]).encode(), signature, claims)


def check(claims: Claims, expected: Expected, now: float) -> None:
    """Whether a token with a good signature lets in, at `now` in Unix seconds. Raises InvalidToken or ForeignToken."""
    if claims.iss not in _ISSUERS:
        raise InvalidToken("is not issued by Google")
    if not all(map(math.isfinite, (claims.exp, claims.iat, claims.nbf or 0.0))):
        raise InvalidToken("has no moment of expiry")
    if now >= claims.exp + SKEW:
        raise InvalidToken("has expired")
    if now < max(claims.iat, claims.nbf or 0.0) - SKEW:
        raise InvalidToken("is not valid yet")
    if claims.aud != expected.audience:
        raise ForeignToken("is meant for another audience")
    if not claims.email_verified or claims.email != expected.email:
        raise ForeignToken("belongs to another account")


def _decoded(part: str) -> bytes:
    if not _BASE64URL.fullmatch(part):
        raise InvalidToken("is not base64url")
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise InvalidToken("is not base64url") from error


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidToken("has a header that is not JSON") from error
    if not isinstance(value, dict):
        raise InvalidToken("has a header that is no object")
    return cast("dict[str, Any]", value)
