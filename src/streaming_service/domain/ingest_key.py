"""Keys that let somebody push to a live channel.

A key is the stream name that an encoder publishes to, so it holds only what OME takes in a name. It begins with the
content that it is for, which makes it a look-up by content instead of a search; the rest is 192 random bits, and for a
secret of that strength a plain SHA-256 is as good as a slow hash. We keep the hash alone.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

SECRET_BYTES = 24

_KEY = re.compile(r"([0-9a-f]{32})-[A-Za-z0-9_-]{32}")


class IngestKey(Struct, frozen=True, omit_defaults=True):
    """What we keep of a key. `valid_until` is None for the newest; an older one has a grace to end."""

    digest: str
    made_at: datetime
    valid_until: datetime | None = None

    def valid(self, now: datetime) -> bool:
        return self.valid_until is None or now < self.valid_until


def make_key(content_id: str, secret: bytes) -> str:
    """The key itself, to be shown once. `secret` is SECRET_BYTES of a cryptographic source."""
    return f"{UUID(content_id).hex}-{urlsafe_b64encode(secret).decode()}"


def digest(key: str) -> str:
    """What is stored of a key: its SHA-256 in hex."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def content_of(key: str) -> str | None:
    """The content that a key claims to be for; None for what is no key of ours."""
    found = _KEY.fullmatch(key)
    return str(UUID(hex=found[1])) if found else None


def admits(keys: Iterable[IngestKey], key: str, now: datetime) -> IngestKey | None:
    """The key among these that this is, if it is valid. Every one is compared, so the time taken tells nothing."""
    offered, found = digest(key), None
    for known in keys:
        if hmac.compare_digest(known.digest, offered) and known.valid(now):
            found = known
    return found
