"""Cloud CDN's signed prefixes and URLs: what they cover, and what they do not."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.signing.cloud_cdn import KEY_BYTES, CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey, decode_key
from streaming_service.domain.signing.scheme import Verdict

KEY = SigningKey("my-key", decode_key("nZtRohdNF9m3cKM24IcK4w==", "CDN_SIGNING_SECRET", KEY_BYTES))
EXPIRES = int(datetime(2019, 2, 9, 22, 30, 1, tzinfo=UTC).timestamp())
PREFIX = "https://cdn.example/reels/sid-1/"


@pytest.fixture
def signer() -> CloudCdnSigner:
    return CloudCdnSigner(Keyring(KEY))


def test_one_grant_covers_everything_below_the_prefix(signer: CloudCdnSigner) -> None:
    query = signer.sign(PREFIX, EXPIRES).query

    for path in ("master.m3u8", "video/chunk.m3u8", "seg_1.m4s", "a..b", "..."):
        assert signer.verify(f"{PREFIX}{path}?{query}", EXPIRES - 1) is Verdict.VALID
        assert signer.verify(f"{PREFIX}{path}?_HLS_msn=3&{query}", EXPIRES - 1) is Verdict.VALID


def test_it_ends_at_the_second(signer: CloudCdnSigner) -> None:
    url = f"{PREFIX}a?{signer.sign(PREFIX, EXPIRES).query}"

    assert signer.verify(url, EXPIRES - 1) is Verdict.VALID
    assert signer.verify(url, EXPIRES) is Verdict.EXPIRED


@pytest.mark.parametrize(
    "target",
    [
        "https://cdn.example/reels/sid-2/a",
        "https://cdn.example/reels/sid-1",
        "https://cdn.example/reels/sid-10/a",
        "https://evil.example/reels/sid-1/a",
        "http://cdn.example/reels/sid-1/a",
        "https://cdn.example:8443/reels/sid-1/a",
        PREFIX + "../sid-2/a",
        PREFIX + "x/../../sid-2/a",
        PREFIX + "./a",
        PREFIX + "%2e%2e/sid-2/a",
        PREFIX + "%2e./sid-2/a",
    ],
)
def test_nothing_beside_the_prefix(signer: CloudCdnSigner, target: str) -> None:
    query = signer.sign(PREFIX, EXPIRES).query

    assert signer.verify(f"{target}?{query}", EXPIRES - 1) is Verdict.OTHER_PATH


@pytest.mark.parametrize(
    "path", ["%2E%2E/sid-2/a", "%2E./sid-2/a", "..%2fsid-2/a", "..%2Fsid-2/a", "%2e%2E%2Fsid-2/a", "..%5csid-2/a"]
)
def test_nothing_beside_the_prefix_in_any_spelling(signer: CloudCdnSigner, path: str) -> None:
    query = signer.sign(PREFIX, EXPIRES).query

    assert signer.verify(f"{PREFIX}{path}?{query}", EXPIRES - 1) is Verdict.OTHER_PATH


@pytest.mark.parametrize(
    ("query", "verdict"),
    [
        ("", Verdict.UNSIGNED),
        ("?", Verdict.UNSIGNED),
        ("?xURLPrefix=a", Verdict.UNSIGNED),
        ("?Expires=1&KeyName=k", Verdict.UNSIGNED),
        ("?Expires=1&KeyName=k&Signature=s", Verdict.UNKNOWN_KEY),
        ("?Expires=1&KeyName=my-key&Signature=s", Verdict.WRONG_SIGNATURE),
        ("?Expires=1&KeyName=my-key&Signature=s&x=y", Verdict.MALFORMED),
        ("?URLPrefix=", Verdict.MALFORMED),
        ("?URLPrefix=a&Expires=1&Signature=s&KeyName=my-key", Verdict.MALFORMED),
        ("?URLPrefix=a&x=y&Expires=1&KeyName=my-key&Signature=s", Verdict.MALFORMED),
        ("?URLPrefix=a&Expires=1&KeyName=other&Signature=s", Verdict.UNKNOWN_KEY),
        ("?URLPrefix=%&Expires=x&KeyName=my-key&Signature=s", Verdict.WRONG_SIGNATURE),
        ("?URLPrefix=a&Expires=1&KeyName=my-key&Signature=ü", Verdict.MALFORMED),
        ("?URLPrefix=a&Expires=1&KeyName=my-key&Signature=", Verdict.WRONG_SIGNATURE),
    ],
)
def test_what_is_not_signed(signer: CloudCdnSigner, query: str, verdict: Verdict) -> None:
    assert signer.verify(f"{PREFIX}a{query}", 0) is verdict


@given(data=st.data())
def test_no_changed_character_survives(data: st.DataObject) -> None:
    signer = CloudCdnSigner(Keyring(KEY))
    query = signer.sign(PREFIX, EXPIRES).query
    position = data.draw(st.integers(0, len(query) - 1))
    character = data.draw(st.characters().filter(lambda other: other != query[position]))

    assert signer.verify(f"{PREFIX}a?{query[:position]}{character}{query[position + 1 :]}", 0) is not Verdict.VALID


@given(st.text())
def test_no_text_breaks_the_verifier(url: str) -> None:
    assert CloudCdnSigner(Keyring(KEY)).verify(url, 0) is not Verdict.VALID


def test_one_url_is_signed_whole(signer: CloudCdnSigner) -> None:
    url = signer.sign_url(f"{PREFIX}a?b=c", EXPIRES)

    assert url.startswith(f"{PREFIX}a?b=c&Expires={EXPIRES}&KeyName=my-key&Signature=")
    assert signer.verify(url, EXPIRES - 1) is Verdict.VALID
    assert signer.verify(url, EXPIRES) is Verdict.EXPIRED
    assert signer.verify(url.replace("b=c", "b=d"), EXPIRES - 1) is Verdict.WRONG_SIGNATURE
    assert signer.verify(url.replace("sid-1/a", "sid-1/b"), EXPIRES - 1) is Verdict.WRONG_SIGNATURE
