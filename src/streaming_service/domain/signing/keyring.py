"""Keys that sign and keys that are still honoured."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from msgspec import Struct

from streaming_service.errors import InvalidInput


class SigningKey(Struct, frozen=True):
    """A named secret; the name travels in the URL so that the edge knows which key to verify with."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r})"


class Keyring(Struct, frozen=True):
    """`active` signs; `accepted` verifies as well, so that a rotation breaks no URL already given out."""

    active: SigningKey
    accepted: tuple[SigningKey, ...] = ()

    def find(self, key_id: str) -> SigningKey | None:
        """The key of that name, if it is still honoured."""
        return next((key for key in (self.active, *self.accepted) if key.id == key_id), None)


def decode_key(text: str, field: str, length: int) -> bytes:
    """A base64url secret of exactly `length` bytes, with or without padding."""
    stripped = text.strip().rstrip("=")
    try:
        secret = urlsafe_b64decode(stripped + "=" * (-len(stripped) % 4))
    except ValueError as error:
        raise InvalidInput(field, f"is not base64url of {length} bytes") from error
    if len(secret) != length or urlsafe_b64encode(secret).decode().rstrip("=") != stripped:
        raise InvalidInput(field, f"is not base64url of {length} bytes")
    return secret


def cache_key(secret: bytes, content_id: str, checksum: str) -> str:
    """Changes with the media and cannot be guessed: HMAC-SHA256 over the length-prefixed content id and checksum."""
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (content_id.encode(), checksum.encode()))
    return hmac.new(secret, message, sha256).hexdigest()
