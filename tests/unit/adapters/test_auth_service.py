"""Introspection: both shapes, every refusal, and that nothing fails open."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from streaming_service.adapters.auth_service import HttpTokenService
from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.domain.access import Viewer, check_viewer
from streaming_service.errors import UpstreamError, UpstreamRejected, UpstreamUnavailable
from tests.unit.adapters.servers import ManualClock, OneAnswer, Serve

pytestmark = pytest.mark.anyio

CONTENT = "0b5c7e0e-6b1c-4c57-8f0a-3d6c2f4a9b11"
EXPIRES = datetime(2026, 1, 2, 4, 0, tzinfo=UTC)


def service(caller: OneAnswer) -> HttpTokenService:
    return HttpTokenService(
        caller, "http://auth.test/", "/api/v1/auth/introspect", "internal", timeout=2, clock=ManualClock()
    )


Ask = Callable[..., Awaitable[Viewer | None]]


@pytest.fixture
def ask() -> Ask:
    async def _ask(status: int, body: Any, headers: dict[str, str] | None = None) -> Viewer | None:
        return await service(OneAnswer(status, body, headers)).introspect("viewer-token", "c-1")

    return _ask


async def test_the_question() -> None:
    caller = OneAnswer(200, {"active": False})
    await service(caller).introspect("viewer-token", "c-1")

    ((request, retry),) = caller.asked
    assert (request.method, request.url) == ("POST", "http://auth.test/api/v1/auth/introspect")
    assert request.headers["authorization"] == "Bearer internal"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-correlation-id"] == "c-1"
    assert json.loads(request.body) == {"token": "viewer-token"}
    assert (request.timeout, retry) == (2, True)


async def test_the_platforms_shape(ask: Ask) -> None:
    viewer = await ask(
        200,
        {
            "userId": "u-1",
            "scopes": ["streams.read", "profile"],
            "entitlements": [CONTENT.upper(), "bundle"],
            "geo": "de",
            "expiresAt": "2026-01-02T05:00:00.000+01:00",
            "sessionId": "s-1",
            "tenantId": "t-1",
            "somethingNew": {"x": 1},
        },
    )

    assert viewer == Viewer(
        user_id="u-1",
        scopes=frozenset({"streams.read", "profile"}),
        entitlements=(CONTENT, "bundle"),
        country="DE",
        session_id="s-1",
        tenant_id="t-1",
        expires_at=EXPIRES,
    )


async def test_rfc_7662s_shape(ask: Ask) -> None:
    viewer = await ask(200, {"active": True, "scope": " streams.read  openid", "sub": 42, "exp": EXPIRES.timestamp()})

    assert viewer == Viewer(user_id="42", scopes=frozenset({"streams.read", "openid"}), expires_at=EXPIRES)


@pytest.mark.parametrize(
    ("geo", "country"),
    [(None, None), ("", None), ({}, None), ("us", "US"), ({"country": "US"}, "US"), ({"countryCode": "fr"}, "FR")],
)
async def test_geo(ask: Ask, geo: Any, country: str | None) -> None:
    viewer = await ask(200, {"scopes": [], "geo": geo})

    assert viewer is not None
    assert viewer.country == country


@pytest.mark.parametrize(
    "value", ["2026-01-02T04:00:00Z", EXPIRES.timestamp(), 1767326400, 1767326400000, "1767326400"]
)
async def test_spellings_of_the_expiry(ask: Ask, value: Any) -> None:
    viewer = await ask(200, {"expiresAt": value})

    assert viewer is not None
    assert viewer.expires_at == EXPIRES


async def test_of_two_expiries_the_earlier_counts(ask: Ask) -> None:
    viewer = await ask(200, {"expiresAt": "2030-01-01T00:00:00Z", "exp": 1767326400})

    assert viewer is not None
    assert viewer.expires_at == EXPIRES


async def test_an_answer_without_scopes_has_none(ask: Ask) -> None:
    viewer = await ask(200, {"active": True, "userId": "u"})

    assert viewer is not None
    assert viewer.scopes == frozenset()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"active": False}),
        (200, {"active": "false"}),
        (200, {"active": False, "exp": "rubbish"}),
        (401, {"code": "token_expired"}),
        (401, {"active": False}),
        (403, {"error": "TOKEN-REVOKED"}),
        (404, {"error": "token_not_found", "message": "…"}),
        (404, {"error": "invalid_token"}),
        (400, {"error": "invalid_token"}),
        (410, {"code": "expired_token"}),
        (422, {"error": "invalid_token"}),
    ],
)
async def test_a_token_that_is_not_active(ask: Ask, status: int, body: Any) -> None:
    assert await ask(status, body) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (401, {"error": "invalid_token"}),
        (401, {"error": "Unauthorized", "statusCode": 401}),
        (403, {"error": "insufficient_scope"}),
        (404, {"message": "Route POST:/x not found", "error": "Not Found", "statusCode": 404}),
        (404, b"<html>"),
        (400, {"error": ["token_expired"]}),
        (301, b""),
        (302, {"active": False}),
        (418, {"active": False}),
    ],
)
async def test_a_refusal_of_us_is_not_a_refusal_of_the_viewer(ask: Ask, status: int, body: Any) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await ask(status, body)

    assert (caught.value.service, caught.value.status) == ("auth", status)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        "ok",
        None,
        {"active": "yes"},
        {"active": 1},
        {"active": None},
        {"scopes": 7},
        {"scopes": {"streams.read": True}},
        {"scopes": ["streams.read", 7]},
        {"scopes": [], "entitlements": "all"},
        {"scopes": [], "entitlements": [7]},
        {"scopes": [], "entitlements": [None]},
        {"scopes": [], "entitlements": {"id": 1}},
        {"scopes": [], "geo": "Germany"},
        {"scopes": [], "geo": 49},
        {"scopes": [], "geo": {"country": ["DE"]}},
        {"scopes": [], "expiresAt": "tomorrow"},
        {"scopes": [], "expiresAt": ""},
        {"scopes": [], "expiresAt": "2026-01-02T04:00:00"},
        {"scopes": [], "expiresAt": True},
        {"scopes": [], "expiresAt": {}},
        {"scopes": [], "expiresAt": "9" * 5000},
        {"scopes": [], "exp": 10**30},
        b'{"scopes": [], "exp": 1e400}',
        {"scopes": [], "userId": {"id": 1}},
        {"scopes": [], "sessionId": True},
    ],
)
async def test_an_answer_without_sense_is_rejected(ask: Ask, body: Any) -> None:
    with pytest.raises(UpstreamRejected):
        await ask(200, body)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_an_overloaded_service_is_unavailable(ask: Ask, status: int) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        await ask(status, b"", {"retry-after": "7"})

    assert (caught.value.status, caught.value.retry_after) == (status, 7)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
async def test_the_token_is_in_no_error(ask: Ask, status: int) -> None:
    echo = {"active": "viewer-token", "error": "viewer-token", "expiresAt": "viewer-token"}
    with pytest.raises(UpstreamError) as caught:
        await ask(status, echo)

    error: BaseException | None = caught.value
    while error is not None:
        assert "viewer-token" not in repr(error)
        error = error.__cause__


@given(
    st.dictionaries(
        st.sampled_from(["active", "scopes", "scope", "entitlements", "geo", "expiresAt", "exp", "userId", "sub"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.floats(allow_nan=False),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
            max_leaves=5,
        ),
    )
)
async def test_whatever_comes_is_a_viewer_nobody_or_a_typed_error(answer: dict[str, Any]) -> None:
    try:
        viewer = await service(OneAnswer(200, answer)).introspect("t", "c")
    except UpstreamRejected:
        return
    if viewer and check_viewer(viewer, datetime(2026, 1, 1, tzinfo=UTC)) is None:
        assert "streams.read" in json.dumps(answer)
        assert answer.get("active", True) in (True, "true")


async def test_over_http(transport: AiohttpTransport, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"userId": "u", "scopes": [(await request.json())["token"]]})

    class Plain:
        async def call(self, request: Request, *, retry: bool = False) -> Response:
            return await transport.send(request)

    tokens = HttpTokenService(Plain(), await serve(handler), "introspect", None, timeout=2, clock=ManualClock())
    viewer = await tokens.introspect("tökén", "c")

    assert viewer is not None
    assert viewer.scopes == {"tökén"}
