"""The stand-in platform with its doors locked, and real adapters that hold the keys."""

import time
from base64 import b64encode
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.adapters.webhooks import HttpCourier, Route
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.domain.notification import Endpoint
from tests.integration.platform.actions import Actions

SECRET = "whsec_" + b64encode(b"a secret of 24 bytes ...").decode()


class HastyClock:
    """The real time, but nobody waits."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        del seconds


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def actions() -> Actions:
    return Actions()


@pytest.fixture
async def platform(actions: Actions) -> AsyncGenerator[StandInPlatform]:
    async with StandInPlatform(
        auth_token="auth-key",
        content_token="content-key",
        cdn_token="cdn-key",
        webhook_secret=SECRET,
        on_purge=actions.purged.append,
        on_warmup=actions.warm,
    ) as running:
        yield running


@pytest.fixture
async def transport() -> AsyncGenerator[AiohttpTransport]:
    async with AiohttpTransport() as carrier:
        yield carrier


@pytest.fixture
def caller(transport: AiohttpTransport, clock: HastyClock) -> ResilientCaller:
    return ResilientCaller(
        "platform",
        transport,
        Breaker("platform", time.monotonic, failures=50),
        clock=clock,
        monotonic=time.monotonic,
        jitter=lambda: 0.5,
        context=lambda: {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    )


@pytest.fixture
def routes(platform: StandInPlatform) -> dict[Endpoint, Route]:
    return {
        Endpoint.CONTENT_CALLBACK: Route(f"{platform.url}/content/callback"),
        Endpoint.GATEWAY_WARMUP: Route(f"{platform.url}/gateway/warmup"),
        Endpoint.CDN_CONTROL: Route(f"{platform.url}/cdn", "cdn-key"),
        Endpoint.OBSERVABILITY: Route(f"{platform.url}/observability"),
        Endpoint.BIGQUERY: Route(f"{platform.url}/bigquery"),
    }


@pytest.fixture
def courier(transport: AiohttpTransport, routes: dict[Endpoint, Route], clock: HastyClock) -> HttpCourier:
    return HttpCourier(transport, routes, clock=clock, secrets=[SECRET])
