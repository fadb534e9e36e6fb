"""What a token has to say; whose signature it has is another matter."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.domain.push_token import Claims, Expected, ForeignToken, InvalidToken, check, take_apart
from tests.devkit.google_keys import AUDIENCE, EMAIL, NOW, claims, encoded, token

EXPECTED = Expected(AUDIENCE, EMAIL)


def seen(now: float = NOW, **changes: Any) -> None:
    check(take_apart(token(claims(**changes))).claims, EXPECTED, now)


def test_what_pubsub_signs_is_accepted() -> None:
    taken = take_apart(token())

    assert (taken.key_id, taken.claims.email) == ("one", EMAIL)
    check(taken.claims, EXPECTED, NOW)
    seen(iss="accounts.google.com")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://accounts.google.com.evil.test"}, "not issued by Google"),
        ({"iss": ""}, "not issued by Google"),
        ({"iss": None}, "does not say"),
        ({"aud": None}, "does not say"),
        ({"aud": [AUDIENCE]}, "does not say"),
        ({"exp": None}, "does not say"),
        ({"exp": "tomorrow"}, "does not say"),
        ({"exp": True}, "does not say"),
        ({"iat": None}, "does not say"),
        ({"email_verified": "true"}, "does not say"),
        ({"exp": NOW - 60}, "expired"),
        ({"iat": NOW + 61}, "not valid yet"),
        ({"nbf": NOW + 61}, "not valid yet"),
    ],
)
def test_what_is_not_valid(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidToken, match=reason):
        seen(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{AUDIENCE}/"},
        {"aud": ""},
        {"email": "somebody@project.iam.gserviceaccount.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": None},
    ],
)
def test_what_is_valid_and_not_for_us(changes: dict[str, Any]) -> None:
    with pytest.raises(ForeignToken):
        seen(**changes)


def test_clocks_may_differ_by_a_minute() -> None:
    seen(exp=NOW - 59)
    seen(iat=NOW + 59)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "RS512", "PS256", "ES256", "rs256", "", None, 1, ["RS256"]]
)
def test_only_one_algorithm_is_there(algorithm: Any) -> None:
    with pytest.raises(InvalidToken, match="RS256"):
        take_apart(token(header={"alg": algorithm}))


def test_a_public_key_is_no_shared_secret() -> None:
    signed = f"{encoded(json.dumps({'alg': 'HS256', 'kid': 'one'}).encode())}.{encoded(json.dumps(claims()).encode())}"
    forged = hmac.new(b"-----BEGIN PUBLIC KEY-----", signed.encode(), hashlib.sha256).digest()

    with pytest.raises(InvalidToken, match="RS256"):
        take_apart(f"{signed}.{encoded(forged)}")


@pytest.mark.parametrize("header", [{"kid": None}, {"kid": ""}, {"kid": 7}, {"kid": ["one"]}])
def test_a_key_is_named(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken, match="names no key"):
        take_apart(token(header=header))


def test_extensions_are_not_understood() -> None:
    with pytest.raises(InvalidToken, match="extensions"):
        take_apart(token(header={"crit": ["exp"]}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "e30.e30.",
        "e30.e30.e30",
        "W10.e30.e30",
        " ".join(token()),
        token() + "=",
        "a" * 9000,
    ],
)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        take_apart(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.fixed_dictionaries(
    {}, optional={"alg": st.just("RS256") | JSON, "kid": st.just("one") | JSON, "crit": JSON}
)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={name: st.just(value) | JSON for name, value in claims().items()} | {"nbf": JSON},
)


@given(st.text() | st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_whatever_comes_is_refused_by_name(offered: str | list[bytes]) -> None:
    text = offered if isinstance(offered, str) else ".".join(map(encoded, offered))
    with pytest.raises(InvalidToken):
        take_apart(text)


@given(HEADERS, CLAIMS)
def test_whatever_it_says_it_is_accepted_or_refused_by_name(header: dict[str, Any], said: dict[str, Any]) -> None:
    text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(said).encode())}.{encoded(b'signature')}"
    try:
        check(take_apart(text).claims, EXPECTED, NOW)
    except (InvalidToken, ForeignToken):
        return
    assert (header["alg"], said["aud"], said["email"], said["email_verified"]) == ("RS256", AUDIENCE, EMAIL, True)


@given(st.builds(Claims, iss=st.just("accounts.google.com"), aud=st.just(AUDIENCE), exp=st.floats(), iat=st.floats()))
def test_no_number_opens(said: Claims) -> None:
    with pytest.raises((InvalidToken, ForeignToken)):
        check(said, EXPECTED, NOW)
