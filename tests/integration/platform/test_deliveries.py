"""Rendered notifications, delivered by HttpCourier, as the stand-in receivers see them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.adapters.webhooks import HttpCourier, Route
from streaming_service.application.ports import Clock, Receipt
from streaming_service.devkit.platform import Signed, StandInPlatform
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.rendering import Sign, SignedManifest, render_body
from streaming_service.domain.signing.scheme import SignedCookie
from tests.integration.platform.actions import Actions

pytestmark = pytest.mark.anyio

FACTS: Mapping[str, Any] = {
    "manifestPath": "/reels/s-1/master.m3u8",
    "baseUrl": None,
    "channelId": "ch-1",
    "cacheKey": "key",
    "checksum": "sum",
    "retries": 0,
    "path": "/reels/s-1/",
    "ingestRegion": "iad",
}
ID = "0b5c7e0e-6b1c-5c57-8f0a-3d6c2f4a9b11"
CONTENT = "9b2e4c1a-7c1b-4d52-8a3f-2f8f0a1c6d11"
# Nothing else may be in it: docs/analytics.md.
ANALYTICS: Mapping[str, Any] = {
    "manifestPath": "/reels/s-1/master.m3u8",
    "baseUrl": None,
    "channelId": CONTENT,
    "cacheKey": "key",
    "checksum": "sum",
    "retries": 0,
    "generation": 1,
    "incarnation": 1,
    "occurredAt": "2026-01-02T03:04:05.000Z",
}
DEBTS = [
    (Endpoint.CONTENT_CALLBACK, "stream.provisioned", "/content/callback"),
    (Endpoint.GATEWAY_WARMUP, "stream.provisioned", "/gateway/warmup"),
    (Endpoint.CDN_CONTROL, "cdn.warmup", "/cdn/warmup"),
    (Endpoint.CDN_CONTROL, "cdn.purge", "/cdn/purge"),
    (Endpoint.CDN_CONTROL, "cdn.failover", "/cdn/failover"),
    (Endpoint.OBSERVABILITY, "stream.provisioned", "/observability"),
    (Endpoint.BIGQUERY, "stream.provisioned", "/bigquery"),
]


def sign(path: str, base: str | None) -> SignedManifest:
    return SignedManifest(f"{base or 'https://cdn.test'}{path}?signed", "2026-01-02T03:09:05.000Z")


def sign_by_cookie(path: str, base: str | None) -> SignedManifest:
    cookie = SignedCookie(
        "Cloud-CDN-Cookie", "URLPrefix=a:Signature=b=", "cdn.test", "/reels/s-1/", "2026-01-02T03:09:05.000Z"
    )
    return SignedManifest(f"{base or 'https://cdn.test'}{path}", cookie.expires, (cookie,))


async def send(courier: HttpCourier, endpoint: Endpoint, topic: str, sign: Sign = sign) -> Receipt:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    facts = ANALYTICS if endpoint is Endpoint.BIGQUERY else FACTS
    notification = Notification(ID, endpoint, topic, CONTENT, moment, facts, "c-1")
    return await courier.deliver(notification, render_body(notification, sign))


@pytest.mark.parametrize(("endpoint", "topic", "path"), DEBTS)
async def test_every_receiver_understands_what_it_gets(
    courier: HttpCourier, platform: StandInPlatform, endpoint: Endpoint, topic: str, path: str
) -> None:
    receipt = await send(courier, endpoint, topic)

    (received,) = await platform.wait_for(path)
    assert (receipt.ok, receipt.status) == (True, 202)
    assert received.signature is Signed.VALID
    assert received.headers["idempotency-key"] == received.headers["webhook-id"] == ID
    assert received.headers["x-correlation-id"] == "c-1"


async def test_cdn_control_acts(courier: HttpCourier, actions: Actions) -> None:
    await send(courier, Endpoint.CDN_CONTROL, "cdn.purge")
    await send(courier, Endpoint.CDN_CONTROL, "cdn.warmup")

    assert actions.purged == ["/reels/s-1/"]
    assert actions.warmed == ["https://cdn.test/reels/s-1/master.m3u8?signed"]
    assert actions.cookies == [""]


async def test_a_warm_up_has_the_cookies_that_it_needs(courier: HttpCourier, actions: Actions) -> None:
    await send(courier, Endpoint.CDN_CONTROL, "cdn.warmup", sign_by_cookie)

    assert actions.warmed == ["https://cdn.test/reels/s-1/master.m3u8"]
    assert actions.cookies == ["Cloud-CDN-Cookie=URLPrefix=a:Signature=b="]


async def test_a_wrong_signature_and_a_wrong_key_are_seen(
    transport: AiohttpTransport, platform: StandInPlatform, routes: dict[Endpoint, Route], clock: Clock
) -> None:
    unsigned = HttpCourier(transport, routes, clock=clock)
    forged = HttpCourier(transport, routes, clock=clock, secrets=["whsec_b3RoZXI="])
    keyless = HttpCourier(transport, {Endpoint.CDN_CONTROL: Route(f"{platform.url}/cdn")}, clock=clock)

    assert (await send(unsigned, Endpoint.BIGQUERY, "stream.provisioned")).ok
    assert (await send(forged, Endpoint.BIGQUERY, "stream.provisioned")).ok
    assert (await send(keyless, Endpoint.CDN_CONTROL, "cdn.purge")).status == 401

    assert [item.signature for item in platform.received("/bigquery")] == [Signed.MISSING, Signed.INVALID]


async def test_analytics_takes_what_its_schema_says_and_nothing_else(courier: HttpCourier) -> None:
    assert (await send(courier, Endpoint.BIGQUERY, "stream.provisioned")).status == 202
    refused = await send(courier, Endpoint.BIGQUERY, "cdn.purge")
    assert (refused.status, "unknown field" in refused.detail) == (422, True)


async def test_injected_failures_reach_the_receipt(courier: HttpCourier, platform: StandInPlatform) -> None:
    platform.fail("/bigquery", 503, times=2, retry_after=30)
    busy = [await send(courier, Endpoint.BIGQUERY, "stream.provisioned") for _ in range(3)]
    platform.fail("/bigquery", 410)
    gone = await send(courier, Endpoint.BIGQUERY, "stream.provisioned")
    platform.fail("/bigquery", None)
    silent = await send(courier, Endpoint.BIGQUERY, "stream.provisioned")

    assert [(receipt.status, receipt.retry_after) for receipt in busy] == [(503, 30), (503, 30), (202, None)]
    assert gone.gone
    assert (silent.ok, silent.status) == (False, None)
    assert [item.status for item in platform.received("/bigquery")] == [503, 503, 202, 410, None]
