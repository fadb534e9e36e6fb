"""Viewers are sent to the failover and back, by several processes that see different things."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from streaming_service.domain.failover import WHOLE, Mode
from streaming_service.domain.probe import ProbeVerdict
from streaming_service.errors import StoreUnavailable
from tests.unit.application.test_failover_operations import ADMIN
from tests.unit.application.watchtower import BAD, OK, Process, told, town
from tests.unit.application.world import content_id

pytestmark = pytest.mark.anyio


async def test_a_content_that_fails_is_promoted_and_told() -> None:
    process = Process(await town())
    await process.sees_it_down()

    assert (process.mode(), process.why()) == ("promoted", "3 of 3 regions fail on the primary")
    assert process.failover.leads_away(content_id(1), "anybody")
    assert not process.failover.leads_away(content_id(2), "anybody")
    channel = await process.world.channel()
    assert channel.serving is not None
    owed = await told(process.world)
    (order,) = owed["cdn-control"]
    assert (order.facts["path"], order.content_id) == (f"{channel.serving.path}*", content_id(1))
    assert [item.facts["promoted"] for item in owed["bigquery"]] == [True]
    assert "delivery" in process.wakes


async def test_quick_probes_are_wanted_until_it_is_certain() -> None:
    process = Process(await town())
    await process.sees(BAD)
    (first,) = process.failover.reprobes()
    assert (first.content_id, first.at) == (content_id(1), process.clock.now() + timedelta(seconds=2))
    assert process.asked == [(content_id(1), 2.0)]
    assert "to be confirmed" in process.why()

    process.clock.advance(2)
    await process.sees(OK)
    assert process.failover.reprobes() == ()


async def test_what_is_on_the_failover_is_watched() -> None:
    process = Process(await town())
    await process.sees_it_down()

    (watched,) = process.failover.reprobes()
    assert watched.at == process.clock.now() + timedelta(seconds=15)
    process.clock.advance(300)
    (still,) = process.failover.reprobes()
    assert still.content_id == content_id(1)
    newcomer = Process(process.world)
    await newcomer.failover.refresh()
    assert [item.content_id for item in newcomer.failover.reprobes()] == [content_id(1)]


async def test_what_nobody_probes_is_not_asked_for_for_ever() -> None:
    process = Process(await town())
    await process.sees(BAD)
    process.clock.advance(93)

    assert process.failover.reprobes() == ()


async def test_the_return_is_told_too() -> None:
    process = Process(await town())
    await process.sees_it_down()
    await process.sees_it_clear(330)
    assert process.mode() == "returning"
    assert process.failover.elsewhere() == {Mode.PROMOTED: 0, Mode.RETURNING: 1}
    process.clock.advance(130)

    assert process.mode() == "primary", "the ramp is over, although nobody has written that down"
    assert [item.facts["promoted"] for item in (await told(process.world))["bigquery"]] == [True, False]
    assert len((await told(process.world))["cdn-control"]) == 1
    await process.failover.tidy()
    found = await process.world.store.get_failover(content_id(1))
    assert found is not None
    assert found.mode is Mode.PRIMARY


async def test_a_content_that_is_retired_on_the_failover_is_forgotten() -> None:
    process = Process(await town(2))
    await process.sees_it_down(range(1, 3))
    await process.world.operations.retire(content_id(1), ADMIN)
    await process.failover.tidy()

    assert (process.mode(1), process.mode(2)) == ("primary", "promoted")
    process.clock.advance(120)
    assert [item.content_id for item in process.failover.reprobes()] == [content_id(2)]


async def test_a_content_that_is_started_again_stays_on_the_failover() -> None:
    process = Process(await town())
    await process.sees_it_down()
    process.world.origin.wipe()
    await process.world.reconcile()
    assert (await process.world.channel()).serving is None, "its origin died"
    await process.failover.tidy()

    assert process.mode() == "promoted"
    await process.world.converge()
    assert (await process.world.channel()).serving is not None
    assert process.failover.leads_away(content_id(1), "anybody"), "the primary is no better for it"


async def test_what_an_operator_promoted_is_not_forgotten() -> None:
    process = Process(await town())
    await process.operations.promote(content_id(1), ADMIN, "drill")
    await process.world.operations.retire(content_id(1), ADMIN)
    await process.failover.tidy()

    assert process.mode(1) == "promoted"


async def test_what_nobody_plays_is_not_promoted() -> None:
    process = Process(await town())
    await process.sees_it_down(range(7, 8))

    assert (process.mode(7), process.why(7)) == ("primary", "nothing is served")
    assert (await told(process.world))["bigquery"] == []


async def test_without_a_failover_nothing_happens() -> None:
    process = Process(await town(), enabled=False)
    await process.sees_it_down()

    assert process.mode() == "primary"
    assert process.failover.reprobes() == ()


# -- the whole CDN ----------------------------------------------------------------------------------------------------


async def test_when_most_contents_fail_all_viewers_go() -> None:
    process = Process(await town(6))
    await process.sees_it_down(range(1, 7))

    assert process.failover.share() == 1.0
    assert process.failover.leads_away(content_id(99), "anybody")
    assert process.mode(99) == "promoted"
    assert process.why(99) == "the whole CDN: 6 of 6 contents fail on the primary"
    (order,) = (await told(process.world))["cdn-control"]
    assert (order.facts["path"], order.facts["scope"]) == ("/*", "cdn"), "one order instead of six"


async def test_contents_that_fail_one_after_the_other_are_left_to_the_whole() -> None:
    """However probes are spread: one order instead of one for each."""
    process = Process(await town(8))
    await process.sees(OK, contents=range(1, 9))
    for number in (*range(1, 9), *range(1, 9), *range(1, 9)):
        process.clock.advance(0.3)
        await process.sees(BAD, contents=range(number, number + 1))

    assert process.failover.share() == 1.0
    assert [item.facts["scope"] for item in (await told(process.world))["cdn-control"]] == ["cdn"]


async def test_a_content_does_not_wait_long_for_the_others() -> None:
    process = Process(await town(8))
    for _ in range(3):
        process.clock.advance(2)
        await process.sees(BAD, contents=range(1, 2))
        await process.sees(OK, contents=range(2, 9))
    assert process.mode(1) == "promoted", "the others are well"

    process = Process(await town(8))
    for turn in range(8):
        process.clock.advance(2)
        await process.sees(BAD, contents=range(1, 2))
        # All the others fail now and then, and never for certain.
        await process.sees(BAD if turn % 2 == 0 else OK, contents=range(2, 9))
        assert process.failover.share() == 0.0
    assert process.mode(1) == "promoted"


async def test_contents_that_fail_confirm_each_other() -> None:
    """Probes of hundreds of contents are not repeated before all viewers are sent elsewhere."""
    process = Process(await town(1))
    await process.sees(OK, contents=range(1, 42))
    await process.sees_it_down(range(1, 6))
    assert process.failover.share() == 0.0
    process.clock.advance(2)
    await process.sees(BAD, contents=range(6, 26))

    assert process.failover.share() == 1.0, "25 of 41, five of them for certain"


async def test_what_holds_all_back_holds_each_back() -> None:
    """Or each content would be promoted by itself while the whole CDN may not be."""
    process = Process(await town(6))
    await process.sees_it_down(range(1, 7))
    for _ in range(2):
        await process.operations.demote(WHOLE, ADMIN, "home")
    await process.sees_it_down(range(1, 7))

    assert process.failover.share() == 0.0
    assert process.failover.elsewhere() == {Mode.PROMOTED: 0, Mode.RETURNING: 0}
    assert process.why() == "most contents fail, and all are held on the primary"


async def test_who_freezes_all_freezes_each() -> None:
    process = Process(await town(6))
    await process.operations.freeze(WHOLE, ADMIN, "release night")
    await process.sees_it_down()
    await process.sees_it_down(range(1, 7))

    assert process.failover.share() == 0.0
    assert (process.mode(), process.why()) == ("primary", "all are frozen by admin-api")


async def test_while_all_are_on_the_failover_enough_is_watched() -> None:
    process = Process(await town(1))
    await process.sees_it_down(range(1, 41))
    await process.sees(OK, contents=range(1, 41))

    assert len(process.failover.reprobes()) == 20


async def test_all_return_when_most_are_clear() -> None:
    process = Process(await town(6))
    await process.sees_it_down(range(1, 7))
    await process.sees_it_clear(330, range(1, 7))
    assert 0.5 < process.failover.share() <= 1.0

    process.clock.advance(130)
    assert process.failover.share() == 0.0


async def test_contents_that_somebody_chose_say_nothing_about_the_whole() -> None:
    process = Process(await town(6))
    await process.sees_it_down(range(1, 7), asked_for=True)

    assert process.failover.share() == 0.0
    assert process.mode(1) == "promoted"
    assert process.mode(99) == "primary"


async def test_refused_signatures_promote_nobody() -> None:
    process = Process(await town(6))
    for _ in range(20):
        process.clock.advance(2)
        await process.sees(ProbeVerdict.SIGNATURE_REJECTED, contents=range(1, 7))

    assert process.failover.share() == 0.0
    assert process.mode() == "primary"


# -- several processes ------------------------------------------------------------------------------------------------


async def test_what_one_process_decides_the_others_learn() -> None:
    world = await town()
    one, another = Process(world), Process(world)
    await another.failover.refresh()
    await one.sees_it_down()
    assert not another.failover.leads_away(content_id(1), "anybody")

    await another.failover.refresh()
    assert another.failover.leads_away(content_id(1), "anybody")
    await one.operations.demote(content_id(1), ADMIN, "")
    await one.operations.demote(content_id(1), ADMIN, "")
    await another.failover.refresh()
    assert not another.failover.leads_away(content_id(1), "anybody")


async def test_one_that_was_just_started_knows_where_viewers_are() -> None:
    world = await town()
    await Process(world).sees_it_down()
    world.clock.advance(3600)
    newcomer = Process(world)
    await newcomer.failover.refresh()

    assert newcomer.mode() == "promoted"


async def test_of_two_that_decide_at_once_one_does() -> None:
    world = await town()
    one, another = Process(world), Process(world)
    for _ in range(3):
        world.clock.advance(2)
        await asyncio.gather(one.sees(BAD), another.sees(BAD))

    assert one.mode() == another.mode() == "promoted"
    owed = await told(world)
    assert [len(owed[name]) for name in ("cdn-control", "bigquery")] == [1, 1]
    found = await world.store.get_failover(content_id(1))
    assert found is not None
    assert (found.version, found.promotions) == (1, 1)


async def test_what_is_over_is_forgotten_and_can_happen_again() -> None:
    world = await town()
    one, another = Process(world), Process(world)
    await one.sees_it_down()
    await another.failover.refresh()
    await one.sees_it_clear(330)
    await one.sees_it_clear(4000)
    await another.failover.refresh()
    assert another.book.known() == ()

    await another.sees_it_down()
    assert another.mode() == "promoted"
    found = await world.store.get_failover(content_id(1))
    assert found is not None
    assert found.promotions == 1


async def test_an_answer_that_was_overtaken_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store was asked before this process wrote, and answered after."""
    world = await town()
    process = Process(world)
    await process.sees_it_down()
    old = (process.book.standing(content_id(1)),)
    for _ in range(2):
        await process.operations.demote(content_id(1), ADMIN, "")

    async def late(_: object) -> object:
        return old

    monkeypatch.setattr(world.store, "failovers", late)
    await process.failover.refresh()
    assert not process.failover.leads_away(content_id(1), "anybody")


