"""The canonical form for edges of one's own: what counts as the same host, and as the same text."""

import hmac

import pytest

from streaming_service.domain.signing.forms import encode
from streaming_service.domain.signing.hmac_prefix import HmacSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Verdict

KEY = SigningKey("primary", bytes(range(32)))
SIGNER = HmacSigner(Keyring(KEY))
EXPIRES = 1_800_000_000


def test_the_form_written_out_by_hand() -> None:
    message = (
        b"\x00\x00\x00\x19streaming-service-hmac-v1"
        b"\x00\x00\x00\x07primary"
        b"\x00\x00\x00\x0a1800000000"
        b"\x00\x00\x00\x03s-1"
        b"\x00\x00\x00\x0bcdn.example"
        b"\x00\x00\x00\x03/a/"
    )
    signature = encode(hmac.digest(KEY.secret, message, "sha256"))

    assert SIGNER.sign("https://cdn.example/a/", EXPIRES, "s-1").query == (
        f"PathPrefix=L2Ev&Expires=1800000000&KeyName=primary&Session=s-1&Signature={signature}"
    )


@pytest.mark.parametrize(
    ("signed", "asked", "verdict"),
    [
        ("https://cdn.example/a/", "https://CDN.example/a/", Verdict.VALID),
        ("https://cdn.example:443/a/", "https://cdn.example/a/", Verdict.VALID),
        ("https://cdn.example/a/", "http://cdn.example:80/a/", Verdict.VALID),
        ("https://[::1]:443/a/", "https://[::1]/a/", Verdict.VALID),
        ("https://cdn.example/a/", "https://cdn.example:80/a/", Verdict.WRONG_SIGNATURE),
        ("https://cdn.example/a/", "https://cdn.example:8443/a/", Verdict.WRONG_SIGNATURE),
        ("https://cdn.example/a/", "https://cdn.example/A/", Verdict.OTHER_PATH),
    ],
)
def test_what_is_the_same_host(signed: str, asked: str, verdict: Verdict) -> None:
    url = f"{asked}x?{SIGNER.sign(signed, EXPIRES).query}"

    assert SIGNER.verify(url, 0) is verdict


def test_lengths_keep_the_parts_apart() -> None:
    """`ab` and `c` are not `a` and `bc`, in whichever two neighbours they stand."""
    queries = {
        SIGNER.sign(prefix, expires, session).query.rpartition("=")[2]
        for prefix, expires, session in (
            ("https://cdn.example/a/", 12, "3"),
            ("https://cdn.example/a/", 1, "23"),
            ("https://cdn.example/a/", 123, ""),
            ("https://3cdn.example/a/", 12, ""),
            ("https://cdn.example/3cdn.example/a/", 12, ""),
        )
    }
    assert len(queries) == 5
