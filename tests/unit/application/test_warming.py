"""Warm-ups as the outbox pays them; who fetches, and what, is written down by hand-made stand-ins."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import Listed, Receipt
from streaming_service.application.warming import Warming, WarmPlan
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import Region, parse_regions
from streaming_service.domain.rendering import SignedManifest, render_body
from streaming_service.domain.signing.cloud_cdn import CloudCdnSigner
from streaming_service.domain.signing.cloud_cdn_cookie import CloudCdnCookieSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.domain.signing.scheme import SignedCookie, Signer
from streaming_service.domain.warming import Errand, Missed, Warmed, WarmedRegion
from streaming_service.errors import StoreUnavailable
from tests.unit.application.world import CAUSE, World

pytestmark = pytest.mark.anyio

KEYS = Keyring(SigningKey("primary", bytes(16)))
EVERYWHERE = "iad,sfo=https://edge-sfo.example|https://other-sfo.example,ams=agent:https://agent.example"


class Fetching:
    """Warmer: what is in `silent` does not answer, what is in `broken` gets nothing."""

    def __init__(self) -> None:
        self.errands: list[tuple[str, Errand]] = []
        self.listed: list[Errand] = []
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def warm(self, region: Region, errand: Errand) -> Warmed | None:
        self.errands.append((region.name, errand))
        if self.meanwhile:
            await self.meanwhile()
        if region.name in self.silent:
            return None
        if region.name in self.broken:
            return Warmed((), (Missed("/m", "answers 503", 503),))
        return Warmed(("/m", "/s"))

    async def list(self, errand: Errand) -> Listed:
        self.listed.append(errand)
        return Listed((errand.url, f"{errand.url}/s"))


class Telling:
    """WarmControl that takes everything, unless it `refuses`."""

    def __init__(self) -> None:
        self.told: list[tuple[str | None, Listed, tuple[SignedCookie, ...]]] = []
        self.refuses: int | None = None

    async def tell(
        self,
        owed: Notification,
        region: str | None,
        listed: Listed,
        cookies: tuple[SignedCookie, ...],
        seconds: float,
    ) -> WarmedRegion:
        assert seconds > 0
        self.told.append((region, listed, cookies))
        if self.refuses:
            return WarmedRegion(region, "cdn-control", (), (Missed("/m", "busy", self.refuses),), 30.0)
        return WarmedRegion(region, "cdn-control", ("/m", "/s"))


class Desk:
    def __init__(self, regions: str = EVERYWHERE, *, control: bool = True, signer: Signer | None = None) -> None:
        self.world = World()
        self.warmer = Fetching()
        self.control = Telling()
        self.warming = Warming(
            store=self.world.store,
            warmer=self.warmer,
            control=self.control if control else None,
            signer=signer or CloudCdnSigner(KEYS),
            plan=WarmPlan(
                regions=parse_regions(regions),
                bases={Target.PRIMARY: "https://cdn.example", Target.FAILOVER: "https://other.example"},
                playlist="master",
                ttl=120,
                segments=2,
                timeout=1.0,
                seconds=10.0,
            ),
            notifier=self.world.notifier,
            meter=self.world.meter,
            clock=self.world.clock,
            time=lambda: self.world.clock.now().timestamp(),
        )

    async def owed(self, **facts: Any) -> tuple[Channel, Notification]:
        """A content that plays, and the warm-up that is owed since; with other facts if any are given."""
        channel = await self.world.playing()
        (owed,) = self.world.owed("cdn.warmup")
        return channel, replace(owed, facts=facts) if facts else owed

    async def pay(self, owed: Notification) -> Receipt:
        return await self.warming.deliver(owed, render_body(owed, lambda path, base: SignedManifest("", "")))

    def envelopes(self) -> list[Notification]:
        return [item for item in self.world.owed("cdn.warmup") if item.endpoint is Endpoint.BIGQUERY]


async def test_every_region_is_warmed_in_its_own_way() -> None:
    desk = Desk()
    channel, owed = await desk.owed()
    receipt = await desk.pay(owed)

    assert (receipt.ok, receipt.status) == (True, 207)
    assert [name for name, _ in desk.warmer.errands] == ["sfo", "ams"]
    assert [region for region, _, _ in desk.control.told] == ["iad"]
    assert channel.serving is not None
    errand = desk.warmer.errands[0][1]
    assert errand.url.startswith(f"https://cdn.example{channel.serving.path}master.m3u8?")
    assert (errand.segments, errand.target) == (2, Target.PRIMARY)
    (told,) = desk.envelopes()
    assert [(item["region"], item["way"]) for item in told.facts["regions"]] == [
        ("sfo", "edge"),
        ("ams", "agent"),
        ("iad", "cdn-control"),
    ]
    assert (told.facts["warmed"], told.facts["failed"]) == (6, 0)
    assert desk.world.meter.counts["warmed iad"] == 2


async def test_without_a_region_of_its_own_cdn_control_is_told_once_for_all() -> None:
    desk = Desk("sfo=https://edge-sfo.example")
    await desk.pay((await desk.owed())[1])

    assert [region for region, _, _ in desk.control.told] == [None]
    assert desk.world.meter.counts["warmed all"] == 2


async def test_without_cdn_control_regions_that_only_have_a_name_are_left() -> None:
    desk = Desk("iad,sfo=https://edge-sfo.example", control=False)
    receipt = await desk.pay((await desk.owed())[1])

    assert receipt.ok
    assert (desk.warmer.listed, [name for name, _ in desk.warmer.errands]) == ([], ["sfo"])


async def test_cdn_control_gets_the_cookies_of_a_scheme_that_has_any() -> None:
    desk = Desk("iad", signer=CloudCdnCookieSigner(KEYS))
    await desk.pay((await desk.owed())[1])

    ((_, listed, cookies),) = desk.control.told
    assert "?" not in listed.addresses[0]
    assert [cookie.name for cookie in cookies] == ["Cloud-CDN-Cookie"]


async def test_live_contents_have_only_their_playlists_warmed() -> None:
    desk = Desk()
    channel, owed = await desk.owed()
    live = replace(channel, spec=replace(channel.spec, live=True))
    await desk.world.store.commit(change(live, "live", CAUSE), None)
    await desk.pay(owed)

    assert {errand.segments for _, errand in desk.warmer.errands} == {0}


@pytest.mark.parametrize("facts", [{"manifestPath": "/reels/before/master.m3u8"}])
async def test_what_was_replaced_meanwhile_is_not_warmed(facts: dict[str, str]) -> None:
    desk = Desk()
    receipt = await desk.pay((await desk.owed(**facts))[1])

    assert (receipt.ok, receipt.detail) == (True, "nothing to warm: it was replaced meanwhile")
    assert (desk.warmer.errands, desk.control.told, desk.envelopes()) == ([], [], [])


async def test_what_is_retired_is_not_warmed() -> None:
    desk = Desk()
    channel, owed = await desk.owed()
    await desk.world.operations.retire(channel.content_id, CAUSE)

    assert (await desk.pay(owed)).detail == "nothing to warm: it is retired"
    assert desk.warmer.errands == []


async def test_what_is_retired_while_it_is_warmed_is_purged_again() -> None:
    desk = Desk("sfo=https://edge-sfo.example", control=False)
    channel, owed = await desk.owed()
    desk.warmer.meanwhile = lambda: desk.world.operations.retire(channel.content_id, CAUSE)
    assert (await desk.pay(owed)).ok

    assert channel.serving is not None
    purged = [item.facts["path"] for item in desk.world.owed("cdn.purge") if item.endpoint is Endpoint.CDN_CONTROL]
    assert purged == [f"{channel.serving.path}*"] * 2


async def test_two_debts_of_the_same_manifest_are_one_warm_up() -> None:
    desk = Desk()
    _, owed = await desk.owed()
    again = replace(owed, id="n-2")
    desk.world.clock.moment += timedelta(seconds=1)
    await desk.pay(owed)

    assert (await desk.pay(again)).detail == "a later warm-up has done it"
    assert len(desk.envelopes()) == 1
    later = replace(owed, id="n-3", occurred_at=desk.world.clock.now() + timedelta(seconds=1))
    await desk.pay(later)
    assert len(desk.envelopes()) == 2


async def test_a_region_that_got_nothing_is_tried_again_for_a_while() -> None:
    desk = Desk()
    _, owed = await desk.owed()
    desk.warmer.silent.add("ams")
    receipt = await desk.pay(owed)

    assert (receipt.ok, receipt.status) == (False, 207)
    assert receipt.detail.endswith("the agent does not answer; cdn-control iad: 2 warmed")
    desk.world.clock.moment += timedelta(minutes=10)
    assert (await desk.pay(owed)).ok
    assert len(desk.envelopes()) == 2, "each try is told"


async def test_when_nothing_is_warmed_the_outbox_goes_on_trying_and_knows_why() -> None:
    desk = Desk("iad,sfo=https://edge-sfo.example")
    _, owed = await desk.owed()
    desk.warmer.broken.add("sfo")
    desk.control.refuses = 429
    desk.world.clock.moment += timedelta(hours=3)
    receipt = await desk.pay(owed)

    assert (receipt.ok, receipt.status, receipt.retry_after) == (False, 503, 30.0)


async def test_a_content_that_goes_to_the_failover_is_warmed_there() -> None:
    desk = Desk()
    await desk.pay((await desk.owed(target="failover"))[1])

    assert [name for name, _ in desk.warmer.errands] == ["sfo", "ams"]
    assert {errand.url.partition("/reels")[0] for _, errand in desk.warmer.errands} == {"https://other.example"}
    assert desk.control.told == [], "it is in charge of the other caches"


async def test_the_failover_is_warmed_from_here_when_there_is_no_other_way() -> None:
    desk = Desk("iad")
    await desk.pay((await desk.owed(target="failover"))[1])

    assert [name for name, _ in desk.warmer.errands] == ["here"]


async def test_a_store_that_is_down_leaves_it_owed() -> None:
    desk = Desk()
    _, owed = await desk.owed()
    desk.world.store.down = StoreUnavailable("is down")
    with pytest.raises(StoreUnavailable):
        await desk.pay(owed)
