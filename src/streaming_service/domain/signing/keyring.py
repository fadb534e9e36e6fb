"""Keys that sign and keys that are still honoured."""

import hmac
import re
from collections.abc import Callable, Iterable
from hashlib import sha256

from msgspec import Struct

from streaming_service.domain.clock import from_wire
from streaming_service.domain.signing.forms import decode
from streaming_service.domain.signing.scheme import Scheme
from streaming_service.errors import InvalidInput

CLOUD_CDN_KEY_BYTES = 16
STRONG_KEY_BYTES = 32
KEY_ID = r"^[A-Za-z0-9_-]{1,63}$"


class SigningKey(Struct, frozen=True):
    """A named secret; where the name travels in the URL, the edge knows by it which key to verify with."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r})"


class RetiredKey(Struct, frozen=True):
    """A key that signs no more. What it signed is honoured until `until` (Unix seconds)."""

    key: SigningKey
    until: int


class Keyring(Struct, frozen=True):
    """`active` signs. `next` and `retired` only verify, so that a rotation breaks no URL already given out:

    a key is `next` while edges and processes learn of it, `active` while it signs, and `retired` until the last URL
    that it signed has expired.
    """

    active: SigningKey
    next: SigningKey | None = None
    retired: tuple[RetiredKey, ...] = ()

    def honoured(self, now: int) -> Iterable[SigningKey]:
        """Every key whose signatures count at `now` (Unix seconds), the likeliest first."""
        yield self.active
        for item in self.retired:
            if item.until > now:
                yield item.key
        if self.next:
            yield self.next

    def find(self, key_id: str, now: int) -> SigningKey | None:
        """The first key of that name, if it is honoured at `now`."""
        return next((key for key in self.honoured(now) if key.id == key_id), None)


def decode_secret(scheme: Scheme, text: str, field: str) -> bytes:
    """A secret as its scheme's edge spells it. Raises InvalidInput, which never shows the text.

    Cloud CDN: 16 bytes as base64url. Media CDN and hmac: 32 bytes as base64url; for Ed25519 that is the private key.
    OME: the text itself, as in <SecretKey> of Server.xml.
    """
    if scheme is not Scheme.OME:
        short = scheme in {Scheme.CLOUD_CDN, Scheme.CLOUD_CDN_COOKIE}
        return decode_key(text, field, CLOUD_CDN_KEY_BYTES if short else STRONG_KEY_BYTES)
    if not text.isascii() or not text.isprintable() or not text:
        raise InvalidInput(field, "is not the printable ASCII text of OME's <SecretKey>")
    return text.encode()


def decode_key(text: str, field: str, length: int) -> bytes:
    """A base64url secret of exactly `length` bytes, with or without padding."""
    secret = decode(text.strip())
    if secret is None or len(secret) != length:
        raise InvalidInput(field, f"is not base64url of {length} bytes")
    return secret


def parse_retired(
    text: str, field: str, decode_one: Callable[[str, str], bytes], taken: Iterable[str] | None = None
) -> tuple[RetiredKey, ...]:
    """`id=secret@2026-01-02T03:04:05Z, …`, each with an id of its own that is not `taken`; None: ids may be the same.

    Raises InvalidInput, which names an entry by its place alone: any part of it may be a piece of a secret.
    """
    keys: list[RetiredKey] = []
    names = set(taken or ())
    for place, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        item = _retired(entry, field, f"entry {place}", decode_one)
        if taken is not None and item.key.id in names:
            raise InvalidInput(field, f"entry {place} has the name of another key")
        names.add(item.key.id)
        keys.append(item)
    return tuple(keys)


def _retired(entry: str, field: str, place: str, decode_one: Callable[[str, str], bytes]) -> RetiredKey:
    key_id, _, rest = entry.partition("=")
    secret, _, until = rest.rpartition("@")
    if not re.fullmatch(KEY_ID, key_id) or not secret:
        raise InvalidInput(field, f"{place} is not id=secret@until")
    try:
        moment = from_wire(until, field)
    except InvalidInput:
        raise InvalidInput(field, f"{place} does not end in @ and a moment such as 2026-01-02T03:04:05Z") from None
    try:
        return RetiredKey(SigningKey(key_id, decode_one(secret, field)), int(moment.timestamp()))
    except InvalidInput as error:
        raise InvalidInput(field, f"the secret of {place} {error.reason}") from None


def cache_key(secret: bytes, content_id: str, checksum: str) -> str:
    """Changes with the media and cannot be guessed: HMAC-SHA256 over the length-prefixed content id and checksum."""
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (content_id.encode(), checksum.encode()))
    return hmac.new(secret, message, sha256).hexdigest()
