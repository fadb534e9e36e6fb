"""`sign` and `verify`, as somebody types them who wants to know why a player gets 403."""

import json
from pathlib import Path

import pytest

from tests.acceptance.test_cli import run

pytestmark = pytest.mark.anyio

SHORT, LONG = "AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SCHEMES = {
    "cloud-cdn": SHORT,
    "cloud-cdn-cookie": SHORT,
    "media-cdn": LONG,
    "ome": "1kU^b6",
    "hmac": LONG,
}
PATH = "/reels/ss-1/master.m3u8"


def variables(scheme: str) -> dict[str, str]:
    return {
        "CDN_SIGNING_SCHEME": scheme,
        "CDN_SIGNING_SECRET": SCHEMES[scheme],
        "CDN_BASE_URL": "https://cdn.example:8443",
    }


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_what_is_signed_verifies_until_it_ends(tmp_path: Path, scheme: str) -> None:
    code, output = await run(tmp_path, "sign", PATH, "--json", **variables(scheme))
    assert code == 0
    signed = json.loads(output)
    cookie = "; ".join(f"{item['name']}={item['value']}" for item in signed["cookies"])
    assert bool(cookie) is (scheme == "cloud-cdn-cookie")

    asked = ("verify", signed["url"], "--cookie", cookie)
    assert await run(tmp_path, *asked, **variables(scheme)) == (0, "valid: an edge with these keys serves it")
    code, output = await run(tmp_path, *asked, "--at", signed["expiresAt"], "--json", **variables(scheme))
    assert (code, json.loads(output)["verdict"]) == (1, "expired")
    code, output = await run(
        tmp_path, "verify", signed["url"].replace("ss-1", "ss-2"), "--cookie", cookie, **variables(scheme)
    )
    assert (code, output.partition(":")[0] in {"other_path", "wrong_signature"}) == (1, True)
    code, output = await run(tmp_path, "verify", f"https://cdn.example:8443{PATH}", **variables(scheme))
    assert (code, output) == (1, "unsigned: it carries no signature of this scheme")


async def test_a_cookie_is_printed_as_curl_wants_it(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "sign", PATH, "--ttl", "60", **variables("cloud-cdn-cookie"))
    url, cookie = output.splitlines()

    assert (code, url) == (0, f"https://cdn.example:8443{PATH}")
    assert cookie.startswith("Cookie: Cloud-CDN-Cookie=URLPrefix=")


async def test_one_url_alone_and_a_wider_prefix(tmp_path: Path) -> None:
    code, exact = await run(tmp_path, "sign", PATH, "--exact", **variables("cloud-cdn"))
    assert (code, "URLPrefix" in exact) == (0, False)
    assert (await run(tmp_path, "verify", exact, **variables("cloud-cdn")))[0] == 0
    prefix = "https://cdn.example:8443/reels/"
    code, wide = await run(tmp_path, "sign", PATH, "--prefix", prefix, **variables("cloud-cdn"))
    assert code == 0
    assert (await run(tmp_path, "verify", wide.replace("ss-1", "ss-2"), **variables("cloud-cdn")))[0] == 0


@pytest.mark.parametrize(
    ("scheme", "arguments", "complaint"),
    [
        ("hmac", ("sign", PATH, "--exact"), "hmac signs prefixes only"),
        ("cloud-cdn", ("sign", PATH, "--session", "s"), "cloud-cdn does not sign sessions"),
        ("hmac", ("sign", PATH, "--session", "a b"), "session: is not up to 64 letters"),
        ("cloud-cdn", ("sign", "cdn.example/a"), "URL: is neither"),
        ("cloud-cdn", ("sign", "https://cdn.example"), "URL: is neither"),
        ("cloud-cdn", ("sign", PATH, "--prefix", "https://other.example/"), "--prefix: is not"),
        ("cloud-cdn", ("verify", PATH, "--at", "yesterday"), "--at: is not an ISO 8601"),
    ],
)
async def test_wrong_usage_says_what_is_wrong(
    tmp_path: Path, scheme: str, arguments: tuple[str, ...], complaint: str
) -> None:
    code, output = await run(tmp_path, *arguments, **variables(scheme))

    assert (code, complaint in output) == (2, True), output


async def test_without_a_key_there_is_nothing_to_sign_with(tmp_path: Path) -> None:
    code, output = await run(tmp_path, "sign", "https://cdn.example/a", CDN_SIGNING_SCHEME="hmac")

    assert (code, "CDN_SIGNING_SECRET: is required" in output, "rand 32" in output) == (2, True, True)


async def test_a_rotation_step_by_step(tmp_path: Path) -> None:
    """What docs/signing.md says to do, with a URL of before in hand."""
    base = variables("cloud-cdn")
    old = {**base, "CDN_SIGNING_KEY_ID": "2026a"}
    new_key = "DwAODQwLCgkIBwYFBAMCAQ=="
    announced = {**old, "CDN_SIGNING_NEXT_KEY_ID": "2026b", "CDN_SIGNING_NEXT_SECRET": new_key}
    switched = {
        **base,
        "CDN_SIGNING_KEY_ID": "2026b",
        "CDN_SIGNING_SECRET": new_key,
        "CDN_SIGNING_RETIRED_KEYS": f"2026a={SHORT}@2999-01-01T00:00:00Z",
    }
    over = {**switched, "CDN_SIGNING_RETIRED_KEYS": ""}
    _, before = await run(tmp_path, "sign", PATH, **old)
    _, after = await run(tmp_path, "sign", PATH, **switched)

    assert ("KeyName=2026a" in before, "KeyName=2026b" in after) == (True, True)
    for step in (old, announced, switched):
        assert (await run(tmp_path, "verify", before, **step))[0] == 0
    for step in (announced, switched, over):
        assert (await run(tmp_path, "verify", after, **step))[0] == 0
    assert (await run(tmp_path, "verify", before, **over))[1].startswith("unknown_key")
