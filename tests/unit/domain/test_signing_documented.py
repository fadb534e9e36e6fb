"""What docs/signing.md gives people to copy is what it says it is."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.signing.forms import decode
from streaming_service.domain.signing.hmac_prefix import FIELDS, VERSION
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Verdict
from tests.signing import key, signer

DOCUMENT = (Path(__file__).parents[3] / "docs" / "signing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
HOST, FOLDER, EXPIRES = "cdn.example:8443", "/reels/ss-1/", 1_800_000_000
SESSION = "0f8fad5b-d9cb-469f-a165-70867728950e"


def example(word: str, **names: Any) -> dict[str, Any]:
    """The one example with this word in it, run with these names defined."""
    (code,) = [text for text in EXAMPLES if word in text]
    scope = {"__name__": "example", **names}
    exec(compile(code, "docs/signing.md", "exec"), scope)  # noqa: S102 - our own document
    return scope


SCOPE = example("def allows")
RING = Keyring(SigningKey("primary", SCOPE["KEYS"]["primary"]))
ALLOWS: Callable[[str, str, str, float], bool] = SCOPE["allows"]


def query(session: str = "", expires: int = EXPIRES) -> str:
    grant = signer("hmac", RING).sign(f"https://{HOST}{FOLDER}", expires, session)
    return grant.url("a").partition("?")[2]


@pytest.mark.parametrize("session", ["", SESSION])
def test_the_verifier_lets_in_what_the_service_signs_and_nothing_beside_it(session: str) -> None:
    signed = query(session)

    assert ALLOWS(HOST, f"{FOLDER}seg_1.m4s", f"_HLS_msn=1&{signed}&x=y", EXPIRES - 1)
    assert not ALLOWS(HOST, f"{FOLDER}seg_1.m4s", signed, EXPIRES)
    assert not ALLOWS("other.example", f"{FOLDER}seg_1.m4s", signed, 0)
    for path in ("/reels/ss-2/a", "/reels/ss-1", f"{FOLDER}../ss-2/a", f"{FOLDER}%2e%2e/ss-2/a", f"{FOLDER}..%5cx"):
        assert not ALLOWS(HOST, path, signed, 0)
    assert not ALLOWS(HOST, f"{FOLDER}a", "", 0)
    assert not ALLOWS(HOST, f"{FOLDER}a", signed.replace("primary", "other"), 0)


@given(data=st.data())
def test_the_verifier_agrees_with_the_services_own(data: st.DataObject) -> None:
    """Whatever is changed: both let it in or neither, and neither raises."""
    signed = query(data.draw(st.sampled_from(["", SESSION])))
    start, end = sorted((data.draw(st.integers(0, len(signed))), data.draw(st.integers(0, len(signed)))))
    piece = data.draw(st.one_of(st.text(st.characters(exclude_categories=())), st.sampled_from(["=", "&", "%2e"])))
    changed = signed[:start] + piece + signed[end:]
    path = FOLDER + data.draw(st.sampled_from(["a", "../a", "%2e./a", "a..b"]))

    ours = signer("hmac", RING).verify(f"https://{HOST}{path}?{changed}", 0) is Verdict.VALID
    assert ALLOWS(HOST, path, changed, 0) is ours


def test_the_public_key_is_the_one_of_the_secret() -> None:
    own = key("media-cdn ed25519 path")
    printed: list[str] = []
    secret = urlsafe_b64encode(own.secret).decode()
    example("Ed25519PrivateKey", input={"CDN_SIGNING_SECRET: ": secret}.get, print=printed.append)

    public = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(printed[0]))
    grant = signer("media-cdn ed25519 path").sign("https://cdn.example/a/", EXPIRES)
    policy, _, signature = grant.url("").rstrip("/").rpartition("&Signature=")
    public.verify(decode(signature) or b"", policy.encode())


def test_the_form_is_the_codes() -> None:
    assert VERSION in DOCUMENT
    assert SCOPE["WITH_SESSION"] == FIELDS
