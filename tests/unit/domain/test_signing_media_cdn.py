"""Media CDN: what each scope of a token covers, and where a grant may stand."""

import pytest

from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.media_cdn import MediaCdnSigner
from streaming_service.domain.signing.media_cdn_token import Algorithm, Scope, Seal, make_token
from streaming_service.domain.signing.scheme import Verdict

KEY = SigningKey("prod-vod", bytes(range(32)))
SIGNER = MediaCdnSigner(Keyring(KEY), Algorithm.HMAC_SHA256, "query")
EXPIRES = 1_800_000_000


def asked(path: str, scope: Scope, value: str, host: str = "https://cdn.example") -> Verdict:
    token = make_token(Seal(Algorithm.HMAC_SHA256), KEY, scope, value, EXPIRES)
    return SIGNER.verify(f"{host}{path}?edge-cache-token={token}", 0)


@pytest.mark.parametrize(
    ("globs", "path", "expected"),
    [
        ("/*", "/a/b", Verdict.VALID),
        ("/tv/*,/film/*", "/film/a/b.m4s", Verdict.VALID),
        ("/tv/*!/film/*", "/tv/a", Verdict.VALID),
        ("/tv/*", "/film/a", Verdict.OTHER_PATH),
        ("/tv/s?/a", "/tv/s1/a", Verdict.VALID),
        ("/tv/s?/a", "/tv/s/x/a", Verdict.OTHER_PATH),
        ("/tv/s?a", "/tv/s/a", Verdict.OTHER_PATH),
        ("/a.b", "/axb", Verdict.OTHER_PATH),
        ("/a", "/a/b", Verdict.OTHER_PATH),
        ("/tv/*", "/tv/../film/a", Verdict.OTHER_PATH),
        ("/tv/*", "/tv/%2e%2e/film/a", Verdict.OTHER_PATH),
        ("", "/a", Verdict.OTHER_PATH),
    ],
)
def test_globs(globs: str, path: str, expected: Verdict) -> None:
    assert asked(path, Scope.PATH_GLOBS, globs) is expected


def test_globs_and_paths_are_good_on_every_host_a_prefix_on_its_own() -> None:
    for host, expected in (("https://cdn.example", Verdict.VALID), ("https://b.example", Verdict.OTHER_PATH)):
        assert asked("/a/x", Scope.PATH_GLOBS, "/a/*", host) is Verdict.VALID
        assert asked("/a/x", Scope.FULL_PATH, "/a/x", host) is Verdict.VALID
        assert asked("/a/x", Scope.URL_PREFIX, "https://cdn.example/a/", host) is expected


def test_a_full_path_is_in_the_seal_alone() -> None:
    url = SIGNER.sign_url("https://cdn.example/a/x?b=c", EXPIRES)

    assert url.startswith("https://cdn.example/a/x?b=c&edge-cache-token=FullPath~Expires=")
    assert SIGNER.verify(url, EXPIRES - 1) is Verdict.VALID
    assert SIGNER.verify(url, EXPIRES) is Verdict.EXPIRED
    assert SIGNER.verify(url.replace("/a/x", "/a/y"), 0) is Verdict.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "token",
    [
        "",
        "URLPrefix",
        "URLPrefix=a~Expires=1",
        "Expires=1~URLPrefix=a~hmac=b",
        "URLPrefix~Expires=1~hmac=b",
        "FullPath=/a~Expires=1~hmac=b",
        "acl=/*~Expires=1~hmac=b",
        "URLPrefix=a~Expires=01~hmac=b",
        "URLPrefix=a~Expires=+1~hmac=b",
        "URLPrefix=a~Expires=~hmac=b",
    ],
)
def test_what_is_no_token(token: str) -> None:
    assert SIGNER.verify(f"https://cdn.example/a/x?edge-cache-token={token}", 0) is Verdict.MALFORMED


def test_a_grant_in_the_path_is_what_the_first_of_them_says() -> None:
    signer = MediaCdnSigner(Keyring(KEY), Algorithm.ED25519, "path")
    granted = signer.sign("https://cdn.example/a/", EXPIRES).url("x.m3u8")
    other = signer.sign("https://cdn.example/b/", EXPIRES).url("x.m3u8")

    assert signer.verify(granted, 0) is Verdict.VALID
    assert signer.verify(f"{granted}?edge-cache-token=nonsense", 0) is Verdict.VALID
    assert signer.verify(granted.replace("/a/", "/b/"), 0) is Verdict.WRONG_SIGNATURE
    assert signer.verify(granted.replace("/a/", "/a/c/"), 0) is Verdict.WRONG_SIGNATURE
    moved = granted.replace("https://cdn.example/a", other.removesuffix("/x.m3u8"))
    assert (
        signer.verify(moved, 0) is Verdict.VALID
    )  # below /b/, which is granted; what follows is a name like any other
    for cut in ("Expires=1", "Expires=1&KeyName=prod-vod", "KeyName=prod-vod&Expires=1&Signature=a", ""):
        assert signer.verify(f"https://cdn.example/a/edge-cache-token={cut}/x", 0) is Verdict.MALFORMED
    assert signer.verify(granted.removesuffix("/x.m3u8"), 0) is Verdict.MALFORMED
    assert signer.verify(granted.replace("prod-vod", "other"), 0) is Verdict.UNKNOWN_KEY


def test_what_the_other_place_has_given_out_stays_good() -> None:
    path, query = (MediaCdnSigner(Keyring(KEY), Algorithm.ED25519, place) for place in ("path", "query"))

    assert path.verify(query.sign("https://cdn.example/a/", EXPIRES).url("x"), 0) is Verdict.VALID
    assert query.verify(path.sign("https://cdn.example/a/", EXPIRES).url("x"), 0) is Verdict.VALID
