"""The variables of a keyring, and the signer that they make."""

import pytest

from streaming_service.bootstrap.signing import cache_secret, keyring_of, open_signer
from streaming_service.domain.signing.scheme import Verdict
from tests.unit.test_settings import KEY, problems, read

LONG_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    ("scheme", "secret"),
    [
        ("cloud-cdn", KEY),
        ("cloud-cdn-cookie", KEY),
        ("media-cdn", LONG_KEY),
        ("hmac", LONG_KEY),
        ("ome", "1kU^b6"),
    ],
)
def test_each_scheme_has_keys_of_its_own_kind(scheme: str, secret: str) -> None:
    settings = read(
        CDN_SIGNING_SCHEME=scheme,
        CDN_SIGNING_SECRET=secret,
        CDN_SIGNING_NEXT_SECRET=secret,
        CDN_SIGNING_RETIRED_KEYS=f"old={secret}@2026-01-02T03:04:05Z",
    )
    ring = keyring_of(settings)

    assert [key.id for key in ring.honoured(0)] == ["primary", "old", "next"]
    assert len({key.secret for key in ring.honoured(0)}) == 1
    assert isinstance(open_signer(settings).verify("", 0), Verdict)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CDN_SIGNING_SECRET", KEY, "is not base64url of 32 bytes"),
        ("CDN_SIGNING_NEXT_SECRET", KEY, "is not base64url of 32 bytes"),
        ("CDN_SIGNING_RETIRED_KEYS", f"old={KEY}@2026-01-02T03:04:05Z", "the secret of entry 1 is not base64url of 32"),
        ("CDN_SIGNING_RETIRED_KEYS", f"old={LONG_KEY}", "entry 1 is not id=secret@until"),
        ("CDN_SIGNING_RETIRED_KEYS", f"now={LONG_KEY}@2026-01-02T03:04:05Z", "entry 1 has the name of another key"),
        ("CDN_SIGNING_RETIRED_KEYS", f"later={LONG_KEY}@2026-01-02T03:04:05Z", "entry 1 has the name of another key"),
        ("CDN_SIGNING_NEXT_KEY_ID", "now", "CDN_SIGNING_NEXT_SECRET: needs a name of its own"),
        ("CDN_SIGNING_KEY_ID", "a&b", "should match pattern"),
        ("CDN_SIGNING_SCHEME", "cloud", "'cloud-cdn', 'cloud-cdn-cookie', 'media-cdn', 'ome' or 'hmac'"),
        ("CDN_MEDIA_ALGORITHM", "hmac-sha1", "'ed25519' or 'hmac-sha256'"),
        ("CDN_MEDIA_PLACE", "cookie", "'path' or 'query'"),
        ("CDN_COOKIE_DOMAIN", "a b", "should match pattern"),
    ],
)
def test_one_wrong_variable_of_a_keyring_is_one_sentence(name: str, value: str, expected: str) -> None:
    """Even where others depend on it: keys on their scheme, names on each other."""
    right = {
        "CDN_SIGNING_SCHEME": "hmac",
        "CDN_SIGNING_KEY_ID": "now",
        "CDN_SIGNING_SECRET": LONG_KEY,
        "CDN_SIGNING_NEXT_KEY_ID": "later",
        "CDN_SIGNING_NEXT_SECRET": LONG_KEY,
        "CDN_SIGNING_RETIRED_KEYS": f"old={LONG_KEY}@2026-01-02T03:04:05Z",
    }
    assert read(**right)
    (problem,) = problems("signing", **{**right, name: value})

    assert expected in problem
    assert KEY not in problem
    assert LONG_KEY not in problem


def test_media_cdns_keys_may_all_go_by_the_name_of_their_keyset() -> None:
    entry = f"prod-vod={LONG_KEY}@2026-01-02T03:04:05Z"
    settings = read(
        CDN_SIGNING_SCHEME="media-cdn",
        CDN_SIGNING_KEY_ID="prod-vod",
        CDN_SIGNING_SECRET=LONG_KEY,
        CDN_SIGNING_NEXT_KEY_ID="prod-vod",
        CDN_SIGNING_NEXT_SECRET=LONG_KEY,
        CDN_SIGNING_RETIRED_KEYS=f"{entry},{entry}",
    )

    assert [key.id for key in keyring_of(settings).honoured(0)] == ["prod-vod"] * 4


def test_cache_keys_outlive_a_rotation_when_they_have_a_secret_of_their_own() -> None:
    before, after = read(CDN_SIGNING_SECRET=KEY), read(CDN_SIGNING_SECRET=KEY.replace("AAE", "AAA"))
    kept = [
        read(CDN_SIGNING_SECRET=KEY, CDN_CACHE_KEY_SECRET="own"),
        read(CDN_SIGNING_SECRET=KEY.replace("AAE", "AAA"), CDN_CACHE_KEY_SECRET="own"),
    ]

    assert cache_secret(before) != cache_secret(after)
    assert {cache_secret(settings) for settings in kept} == {b"own"}


@pytest.mark.parametrize(
    ("scheme", "how"), [("cloud-cdn", "rand 16"), ("hmac", "rand 32"), ("media-cdn", "rand 32"), ("ome", "<SecretKey>")]
)
def test_a_missing_key_says_how_to_make_one(scheme: str, how: str) -> None:
    (problem,) = problems("signing", CDN_SIGNING_SCHEME=scheme)

    assert problem.startswith("CDN_SIGNING_SECRET: is required")
    assert how in problem
