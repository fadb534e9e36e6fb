"""Pub/Sub pushes with Google's token, over real HTTP, with keys fetched from a server of ours."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from streaming_service.adapters.google_keys import GoogleKeys, GooglePushTokens
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.domain.push_token import Expected
from tests.devkit.google_keys import AUDIENCE, EMAIL, NOW, KeyServer, claims, key_server, token
from tests.integration.http.harness import SERVICE_TOKEN, Answer, Harness, serving
from tests.integration.http.test_internal import EVENT, PUSH

pytestmark = pytest.mark.anyio


@pytest.fixture
async def google() -> AsyncIterator[KeyServer]:
    async with key_server("one") as server:
        yield server


@pytest.fixture
async def verifier(google: KeyServer) -> AsyncIterator[GooglePushTokens]:
    async with AiohttpTransport() as transport:
        keys = GoogleKeys(transport, google.url, monotonic=lambda: 0.0, timeout=2)
        yield GooglePushTokens(keys, Expected(AUDIENCE, EMAIL), time=lambda: NOW)


@pytest.fixture
async def pushed(verifier: GooglePushTokens) -> AsyncIterator[Harness]:
    async with serving(push_tokens=verifier) as harness:
        yield harness


async def push(harness: Harness, authorization: str | None = None, **headers: str) -> Answer:
    if authorization is not None:
        headers["authorization"] = f"Bearer {authorization}"
    return await harness.ask("POST", PUSH, headers=headers, json=EVENT)


async def test_googles_token_and_ours_open_and_nothing_else_does(pushed: Harness) -> None:
    assert (await push(pushed, token())).status == 204
    assert (await push(pushed, SERVICE_TOKEN)).status == 204
    assert (await push(pushed, **{"x-service-token": SERVICE_TOKEN})).status == 204
    assert len(pushed.published) == 3

    refused: list[tuple[Answer, int, str]] = [
        (await push(pushed), 401, "missing_push_token"),
        (await push(pushed, "not-one-of-ours"), 403, "wrong_service_token"),
        (await push(pushed, token(claims(exp=NOW - 61))), 401, "invalid_push_token"),
        (await push(pushed, token(key="two", header={"kid": "one"})), 401, "invalid_push_token"),
        (await push(pushed, token(header={"alg": "none"})), 401, "invalid_push_token"),
        (await push(pushed, token(claims(aud="https://other.test"))), 403, "foreign_push_token"),
        (await push(pushed, token(claims(email="other@test.iam"))), 403, "foreign_push_token"),
    ]
    for answer, status, code in refused:
        assert (answer.status, answer.json["code"]) == (status, code)
        assert ("www-authenticate" in answer.headers) is (status == 401)
    assert len(pushed.published) == 3


async def test_it_opens_no_other_route(pushed: Harness) -> None:
    for path in ("/v1/admin/streams", "/internal/qos"):
        answer = await pushed.ask("GET", path, headers={"authorization": f"Bearer {token()}"})
        assert (answer.status, answer.json["code"]) == (403, "wrong_service_token")


async def test_without_keys_it_is_asked_to_come_again(pushed: Harness, google: KeyServer) -> None:
    google.status = 500
    answer = await push(pushed, token())

    assert (answer.status, answer.json["code"]) == (503, "upstream_unavailable")
    assert int(answer.headers["retry-after"]) >= 5
    assert pushed.published == []


async def test_with_google_somebody_has_to_show_something_even_without_service_tokens(
    verifier: GooglePushTokens,
) -> None:
    async with serving(push_tokens=verifier, service_tokens=()) as harness:
        assert (await push(harness)).status == 401
        assert (await push(harness, "anything")).status == 401
        assert (await push(harness, **{"x-service-token": "anything"})).status == 401
        assert (await push(harness, token())).status == 204


async def test_googles_token_is_none_where_it_is_not_expected(running: Harness) -> None:
    answer = await push(running, token())

    assert (answer.status, answer.json["code"]) == (403, "wrong_service_token")


async def test_no_token_gets_into_the_log(pushed: Harness, log: Any) -> None:
    offered = token(claims(aud="https://other.test"))
    await push(pushed, offered)

    assert "push refused" in log.getvalue()
    assert not any(part in log.getvalue() for part in offered.split(".")[1:])
