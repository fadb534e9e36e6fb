"""Every scheme against what its edge's makers publish; tests/vectors/signing.json says where each case is from."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.cloud_cdn_cookie import CloudCdnCookieSigner
from streaming_service.domain.signing.forms import decode
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.media_cdn import MediaCdnSigner
from streaming_service.domain.signing.media_cdn_token import Algorithm, Scope, Seal, make_token
from streaming_service.domain.signing.ome import OmeSigner, encode_policy, policy_expiry, seal_url
from streaming_service.domain.signing.scheme import Verdict

VECTORS: dict[str, Any] = msgspec.json.decode(
    (Path(__file__).parents[2] / "vectors" / "signing.json").read_bytes(), type=dict[str, Any]
)
DIGESTS = {"sha1": Algorithm.HMAC_SHA1, "sha256": Algorithm.HMAC_SHA256}


def key_of(group: dict[str, Any]) -> SigningKey:
    secret = decode(group["key_b64url"])
    assert secret
    return SigningKey(group.get("key_name", "unnamed"), secret)


def cases(name: str) -> list[Any]:
    found = VECTORS[name]["cases"]
    assert found
    return found


@pytest.mark.parametrize(("url", "signed"), cases("cloud_cdn_url"))
def test_cloud_cdn_urls(url: str, signed: str) -> None:
    group = VECTORS["cloud_cdn_url"]
    signer = CloudCdnSigner(Keyring(key_of(group)))

    assert signer.sign_url(url, group["expires"]) == signed
    assert signer.verify(signed, group["expires"] - 1) is Verdict.VALID


@pytest.mark.parametrize(("url", "prefix", "signed"), cases("cloud_cdn_url_prefix"))
def test_cloud_cdn_prefixes(url: str, prefix: str, signed: str) -> None:
    group = VECTORS["cloud_cdn_url_prefix"]
    signer = CloudCdnSigner(Keyring(key_of(group)))

    assert signer.sign(prefix, group["expires"]).url(url.removeprefix(prefix)) == signed
    assert signer.verify(signed, group["expires"] - 1) is Verdict.VALID


@pytest.mark.parametrize(("prefix", "cookie"), cases("cloud_cdn_cookie"))
def test_cloud_cdn_cookies(prefix: str, cookie: str) -> None:
    group = VECTORS["cloud_cdn_cookie"]
    signer = CloudCdnCookieSigner(Keyring(key_of(group)))
    grant = signer.sign(prefix, group["expires"])

    assert [f"{item.name}={item.value}" for item in grant.cookies] == [cookie]
    assert signer.verify(f"{prefix}a", group["expires"] - 1, cookie) is Verdict.VALID


@pytest.mark.parametrize(("digest", "scope", "value", "token"), cases("media_cdn_token_hmac"))
def test_media_cdn_tokens_by_hmac(digest: str, scope: str, value: str, token: str) -> None:
    group = VECTORS["media_cdn_token_hmac"]
    key = key_of(group)

    assert make_token(Seal(DIGESTS[digest]), key, Scope(scope), value, group["expires"]) == token
    signer = MediaCdnSigner(Keyring(key), DIGESTS[digest], "query")
    url = f"http://10.20.30.40/example.m3u8?edge-cache-token={token}"
    assert signer.verify(url, group["expires"] - 1) is Verdict.VALID


@pytest.mark.parametrize(("scope", "value", "token"), cases("media_cdn_token_ed25519"))
def test_media_cdn_tokens_by_ed25519(scope: str, value: str, token: str) -> None:
    group = VECTORS["media_cdn_token_ed25519"]
    key = key_of(group)
    signer = MediaCdnSigner(Keyring(key), Algorithm.ED25519, "query")

    assert make_token(Seal(Algorithm.ED25519), key, Scope(scope), value, group["expires"]) == token
    assert signer.sign(value, group["expires"]).query == f"edge-cache-token={token}"
    assert signer.verify(f"{value}a?edge-cache-token={token}", group["expires"] - 1) is Verdict.VALID


def test_a_media_cdn_path() -> None:
    """GoogleCloudPlatform/python-docs-samples, media_cdn/dualtoken_test.py; today's samples write no padding."""
    signer = MediaCdnSigner(
        Keyring(SigningKey("test-key", key_of(VECTORS["media_cdn_token_hmac"]).secret)), Algorithm.ED25519, "path"
    )

    assert signer.sign("https://example.com/", 1663070400).url("test-filename") == (
        "https://example.com/edge-cache-token=Expires=1663070400&KeyName=test-key&Signature="
        "2hvmMKXW_e0bY3ViJNDSgoXDGvNj2L-UYTseTgtj96Va0S4FYxehka1k4hzWo2_87B9zqr_Ne4MMEdRfHUMUBw/test-filename"
    )


@pytest.mark.parametrize(("url", "policy", "encoded", "signature"), cases("ome_signed_policy"))
def test_ome_policies(url: str, policy: str, encoded: str, signature: str) -> None:
    key = SigningKey("ome", VECTORS["ome_signed_policy"]["key"].encode())
    expires_ms = msgspec.json.decode(policy)["url_expire"]

    assert encode_policy(expires_ms) == encoded
    assert policy_expiry(encoded) == expires_ms
    signed = seal_url(key, url, encoded)
    assert signed == f"{url}?policy={encoded}&signature={signature}"
    assert OmeSigner(Keyring(key)).verify(signed, expires_ms // 1000) is Verdict.VALID
    assert OmeSigner(Keyring(key)).verify(signed, expires_ms // 1000 + 1) is Verdict.EXPIRED


def test_every_case_of_the_file_is_used() -> None:
    used = {
        "cloud_cdn_url": 3,
        "cloud_cdn_url_prefix": 2,
        "cloud_cdn_cookie": 1,
        "media_cdn_token_hmac": 4,
        "media_cdn_token_ed25519": 1,
        "ome_signed_policy": 1,
    }

    groups = {name: group for name, group in VECTORS.items() if isinstance(group, dict)}
    assert {name: len(group["cases"]) for name, group in groups.items()} == used
