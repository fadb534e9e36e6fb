"""What is asked of probes, and what becomes of what they find."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.application.playback import Refused
from streaming_service.application.probing import ProbeReport
from streaming_service.domain.access import Refusal
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.domain.history import change
from streaming_service.domain.probe import ProbeVerdict, Target
from streaming_service.errors import StoreUnavailable
from tests.fakes import NOW
from tests.unit.application.lookout import Lookout
from tests.unit.application.world import CAUSE, content_id, request

pytestmark = pytest.mark.anyio


async def report(lookout: Lookout, number: int = 1) -> ProbeReport:
    found = await lookout.probing.probe_now(content_id(number), CAUSE)
    assert isinstance(found, ProbeReport), found
    return found


async def test_bare_labels_share_a_look_and_all_others_have_their_own() -> None:
    lookout = Lookout("iad,sfo,fra=https://edge.example,ams=agent:http://agent.test")
    await lookout.playing()
    lookout.prober.fails("iad", ProbeVerdict.GAP)
    probed = await lookout.probe()

    asked = [(region, journey.target) for region, journey in lookout.prober.asked]
    regions = ["iad", "fra", "ams"]
    assert asked == [(region, target) for target in Target for region in regions]
    assert lookout.probing.plan.cost == 6
    verdicts = {item.region: item.verdict.value for item in probed.observations if item.target is Target.PRIMARY}
    assert verdicts == {"iad": "gap", "sfo": "gap", "fra": "ok", "ams": "ok"}


async def test_the_journey_is_what_viewers_are_sent_on() -> None:
    lookout = Lookout("iad")
    channel = await lookout.playing()
    assert channel.serving
    await lookout.probe()

    expires = int(lookout.clock.time()) + 300
    primary, failover = (journey for _, journey in lookout.prober.asked)
    assert primary.url == f"https://cdn.example{channel.serving.path}master.m3u8?expires={expires}"
    assert failover.url == f"https://failover.example{channel.serving.path}master.m3u8?expires={expires}"
    assert primary.grant == f"expires={expires}"
    assert lookout.signer.signed == [
        (f"https://cdn.example{channel.serving.path}", expires),
        (f"https://failover.example{channel.serving.path}", expires),
    ]
    assert (primary.rungs, primary.timeout, primary.patient) == (channel.serving.rungs, 3.0, False)


async def test_a_fitted_ladder_promises_what_it_really_has() -> None:
    lookout = Lookout("iad", failover=False)
    channel = await lookout.playing()
    assert channel.serving
    fitted = channel.serving.rungs[1:]
    touched = replace(channel, serving=replace(channel.serving, fitted=fitted))
    await lookout.world.store.commit(change(touched, "test", CAUSE), None)
    await lookout.probe()
    assert lookout.prober.asked[0][1].rungs == fitted


async def test_a_channel_with_a_cdn_of_its_own_is_looked_at_there() -> None:
    lookout = Lookout("iad")
    await lookout.playing(base_url="http://cdn.example")
    await lookout.probe()
    bases = [journey.url.partition("/reels")[0] for _, journey in lookout.prober.asked]
    assert bases == ["http://cdn.example", "https://failover.example"]


async def test_who_asks_is_answered_and_told_where_viewers_are_sent() -> None:
    lookout = Lookout()
    await lookout.playing()
    found = await report(lookout)
    assert len(found.probed.observations) == 6
    assert found.failover == ("failover", f"told about {content_id(1)}")
    assert all(journey.patient for _, journey in lookout.prober.asked)
    (told,) = lookout.told("stream.probe.results")
    assert (told.content_id, told.facts["trigger"], len(told.facts["results"])) == (content_id(1), "on-demand", 6)


async def test_what_viewers_get_nothing_of_is_not_probed() -> None:
    lookout = Lookout()
    await lookout.playing(2, availability=AvailabilityWindow(ends_at=NOW + timedelta(hours=1)))
    await lookout.playing(3)
    await lookout.world.operations.retire(content_id(3), CAUSE)
    await lookout.world.accept(request(1))
    lookout.clock.advance(7200)

    async def refusal(number: int) -> Refusal:
        found = await lookout.probing.probe_now(content_id(number), CAUSE)
        assert isinstance(found, Refused)
        assert await lookout.probing.probe_in_turn(content_id(number), CAUSE) is None
        return found.refusal

    assert [await refusal(number) for number in (1, 2, 3, 4)] == [
        Refusal.NOT_READY,
        Refusal.NO_LONGER_AVAILABLE,
        Refusal.RETIRED,
        Refusal.UNKNOWN_CONTENT,
    ]
    assert lookout.prober.asked == []


async def test_failovers_hear_everything_that_is_known() -> None:
    lookout = Lookout()
    await lookout.playing()
    lookout.prober.findings["ams", Target.PRIMARY] = None
    lookout.prober.fails("iad", ProbeVerdict.STALE)
    probed = await lookout.probe()

    heard = [(item.region, item.target.value, item.verdict.value) for item in lookout.failovers.observations]
    assert heard == [
        ("iad", "primary", "stale"),
        ("sfo", "primary", "stale"),
        ("iad", "failover", "ok"),
        ("sfo", "failover", "ok"),
        ("ams", "failover", "ok"),
    ]
    assert probed.silent == (("ams", Target.PRIMARY),)
    assert lookout.meter.counts["probe ams primary unknown"] == 1
    assert lookout.meter.counts["probe sfo primary stale"] == 1


async def test_a_failure_is_told_when_it_is_confirmed_and_when_it_is_over() -> None:
    lookout = Lookout(failover=False)
    await lookout.playing()
    lookout.prober.fails("ams", ProbeVerdict.HTTP_ERROR)
    assert (await lookout.probe()).in_doubt
    assert lookout.failures() == []
    for _ in range(5):
        lookout.clock.advance(10)
        assert not (await lookout.probe()).in_doubt
    assert lookout.failures() == [["ams"]]

    lookout.prober.findings.clear()
    lookout.clock.advance(10)
    await lookout.probe()
    assert lookout.failures() == [["ams"], []]


async def test_only_the_process_that_leads_tells_failures() -> None:
    lookout = Lookout(failover=False)
    await lookout.playing()
    lookout.prober.fails("ams", ProbeVerdict.GAP)
    for _ in range(3):
        await report(lookout)
    assert lookout.failures() == []
    assert len(lookout.failovers.observations) == 9

    for leads in (True, False, True):
        lookout.probing.lead(leads)
        for _ in range(2):
            lookout.clock.advance(1)
            await lookout.probing.probe_in_turn(content_id(1), CAUSE)
    assert lookout.failures() == [["ams"], ["ams"]], "a new leader tells what it finds failing"


async def test_what_is_replaced_under_a_probe_did_not_fail() -> None:
    lookout = Lookout()
    await lookout.playing()
    lookout.prober.fails("iad", ProbeVerdict.HTTP_ERROR)

    async def replaced() -> None:
        lookout.prober.before_answer = None
        await lookout.world.accept(request(1, checksum="sum-2", said_at=lookout.clock.now()))
        await lookout.world.settle(within=60)

    lookout.prober.before_answer = replaced
    probed = await lookout.probe()
    assert (probed.observations, lookout.failovers.observations) == ((), [])
    assert lookout.meter.counts == {}


async def test_a_store_that_is_down_is_no_failure_of_the_content() -> None:
    lookout = Lookout()
    await lookout.playing()
    lookout.world.store.down = StoreUnavailable("it is down")
    with pytest.raises(StoreUnavailable):
        await lookout.probing.probe_now(content_id(1), CAUSE)
    assert lookout.failovers.observations == []
