"""What every signing scheme can do."""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Verdict(StrEnum):
    """What a verifier found out about a URL."""

    VALID = "valid"
    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    OTHER_PATH = "other_path"
    EXPIRED = "expired"


class Grant(Struct, frozen=True):
    """Permission for every URL below a prefix: `query` is appended to each of them."""

    query: str


class Signer(Protocol):
    """Signs a URL prefix until `expires` (Unix seconds), so that one grant covers manifest and segments."""

    def sign(self, prefix: str, expires: int) -> Grant:
        """`prefix` is an absolute URL ending in `/`."""
        ...

    def verify(self, url: str, now: int) -> Verdict:
        """The edge's side of it: may this absolute URL be served at `now` (Unix seconds)?"""
        ...
