"""HttpTokenService against the stand-in auth service."""

from datetime import UTC, datetime, timedelta

import pytest

from streaming_service.adapters.auth_service import HttpTokenService
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.application.ports import Clock
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.domain.access import Refusal, check_viewer
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable

pytestmark = pytest.mark.anyio

PATH = "/auth/api/v1/auth/introspect"


def connect(
    caller: ResilientCaller, platform: StandInPlatform, clock: Clock, key: str = "auth-key"
) -> HttpTokenService:
    return HttpTokenService(caller, f"{platform.url}/auth", "/api/v1/auth/introspect", key, timeout=2, clock=clock)


@pytest.fixture
def tokens(caller: ResilientCaller, platform: StandInPlatform, clock: Clock) -> HttpTokenService:
    return connect(caller, platform, clock)


async def test_the_demo_viewer_may_watch_for_an_hour(tokens: HttpTokenService) -> None:
    viewer = await tokens.introspect("viewer-demo", "c-1")

    assert viewer is not None
    now = datetime.now(UTC)
    assert check_viewer(viewer, now) is None
    assert viewer.expires_at is not None
    assert timedelta(minutes=59) < viewer.expires_at - now <= timedelta(hours=1)
    assert viewer.entitlements == ()
    assert viewer.country is None


@pytest.mark.parametrize(("token", "country"), [("viewer-us", "US"), ("viewer-de", "DE")])
async def test_some_viewers_come_from_somewhere(tokens: HttpTokenService, token: str, country: str) -> None:
    viewer = await tokens.introspect(token, "c-1")

    assert viewer is not None
    assert viewer.country == country


@pytest.mark.parametrize(
    ("token", "refusal"), [("viewer-expired", Refusal.INACTIVE_TOKEN), ("viewer-no-scope", Refusal.MISSING_SCOPE)]
)
async def test_some_viewers_may_not(tokens: HttpTokenService, token: str, refusal: Refusal) -> None:
    viewer = await tokens.introspect(token, "c-1")

    assert viewer is not None
    assert check_viewer(viewer, datetime.now(UTC)) is refusal


async def test_unknown_and_revoked_tokens_are_not_active(tokens: HttpTokenService, platform: StandInPlatform) -> None:
    platform.tokens.revoke("viewer-demo")

    assert await tokens.introspect("nobody", "c-1") is None
    assert await tokens.introspect("viewer-demo", "c-1") is None


async def test_a_test_adds_its_own_tokens(tokens: HttpTokenService, platform: StandInPlatform) -> None:
    platform.tokens.add("mine", {"active": True, "sub": "me", "scope": "streams.read"})
    viewer = await tokens.introspect("mine", "c-1")

    assert viewer is not None
    assert viewer.user_id == "me"


async def test_our_own_wrong_key_is_our_problem(
    caller: ResilientCaller, platform: StandInPlatform, clock: Clock
) -> None:
    with pytest.raises(UpstreamRejected) as caught:
        await connect(caller, platform, clock, "wrong").introspect("viewer-demo", "c-1")

    assert caught.value.status == 401


async def test_a_hiccup_is_ridden_out(tokens: HttpTokenService, platform: StandInPlatform) -> None:
    platform.fail(PATH, 503, times=1)
    assert await tokens.introspect("viewer-demo", "c-1")

    platform.fail(PATH, None, times=2)
    assert await tokens.introspect("viewer-demo", "c-1")


async def test_an_outage_is_not(tokens: HttpTokenService, platform: StandInPlatform) -> None:
    platform.fail(PATH, 503, times=None, retry_after=120)
    with pytest.raises(UpstreamUnavailable) as caught:
        await tokens.introspect("viewer-demo", "c-1")
    assert (caught.value.status, caught.value.retry_after) == (503, 120)

    platform.heal(PATH)
    assert await tokens.introspect("viewer-demo", "c-1")


async def test_what_the_service_saw(tokens: HttpTokenService, platform: StandInPlatform) -> None:
    await tokens.introspect("viewer-demo", "c-1")

    (received,) = platform.received(PATH)
    assert received.headers["x-correlation-id"] == "c-1"
    assert received.headers["traceparent"].startswith("00-4bf9")
    assert "authorization" not in received.headers
    assert "viewer-demo" not in str(received.body)
