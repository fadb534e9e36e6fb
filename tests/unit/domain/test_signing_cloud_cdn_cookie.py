"""Cloud CDN's cookies: where they are set, and which of several counts."""

import pytest

from streaming_service.domain.signing.cloud_cdn_cookie import NAME, CloudCdnCookieSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import Cookie, Verdict

RING = Keyring(SigningKey("primary", bytes(16)))
EXPIRES = 1_800_000_000


def cookie(prefix: str, expires: int = EXPIRES, domain: str = "") -> Cookie:
    (made,) = CloudCdnCookieSigner(RING, domain).sign(prefix, expires).cookies
    return made


def header(*cookies: Cookie) -> str:
    return "; ".join(f"{item.name}={item.value}" for item in cookies)


@pytest.mark.parametrize(
    ("prefix", "domain", "expected"),
    [
        ("https://cdn.example/a/", "", ("cdn.example", "/a/")),
        ("https://CDN.Example:8443/a/b/", "", ("cdn.example", "/a/b/")),
        ("https://cdn.example/", "", ("cdn.example", "/")),
        ("https://[::1]:8443/a/", "", ("[::1]", "/a/")),
        ("https://[::1]/a/", "", ("[::1]", "/a/")),
        ("https://cdn.shop.example/a/", "shop.example", ("shop.example", "/a/")),
        ("https://cdn.shop.example/a/", ".Shop.Example", ("shop.example", "/a/")),
        ("https://shop.example/a/", "shop.example", ("shop.example", "/a/")),
        ("https://cdn.other.example/a/", "shop.example", ("cdn.other.example", "/a/")),
        ("https://workshop.example/a/", "shop.example", ("workshop.example", "/a/")),
    ],
)
def test_a_cookie_is_for_its_prefix_and_for_a_parent_only_if_that_is_one(
    prefix: str, domain: str, expected: tuple[str, str]
) -> None:
    made = cookie(prefix, domain=domain)

    assert (made.domain, made.path) == expected


def test_any_of_several_cookies_may_be_the_right_one() -> None:
    signer = CloudCdnCookieSigner(RING)
    wide, narrow, other = (cookie(f"https://cdn.example/{path}") for path in ("a/", "a/b/", "c/"))
    over = cookie("https://cdn.example/a/", expires=1)
    url = "https://cdn.example/a/b/seg.m4s"

    for sent in (header(wide), header(other, narrow), f"theme=dark; {header(over, wide)}; x", header(narrow, over)):
        assert signer.verify(url, 1000, sent) is Verdict.VALID
    assert signer.verify(url, 1000, header(over, other)) is Verdict.EXPIRED
    assert signer.verify(url, 1000, header(other, over)) is Verdict.OTHER_PATH
    assert signer.verify(url, 1000, "theme=dark") is Verdict.UNSIGNED
    assert signer.verify(url, 1000, f"{NAME}=") is Verdict.MALFORMED


def test_nobody_makes_an_edge_check_hundreds_of_cookies() -> None:
    wrong, right = cookie("https://cdn.example/c/"), cookie("https://cdn.example/a/")

    assert CloudCdnCookieSigner(RING).verify("https://cdn.example/a/x", 0, header(*[wrong] * 7, right)) is Verdict.VALID
    many = header(*[wrong] * 8, right)
    assert CloudCdnCookieSigner(RING).verify("https://cdn.example/a/x", 0, many) is Verdict.OTHER_PATH


def test_the_query_is_the_players_own() -> None:
    url = "https://cdn.example/a/x?_HLS_msn=1"

    assert CloudCdnCookieSigner(RING).verify(url, 0, header(cookie("https://cdn.example/a/"))) is Verdict.VALID


def test_a_cookie_is_not_printed_with_its_value() -> None:
    assert "Signature" not in repr(cookie("https://cdn.example/a/"))
