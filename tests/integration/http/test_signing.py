"""Every scheme over HTTP: what viewers and internal callers are handed is what an edge lets in."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.http.harness import CDN, CONTENT, playable, serving
from tests.signing import FORMS, signer

pytestmark = pytest.mark.anyio

SESSION = "0F8FAD5B-D9CB-469F-A165-70867728950E"
ROOT = f"/reels/ss-{CONTENT.replace('-', '')}-1/"


def verdict(form: str, url: str, body: dict[str, Any]) -> str:
    cookies = "; ".join(f"{item['name']}={item['value']}" for item in body.get("cookies", ()))
    return signer(form).verify(url, int(time.time()), cookies)


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_handed_out_is_let_in(form: str) -> None:
    async with serving(signer(form)) as running:
        await running.add(playable())
        manifest = (await running.watch(query=f"?session={SESSION}")).json
        internal = (await running.admin("GET", f"/internal/playback/{CONTENT}")).json

    assert verdict(form, manifest["manifestUrl"], manifest) == "valid"
    assert verdict(form, internal["playbackUrl"], internal) == "valid"
    # A session is signed in its one spelling, whatever the player's was.
    assert (f"&Session={SESSION.lower()}" in manifest["manifestUrl"]) is (form == "hmac")
    assert "Session" not in internal["playbackUrl"]
    if form != "cloud-cdn-cookie":
        assert "cookies" not in manifest
        assert "cookies" not in internal


async def test_a_cookie_says_where_and_until_when_it_is_good() -> None:
    async with serving(signer("cloud-cdn-cookie")) as running:
        await running.add(playable())
        body = (await running.watch()).json

    assert body["manifestUrl"] == f"{CDN}{ROOT}master.m3u8"
    (cookie,) = body["cookies"]
    value = cookie.pop("value")
    assert cookie == {
        "name": "Cloud-CDN-Cookie",
        "domain": "cdn.test",
        "path": ROOT,
        "expires": body["expiresAt"],
    }
    expires = int(value.partition("Expires=")[2].partition(":")[0])
    assert datetime.strptime(body["expiresAt"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp() == expires


async def test_the_description_tells_of_cookies() -> None:
    async with serving() as running:
        document = (await running.ask("GET", "/openapi.json")).json

    schemas = document["components"]["schemas"]
    for name in ("ManifestAnswer", "SignedPlayback"):
        described = schemas[name]["properties"]["cookies"]
        assert described["items"] == {"$ref": "#/components/schemas/SignedCookie"}
        assert "cloud-cdn-cookie" in described["description"]
        assert "cookies" not in schemas[name]["required"]
    assert set(schemas["SignedCookie"]["properties"]) == {"name", "value", "domain", "path", "expires"}
