"""CDN control as it is told of a warm-up: each address once, signed like a delivery, and left alone when it is ill."""

from datetime import UTC, datetime

import pytest

from streaming_service.adapters.warming.control import CourierWarmControl
from streaming_service.adapters.webhooks import HttpCourier
from streaming_service.application.ports import Listed
from streaming_service.devkit.platform import Signed, StandInPlatform
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.signing.scheme import SignedCookie
from streaming_service.domain.warming import Missed
from tests.integration.platform.actions import Actions

pytestmark = pytest.mark.anyio

OWED = Notification("n-1", Endpoint.CDN_WARMUP, "cdn.warmup", "content-1", datetime(2026, 1, 2, tzinfo=UTC), {}, "c-1")
BASE = "https://cdn.test/reels/s-1"
URLS = tuple(f"{BASE}/{name}?signed" for name in ("master.m3u8", "v.m3u8", "seg_0.m4s"))
PATHS = ("/reels/s-1/master.m3u8", "/reels/s-1/v.m3u8", "/reels/s-1/seg_0.m4s")


async def test_every_address_is_told_with_its_region(
    courier: HttpCourier, platform: StandInPlatform, actions: Actions
) -> None:
    control = CourierWarmControl(courier, concurrency=2)
    said = await control.tell(OWED, "iad", Listed(URLS), (), 5.0)

    assert (said.region, said.way, sorted(said.warmed), said.missed) == ("iad", "cdn-control", sorted(PATHS), ())
    assert sorted(actions.warmed) == sorted(URLS)
    received = platform.received("/cdn/warmup")
    assert received[0].body == {"url": URLS[0], "region": "iad"}, "the manifest first"
    assert {item.signature for item in received} == {Signed.VALID}
    assert {item.headers["x-correlation-id"] for item in received} == {"c-1"}
    assert len({item.headers["idempotency-key"] for item in received}) == 3
    again = await control.tell(OWED, "iad", Listed(URLS[:1]), (), 5.0)
    assert again.warmed
    assert platform.received("/cdn/warmup")[-1].headers["idempotency-key"] == received[0].headers["idempotency-key"]


async def test_for_all_regions_no_region_is_named_and_cookies_come_along(
    courier: HttpCourier, platform: StandInPlatform, actions: Actions
) -> None:
    cookie = SignedCookie("Cloud-CDN-Cookie", "a:b", "cdn.test", "/reels/s-1/", "2026-01-02T03:09:05.000Z")
    await CourierWarmControl(courier, concurrency=2).tell(OWED, None, Listed(URLS[:1]), (cookie,), 5.0)

    (received,) = platform.received("/cdn/warmup")
    assert set(received.body) == {"url", "cookies"}
    assert actions.cookies == ["Cloud-CDN-Cookie=a:b"]


async def test_one_that_is_ill_is_told_nothing_more(courier: HttpCourier, platform: StandInPlatform) -> None:
    platform.fail("/cdn/warmup", 429, retry_after=30)
    said = await CourierWarmControl(courier, concurrency=2).tell(OWED, "iad", Listed(URLS), (), 5.0)

    assert len(platform.received("/cdn/warmup")) == 1
    assert (said.warmed, {item.path for item in said.missed}, said.retry_after) == ((), set(PATHS), 30)


async def test_one_address_that_it_does_not_like_is_only_that(courier: HttpCourier, platform: StandInPlatform) -> None:
    platform.fail("/cdn/warmup", 500, times=1)
    said = await CourierWarmControl(courier, concurrency=2).tell(OWED, "iad", Listed(URLS), (), 5.0)

    assert ([item.path for item in said.missed], len(said.warmed)) == ([PATHS[0]], 2)


async def test_what_could_not_be_listed_is_missed_as_well(courier: HttpCourier) -> None:
    unknown = Missed("/reels/s-1/w.m3u8", "answers 503", 503)
    said = await CourierWarmControl(courier, concurrency=2).tell(OWED, "iad", Listed(URLS, (unknown,)), (), 5.0)

    assert (len(said.warmed), said.missed) == (3, (unknown,))


async def test_it_is_over_when_its_time_is(courier: HttpCourier, platform: StandInPlatform) -> None:
    platform.fail("/cdn/warmup", None)
    said = await CourierWarmControl(courier, concurrency=2).tell(OWED, "iad", Listed(URLS), (), 0.0)

    assert {item.reason for item in said.missed} == {"there was no time left for it"}
