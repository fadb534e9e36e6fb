"""Cloud CDN's signed prefixes, against Google's own examples (python-docs-samples, cdn/snippets_test.py)."""

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

GOLDEN = [
    (
        "http://35.186.234.33/index.html",
        "http://35.186.234.33/",
        "?",
        "URLPrefix=aHR0cDovLzM1LjE4Ni4yMzQuMzMv&Expires=1549751401&KeyName=my-key&Signature=j7HYgoQ8dIOVsW3Rw4cpkjWfRMA=",
    ),
    (
        "http://www.example.com/some/path?some=query&another=param",
        "http://www.example.com/some/",
        "&",
        "URLPrefix=aHR0cDovL3d3dy5leGFtcGxlLmNvbS9zb21lLw==&Expires=1549751401&KeyName=my-key&Signature=3th4ThmpS95I1TAKYyYSCSq3dnQ=",
    ),
]


@pytest.fixture
def signer() -> CloudCdnSigner:
    return CloudCdnSigner(Keyring(KEY))


@pytest.mark.parametrize(("url", "prefix", "joint", "query"), GOLDEN)
def test_googles_examples(signer: CloudCdnSigner, url: str, prefix: str, joint: str, query: str) -> None:
    assert signer.sign(prefix, EXPIRES).query == query
    assert signer.verify(url + joint + query, EXPIRES - 1) is Verdict.VALID


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
        ("?Expires=1&KeyName=k&Signature=s", Verdict.UNSIGNED),
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


def test_a_rotation_breaks_no_url_that_was_given_out() -> None:
    new = SigningKey("new", bytes(16))
    given_out = f"{PREFIX}a?{CloudCdnSigner(Keyring(KEY)).sign(PREFIX, EXPIRES).query}"
    rotated = CloudCdnSigner(Keyring(new, accepted=(KEY,)))

    assert rotated.verify(given_out, 0) is Verdict.VALID
    assert "KeyName=new" in rotated.sign(PREFIX, EXPIRES).query
    assert CloudCdnSigner(Keyring(new)).verify(given_out, 0) is Verdict.UNKNOWN_KEY
