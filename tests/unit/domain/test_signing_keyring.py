"""Keys and cache keys."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.signing.keyring import Keyring, SigningKey, cache_key, decode_key
from streaming_service.errors import InvalidInput


@given(st.binary(min_size=16, max_size=16))
def test_a_key_is_read_with_and_without_padding(secret: bytes) -> None:
    text = urlsafe_b64encode(secret).decode()

    assert decode_key(text, "KEY", 16) == secret
    assert decode_key(f" {text.rstrip('=')}\n", "KEY", 16) == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nZtRohdNF9m3cKM24IcK",
        "nZtRohdNF9m3cKM24IcK4w==AAAA",
        "nZtRohdNF9m3cKM24IcK4x==",
        "nZtRohdNF9m3cKM24IcK4+==",
        "nZtR ohdNF9m3cKM24IcK4w",
        "ümlaut",
    ],
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidInput, match="KEY: is not base64url of 16 bytes") as caught:
        decode_key(text, "KEY", 16)

    assert not text or text not in str(caught.value)


def test_the_ring_finds_active_and_accepted_keys() -> None:
    active, old = SigningKey("new", b"1"), SigningKey("old", b"2")
    ring = Keyring(active, (old,))

    assert (ring.find("new"), ring.find("old"), ring.find("other")) == (active, old, None)


def test_secrets_are_not_printed() -> None:
    assert "hush" not in repr(Keyring(SigningKey("k", b"hush"), (SigningKey("o", b"hush"),)))


def test_a_cache_key_depends_on_secret_content_and_checksum() -> None:
    keys = {
        cache_key(b"s", "content", "sum"),
        cache_key(b"t", "content", "sum"),
        cache_key(b"s", "content", "sum2"),
        cache_key(b"s", "contents", "um"),
        cache_key(b"s", "contentsum", ""),
    }
    assert len(keys) == 5
    assert cache_key(b"s", "content", "sum") in keys
