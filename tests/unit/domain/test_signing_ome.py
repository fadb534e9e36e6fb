"""OME's policies: the port that OME will see, and a URL that is signed whole."""

from base64 import urlsafe_b64encode

import pytest

from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.ome import OmeSigner, policy_expiry
from streaming_service.domain.signing.scheme import Verdict

SIGNER = OmeSigner(Keyring(SigningKey("ome", b"1kU^b6")))
EXPIRES = 1_800_000_000


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("http://ome.example:3333/app/", "http://ome.example:3333/app/"),
        ("http://ome.example/app/", "http://ome.example:80/app/"),
        ("https://ome.example/app/", "https://ome.example:443/app/"),
        ("wss://ome.example/app/", "wss://ome.example:443/app/"),
        ("https://[::1]/app/", "https://[::1]:443/app/"),
        ("https://[::1]:3334/app/", "https://[::1]:3334/app/"),
    ],
)
def test_the_port_is_always_written_and_signed(base: str, shown: str) -> None:
    url = SIGNER.sign(base, EXPIRES).url("s/master.m3u8")

    assert url.startswith(f"{shown}s/master.m3u8?policy=")
    assert SIGNER.verify(url, 0) is Verdict.VALID
    # A player leaves out the port that goes without saying; OME puts its own back.
    assert SIGNER.verify(url.replace(shown, base), 0) is Verdict.VALID
    assert SIGNER.verify(url.replace(shown, base.replace(".example", ".example2")), 0) is (
        Verdict.VALID if "[" in base else Verdict.WRONG_SIGNATURE
    )


def test_each_url_is_signed_for_itself_with_its_query() -> None:
    grant = SIGNER.sign("http://ome.example:3333/app/s/", EXPIRES)
    url = grant.url("master.m3u8?x=1")

    assert "?x=1&policy=" in url
    assert SIGNER.verify(url, EXPIRES - 1) is Verdict.VALID
    assert SIGNER.verify(url, EXPIRES) is Verdict.EXPIRED
    for changed in (url.replace("x=1", "x=2"), url.replace("master", "other"), f"{url}&x=1", url.replace("x=1&", "")):
        assert SIGNER.verify(changed, 0) in {Verdict.WRONG_SIGNATURE, Verdict.MALFORMED}
    assert SIGNER.sign_url("http://ome.example:3333/app/s/master.m3u8?x=1", EXPIRES) == url


def test_a_policy_that_is_no_text_is_none():
    policy = urlsafe_b64encode(b'{"\xff":1,"url_expire":1}').decode().rstrip("=")

    assert policy_expiry(policy) is None
