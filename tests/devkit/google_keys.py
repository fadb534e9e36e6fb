"""Google's side of a push: keys of our own making, tokens signed with them, and a server that publishes them."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from tests.unit.adapters.servers import serving

AUDIENCE = "https://streaming.test/internal/events/pubsub"
EMAIL = "pusher@project.iam.gserviceaccount.com"
NOW = 1_800_000_000.0


@cache
def private_key(name: str, bits: int = 2048) -> RSAPrivateKey:
    """The same one for the same name: making one takes a while."""
    del name
    return generate_private_key(65537, bits)


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """What Pub/Sub says in a token; a change to None leaves the claim out."""
    said: dict[str, Any] = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": "1234567890",
        "sub": "1234567890",
        "email": EMAIL,
        "email_verified": True,
        "iat": NOW - 10,
        "exp": NOW + 3590,
    }
    return {name: value for name, value in {**said, **changes}.items() if value is not None}


def token(said: Mapping[str, Any] | None = None, *, key: str = "one", header: Mapping[str, Any] | None = None) -> str:
    """Signed with the key of that name; `header` changes the token's own."""
    top = {"alg": "RS256", "kid": key, "typ": "JWT", **(header or {})}
    signed = f"{encoded(json.dumps(top).encode())}.{encoded(json.dumps(said or claims()).encode())}"
    return f"{signed}.{encoded(private_key(key).sign(signed.encode(), PKCS1v15(), SHA256()))}"


def jwk(name: str, **changes: Any) -> dict[str, Any]:
    """The public half as it is published."""
    numbers = private_key(name).public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    published = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name, "n": encoded(modulus), "e": "AQAB"}
    return {**published, **changes}


class KeyServer:
    """Publishes `keys`, or answers with `status` when that is set, and counts who asks."""

    def __init__(self, *names: str) -> None:
        self.keys = [jwk(name) for name in names]
        self.status = 200
        self.body: bytes | None = None
        self.headers = {"cache-control": "public, max-age=3600, must-revalidate, no-transform"}
        self.asked = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        del request
        self.asked += 1
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        return web.Response(status=self.status, body=body, headers=self.headers, content_type="application/json")


@asynccontextmanager
async def key_server(*names: str) -> AsyncGenerator[KeyServer]:
    """On loopback, with the keys of these names."""
    server = KeyServer(*names)
    async with serving(server.answer) as url:
        server.url = f"{url}/oauth2/v3/certs"
        yield server
