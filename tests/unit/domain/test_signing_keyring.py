"""Keys and cache keys."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.signing.keyring import (
    Keyring,
    RetiredKey,
    SigningKey,
    cache_key,
    decode_key,
    decode_secret,
    parse_retired,
)
from streaming_service.domain.signing.scheme import Scheme
from streaming_service.errors import InvalidInput

SHORT = urlsafe_b64encode(bytes(16)).decode()
LONG = urlsafe_b64encode(bytes(32)).decode()


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


def test_the_ring_knows_whose_signatures_count() -> None:
    active, coming, old = (SigningKey(name, name.encode()) for name in ("now", "next", "old"))
    ring = Keyring(active, coming, (RetiredKey(old, until=100),))

    assert [ring.find(name, 99) for name in ("now", "next", "old", "other")] == [active, coming, old, None]
    assert ring.find("old", 100) is None
    assert list(ring.honoured(99)) == [active, old, coming]
    assert list(ring.honoured(100)) == [active, coming]


@pytest.mark.parametrize(
    ("scheme", "good", "bad"),
    [
        (Scheme.CLOUD_CDN, SHORT, LONG),
        (Scheme.CLOUD_CDN_COOKIE, SHORT, LONG),
        (Scheme.MEDIA_CDN, LONG, SHORT),
        (Scheme.HMAC, LONG, SHORT),
        (Scheme.OME, "1kU^b6", "t\u00fcr"),
        (Scheme.OME, "with a blank", ""),
        (Scheme.OME, "1", "line\nline"),
    ],
)
def test_a_secret_is_spelt_as_its_edge_spells_it(scheme: Scheme, good: str, bad: str) -> None:
    assert decode_secret(scheme, good, "KEY")
    with pytest.raises(InvalidInput, match=r"^KEY: ") as caught:
        decode_secret(scheme, bad, "KEY")
    assert not bad or bad not in str(caught.value)


def _decoded(text: str, field: str) -> bytes:
    return decode_secret(Scheme.CLOUD_CDN, text, field)


def test_retired_keys_are_listed_with_their_end() -> None:
    listed = f"2025a={SHORT}@2026-01-02T03:04:05Z, 2025b={SHORT.rstrip('=')}@2026-01-02T04:04:05+01:00 ,"

    until = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    assert parse_retired(listed, "KEYS", _decoded) == (
        RetiredKey(SigningKey("2025a", bytes(16)), until),
        RetiredKey(SigningKey("2025b", bytes(16)), until),
    )
    assert parse_retired("", "KEYS", _decoded) == ()


@pytest.mark.parametrize(
    "entry",
    [
        "hush",
        "hush@2026-01-02T03:04:05Z",
        "id=hush",
        "=hush@2026-01-02T03:04:05Z",
        "id=@2026-01-02T03:04:05Z",
        "id=a@hush",
        "id=hush@2026-01-02T03:04:05",
        "id=hush@2026-01-02T03:04:05Z",
        f"hush&id={SHORT}@2026-01-02T03:04:05Z",
        f"a={SHORT}@2026-01-02T03:04:05Z",
        f"taken={SHORT}@2026-01-02T03:04:05Z",
    ],
)
def test_a_retired_key_that_is_none_is_named_by_its_place(entry: str) -> None:
    with pytest.raises(InvalidInput, match=r"^KEYS: .*entry 2 ") as caught:
        parse_retired(f"a={SHORT}@2026-01-02T03:04:05Z,{entry}", "KEYS", _decoded, taken=("taken",))

    assert "hush" not in str(caught.value)


def test_secrets_are_not_printed() -> None:
    assert "hush" not in repr(Keyring(SigningKey("k", b"hush"), retired=(RetiredKey(SigningKey("o", b"hush"), 1),)))


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
