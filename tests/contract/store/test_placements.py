"""Places on origins: the queue for them, seats that are one channel's alone, and origins that are to be emptied."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import Placed, Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.placement import Draining, Placement
from streaming_service.errors import SeatTaken
from tests.contract.store.builders import MINUTE, NOW, SECOND, accept, channel, content_id, placement, published

pytestmark = pytest.mark.anyio

LEASE = timedelta(seconds=30)
REELS = (Classification.REEL,)
BOTH = (Classification.REEL, Classification.SERIES)


def on(origin: str, number: int, seat: int) -> Placement:
    return replace(placement(number), origin=origin, seat=seat, stream=f"{origin}-{number}")


async def waits(store: Store, number: int, since: int = 0, **changes: object) -> Channel:
    """A channel that needs a place since so many seconds."""
    waiting = channel(number, waiting_since=NOW + since * SECOND, **changes)
    return await store.commit(accept(waiting), None)


async def next_in_turn(store: Store, limit: int = 10, now: timedelta = timedelta(0)) -> list[str]:
    claimed = await store.claim_waiting(BOTH, NOW + now, "me", LEASE, limit)
    return [item.content_id for item in claimed]


# -- seats ------------------------------------------------------------------------------------------------------------


async def test_a_seat_is_one_channels_alone(store: Store):
    first = await store.commit(accept(channel(1, building=on("a", 1, 0))), None)
    second = await store.commit(accept(channel(2)), None)

    with pytest.raises(SeatTaken) as taken:
        await store.commit(accept(replace(second, building=on("a", 2, 0))), None)
    assert (taken.value.origin, taken.value.seat) == ("a", 0)
    assert await store.get(content_id(2)) == second, "nothing was written"

    await store.commit(accept(replace(second, building=on("b", 2, 0))), None)
    await store.commit(accept(replace(first, building=None)), None)
    await store.commit(accept(channel(3, building=on("a", 3, 0))), None)
    assert await store.seats() == {"a": {0}, "b": {0}}


async def test_of_many_who_want_a_seat_one_gets_it(store: Store):
    wishes = [store.commit(accept(channel(number, building=on("a", number, 7))), None) for number in range(1, 9)]
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)

    assert sum(isinstance(outcome, Channel) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, SeatTaken) for outcome in outcomes) == 7
    assert await store.seats() == {"a": {7}}


async def test_a_seat_stays_taken_until_it_is_drained(store: Store):
    held = await store.commit(accept(channel(1, serving=on("a", 1, 0))), None)
    leaving = replace(held, serving=on("a", 2, 1), draining=(Draining(on("a", 1, 0), NOW),))
    leaving = await store.commit(accept(leaving), None)
    assert await store.seats() == {"a": {0, 1}}

    await store.commit(accept(replace(leaving, draining=())), None)
    assert await store.seats() == {"a": {1}}


async def test_a_published_copy_takes_no_seat(store: Store):
    await store.commit(
        accept(channel(1, serving=published(1), draining=(Draining(published(2), NOW, copy=True),))), None
    )

    assert await store.seats() == {}
    assert await store.placements("origin-1") == ()


async def test_what_is_on_an_origin(store: Store):
    old, new, other = on("a", 1, 0), on("a", 2, 1), on("b", 3, 0)
    await store.commit(accept(channel(1, serving=new, draining=(Draining(old, NOW),))), None)
    await store.commit(accept(channel(2, building=other)), None)

    assert await store.placements("a") == (
        Placed("a-1", content_id(1), "reels", serving=False),
        Placed("a-2", content_id(1), "reels", serving=True),
    )
    assert await store.placements("b") == (Placed("b-3", content_id(2), "reels", serving=False),)
    assert await store.placements("c") == ()


async def test_what_was_built_serves(store: Store):
    built = on("a", 1, 0)
    written = await store.commit(accept(channel(1, building=built)), None)
    await store.commit(accept(replace(written, building=None, serving=built)), None)

    assert [item.serving for item in await store.placements("a")] == [True]


# -- the queue --------------------------------------------------------------------------------------------------------


async def test_the_oldest_is_first_and_series_stand_a_little_behind(store: Store):
    await waits(store, 1, since=700, classification=Classification.SERIES)
    await waits(store, 2, since=30)
    await waits(store, 3, since=0, classification=Classification.SERIES)
    await waits(store, 4, since=900)
    await waits(store, 5, since=10)

    order = await next_in_turn(store, now=timedelta(hours=1))
    assert order == [content_id(number) for number in (5, 2, 3, 4, 1)]


async def test_only_so_many_get_their_turn_and_nobody_twice(store: Store):
    for number in (1, 2, 3):
        await waits(store, number, since=number)
    later = timedelta(minutes=1)

    assert await next_in_turn(store, 2, later) == [content_id(1), content_id(2)]
    assert await next_in_turn(store, 2, later) == [content_id(3)]
    assert await next_in_turn(store, 2, later) == []
    assert dict(await store.waiting(NOW + later)) == {}, "those that are held are not counted"


async def test_only_those_of_a_classification_that_has_room(store: Store):
    await waits(store, 1, classification=Classification.SERIES)
    await waits(store, 2)

    assert dict(await store.waiting(NOW)) == {"reel": 1, "series": 1}
    claimed = await store.claim_waiting(REELS, NOW, "me", LEASE, 10)
    assert [item.content_id for item in claimed] == [content_id(2)]
    assert await store.claim_waiting((), NOW, "me", LEASE, 10) == ()


async def test_whoever_waits_for_a_retry_has_no_turn_before(store: Store):
    await waits(store, 1, retry_at=NOW + MINUTE)

    assert dict(await store.waiting(NOW)) == {}
    assert await next_in_turn(store) == []
    assert await next_in_turn(store, now=MINUTE) == [content_id(1)]


async def test_whoever_found_no_room_keeps_its_turn_for_later(store: Store):
    waiting = await waits(store, 1)
    await waits(store, 2, since=1)
    now = NOW + MINUTE
    await store.claim_waiting(BOTH, now, "me", LEASE, 1)
    await store.release(content_id(1), "me", waiting.version, None, now + SECOND)

    assert await next_in_turn(store, now=MINUTE) == [content_id(2)]
    assert await next_in_turn(store, now=MINUTE + SECOND) == [content_id(1)]


async def test_whoever_has_its_place_has_left_the_queue(store: Store):
    waiting = await waits(store, 1)
    await store.claim_waiting(BOTH, NOW, "me", LEASE, 1)
    placed = await store.commit(accept(replace(waiting, waiting_since=None, building=on("a", 1, 0))), NOW)
    await store.release(content_id(1), "me", placed.version, NOW, NOW)

    assert await next_in_turn(store, now=MINUTE) == []
    assert len(await store.claim_due(NOW, "me", LEASE, 10)) == 1


async def test_waiting_and_being_due_are_two_things(store: Store):
    """What is draining of a channel that waits has to be removed, or no seat would ever become free."""
    waiting = channel(1, waiting_since=NOW, draining=(Draining(on("a", 1, 0), NOW),))
    written = await store.commit(accept(waiting), NOW)
    assert len(await store.claim_due(NOW, "me", LEASE, 10)) == 1
    assert await next_in_turn(store) == [], "one who holds it is enough"
    await store.release(content_id(1), "me", written.version, None)

    assert await store.claim_due(NOW, "me", LEASE, 10) == ()
    assert await next_in_turn(store) == [content_id(1)]


async def test_of_two_processes_each_gets_others(store: Store):
    for number in range(1, 21):
        await waits(store, number, since=number)
    later = NOW + MINUTE
    turns = await asyncio.gather(*(store.claim_waiting(BOTH, later, f"w{turn}", LEASE, 5) for turn in range(4)))

    found = [item.content_id for turn in turns for item in turn]
    assert len(found) == len(set(found))


# -- origins that are to be emptied -----------------------------------------------------------------------------------


async def test_an_origin_is_emptied_until_it_is_taken_back(store: Store):
    assert await store.drained() == frozenset()
    await store.set_drained("a", True, "operator", NOW)
    await store.set_drained("b", True, "operator", NOW)
    await store.set_drained("a", True, "operator", NOW)
    await store.set_drained("b", False, "another", NOW)

    assert await store.drained() == {"a"}
