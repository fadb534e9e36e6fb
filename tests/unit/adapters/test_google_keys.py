"""Google's keys: fetched when they are needed, kept as long as they may be, and never guessed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streaming_service.adapters.google_keys import GoogleKeys, GooglePushTokens
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.domain.push_token import Expected, ForeignToken, InvalidToken
from streaming_service.errors import UpstreamUnavailable
from tests.devkit.google_keys import AUDIENCE, EMAIL, NOW, KeyServer, claims, encoded, jwk, key_server, token

pytestmark = pytest.mark.anyio


class Bench:
    """Verifier and key server, and time that stands still."""

    def __init__(self, google: KeyServer, transport: AiohttpTransport) -> None:
        self.google = google
        self.seconds = 0.0
        keys = GoogleKeys(transport, google.url, monotonic=lambda: self.seconds, timeout=2)
        self.tokens = GooglePushTokens(keys, Expected(AUDIENCE, EMAIL), time=lambda: NOW)

    async def check(self, key: str = "one", /, **changes: Any) -> None:
        await self.tokens.check(token(claims(**changes), key=key))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with key_server("one") as google, AiohttpTransport() as transport:
        yield Bench(google, transport)


async def test_a_good_token_is_accepted_and_the_keys_are_fetched_once(bench: Bench) -> None:
    await asyncio.gather(*[bench.check() for _ in range(20)])

    assert bench.google.asked == 1


async def test_a_wrong_signature_is_refused_before_anything_it_says_counts(bench: Bench) -> None:
    other = token(claims(aud="somebody else"), key="one")
    head, body, signature = token().split(".")
    forgeries = [
        f"{head}.{other.split('.')[1]}.{signature}",
        f"{head}.{body}.{other.split('.')[2]}",
        f"{head}.{body}.{encoded(b'')}A",
        f"{head}.{body}.{signature[:-8]}",
        token(key="two", header={"kid": "one"}),
    ]
    for forged in forgeries:
        with pytest.raises(InvalidToken):
            await bench.tokens.check(forged)


async def test_what_is_valid_and_not_for_us_is_foreign(bench: Bench) -> None:
    refused: list[dict[str, Any]] = [
        {"aud": "https://other.test"},
        {"email": "other@test"},
        {"email_verified": False},
    ]
    for changes in refused:
        with pytest.raises(ForeignToken):
            await bench.check(**changes)


async def test_keys_live_as_long_as_they_may(bench: Bench) -> None:
    await bench.check()
    bench.seconds = 3599
    await bench.check()
    assert bench.google.asked == 1
    bench.seconds = 3600
    await bench.check()
    assert bench.google.asked == 2


async def test_an_answer_that_was_on_its_way_for_long_lives_shorter(bench: Bench) -> None:
    bench.google.headers["age"] = "3500"
    await bench.check()
    bench.seconds = 101
    await bench.check()

    assert bench.google.asked == 2


async def test_an_unknown_key_makes_it_look_again_and_not_all_the_time(bench: Bench) -> None:
    await bench.check()
    bench.google.keys = [jwk("one"), jwk("two")]
    with pytest.raises(InvalidToken, match="does not have"):
        await bench.check("two")
    assert bench.google.asked == 1, "it was asked a moment ago"
    bench.seconds = 30
    await bench.check("two")
    await bench.check()
    assert bench.google.asked == 2

    for number in range(50):
        with pytest.raises(InvalidToken):
            await bench.tokens.check(token(header={"kid": f"made-up-{number}"}))
    assert bench.google.asked == 2


async def test_a_key_that_was_withdrawn_is_none_any_more(bench: Bench) -> None:
    await bench.check()
    bench.google.keys, bench.seconds = [jwk("two")], 3600
    with pytest.raises(InvalidToken):
        await bench.check()


@pytest.mark.parametrize("broken", ["status", "body", "empty", "no keys"])
async def test_while_keys_cannot_be_had_known_ones_go_on_and_others_wait(bench: Bench, broken: str) -> None:
    await bench.check()
    bench.google.status = 500 if broken == "status" else 200
    bench.google.body = {"body": b"<html>", "empty": b"", "no keys": b'{"keys": []}'}.get(broken)
    bench.seconds = 3600

    await bench.check()
    with pytest.raises(UpstreamUnavailable) as caught:
        await bench.check("two")
    assert (caught.value.service, caught.value.retry_after) == ("google-keys", 5.0)
    assert bench.google.asked == 2, "the second one did not ask again at once"

    bench.google.status, bench.google.body, bench.google.keys = 200, None, [jwk("two")]
    bench.seconds = 3605
    await bench.check("two")


async def test_known_keys_do_not_go_on_for_ever(bench: Bench) -> None:
    await bench.check()
    bench.google.status = 500
    bench.seconds = 3600 + 24 * 3600
    with pytest.raises(UpstreamUnavailable):
        await bench.check()


async def test_without_any_key_nobody_gets_in() -> None:
    async with AiohttpTransport() as transport:
        keys = GoogleKeys(transport, "http://127.0.0.1:9/certs", monotonic=lambda: 0.0, timeout=1)
        tokens = GooglePushTokens(keys, Expected(AUDIENCE, EMAIL), time=lambda: NOW)
        with pytest.raises(UpstreamUnavailable):
            await tokens.check(token())


@pytest.mark.parametrize(
    "changes",
    [{"kty": "EC"}, {"alg": "RS512"}, {"use": "enc"}, {"n": "AQAB"}, {"n": "é"}, {"e": "AA"}, {"e": ""}, {"kid": ""}],
)
async def test_only_decent_keys_are_taken(bench: Bench, changes: dict[str, Any]) -> None:
    bench.google.keys = [jwk("one", **changes), jwk("two")]
    await bench.check("two")
    with pytest.raises(InvalidToken):
        await bench.check("one")