async def test_the_book_is_read_again_and_again() -> None:
    world = await town()
    process, another = Process(world), Process(world)
    task = asyncio.create_task(process.failover.keep_fresh(0.5, world.clock.sleep))
    try:
        await another.operations.promote(WHOLE, ADMIN, "drill")
        before = world.clock.now()
        while not process.failover.leads_away(content_id(1), "anybody"):
            await asyncio.sleep(0)
        assert world.clock.now() - before <= timedelta(seconds=1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_while_the_store_is_down_viewers_stay_where_they_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await town()
    process = Process(world)
    await process.sees_it_down()

    async def down(_: object) -> None:
        raise StoreUnavailable("does not answer")

    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr(world.store, "failovers", down)
        task = asyncio.create_task(process.failover.keep_fresh(0.5, world.clock.sleep))
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert process.failover.leads_away(content_id(1), "anybody")
    assert len([line for line in lines if "does not answer" in line["event"]]) == 1, "it is said once"


async def test_what_could_not_be_written_is_done_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await town()
    process = Process(world)

    async def down(*_: object) -> None:
        raise StoreUnavailable("does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "commit_failover", down)
        with pytest.raises(StoreUnavailable):
            await process.sees_it_down()
    assert process.mode() == "primary"
    process.clock.advance(2)
    await process.sees(BAD)
    assert process.mode() == "promoted"
