import asyncio
import random
from collections import Counter, defaultdict
from datetime import datetime

import pytest

from streaming_service.application.ports import Attempt, Delivery, DeliveryQuery, DeliveryState, Store, Tried
from streaming_service.domain.notification import Endpoint, Notification
from tests.contract.store.builders import MINUTE, NOW, SECOND, accept, attempt, channel, content_id, notification

pytestmark = pytest.mark.anyio

ALL = tuple(Endpoint)
BIGQUERY, CALLBACK, OBSERVABILITY = Endpoint.BIGQUERY, Endpoint.CONTENT_CALLBACK, Endpoint.OBSERVABILITY


async def owe(store: Store, *notifications: Notification) -> None:
    """A commit of the first one's channel that makes these debts."""
    current = await store.get(notifications[0].content_id)
    await store.commit(accept(current or channel(_number(notifications[0])), *notifications), None)


def _number(item: Notification) -> int:
    return next(number for number in range(10_000) if content_id(number) == item.content_id)


async def claim(store: Store, at: float = 0, limit: int = 100, endpoints: tuple[Endpoint, ...] = ALL) -> list[int]:
    """Numbers of the notifications handed out, `at` seconds from now, for a minute."""
    return [_key(item) for item in await store.claim_deliveries(NOW + at * SECOND, "a", MINUTE, limit, endpoints)]


def _key(item: Delivery) -> int:
    return int(item.notification.id.rpartition("-")[2])


async def record(
    store: Store, number: int, state: DeliveryState, next_at: datetime | None = None, tried: Attempt | None = None
) -> None:
    await store.record([Tried(notification(number).id, tried or attempt(), state, next_at)])


async def delivery(store: Store, number: int) -> Delivery:
    found = await store.get_delivery(notification(number).id)
    assert found is not None
    return found


async def test_a_debt_is_stored_with_the_change_that_makes_it(store: Store):
    await owe(store, notification(1))

    assert await delivery(store, 1) == Delivery(notification(1), DeliveryState.PENDING, (), NOW, 0)
    assert await store.get_delivery("unknown") is None


async def test_the_same_debt_is_never_two(store: Store):
    await owe(store, notification(1), notification(1), notification(2))
    await record(store, 1, DeliveryState.DELIVERED)
    await owe(store, notification(1), notification(2), notification(3))

    assert len((await store.list_deliveries(DeliveryQuery())).items) == 3
    assert (await delivery(store, 1)).state is DeliveryState.DELIVERED


async def test_what_is_due_is_handed_out_oldest_first(store: Store):
    for number in range(1, 5):
        await owe(store, notification(number, of=number, at=NOW + number * SECOND))

    assert await claim(store, at=3, limit=2) == [1, 2]
    assert await claim(store, at=3) == [3]
    assert await claim(store, at=4) == [4]


async def test_claimed_deliveries_come_whole(store: Store):
    await owe(store, notification(1))
    await record(store, 1, DeliveryState.PENDING, NOW)

    (claimed,) = await store.claim_deliveries(NOW, "a", MINUTE, 10, ALL)

    assert claimed == Delivery(notification(1), DeliveryState.PENDING, (attempt(),), NOW + MINUTE, 1)


async def test_only_the_endpoints_asked_for(store: Store):
    await owe(store, notification(1, BIGQUERY), notification(2, CALLBACK), notification(3, OBSERVABILITY))

    assert await claim(store, endpoints=()) == []
    assert await claim(store, endpoints=(CALLBACK, BIGQUERY)) == [1, 2]
    assert await claim(store) == [3]


async def test_a_claim_that_runs_out_is_handed_out_again(store: Store):
    await owe(store, notification(1))

    assert await claim(store) == [1]
    assert await claim(store, at=59.9) == []
    assert await claim(store, at=60) == [1]


async def test_per_channel_and_endpoint_one_after_the_other(store: Store):
    await owe(store, notification(1), notification(2), notification(3, CALLBACK))
    await owe(store, notification(4))
    await owe(store, notification(5, of=2))

    assert await claim(store) == [1, 3, 5]
    await record(store, 1, DeliveryState.DELIVERED)
    assert await claim(store) == [2]
    await record(store, 2, DeliveryState.DEAD)
    assert await claim(store) == [4]


async def test_what_waits_behind_a_retry_waits_as_long(store: Store):
    await owe(store, notification(1), notification(2))
    await claim(store)
    await record(store, 1, DeliveryState.PENDING, NOW + 30 * SECOND)
    await owe(store, notification(3))

    assert await claim(store, at=29.9) == []
    assert await claim(store, at=30) == [1]
    # However late the retry was set, what waited is free the moment it is through.
    await record(store, 1, DeliveryState.PENDING, NOW + 60 * MINUTE)
    await record(store, 1, DeliveryState.DELIVERED, tried=attempt(31))
    assert await claim(store, at=31) == [2]
    await record(store, 2, DeliveryState.DELIVERED)
    assert await claim(store, at=31) == [3]


async def test_an_attempt_is_written_down(store: Store):
    await owe(store, notification(1))
    await claim(store)
    await record(store, 1, DeliveryState.PENDING, NOW + MINUTE, attempt(1, status=None))
    await record(store, 1, DeliveryState.DELIVERED, None, attempt(2, status=204))

    tries = (attempt(1, status=None), attempt(2, status=204))
    assert await delivery(store, 1) == Delivery(notification(1), DeliveryState.DELIVERED, tries, None, 2)


async def test_the_last_twenty_attempts_are_kept(store: Store):
    await owe(store, notification(1))
    for number in range(25):
        await record(store, 1, DeliveryState.PENDING, NOW, attempt(number))

    found = await delivery(store, 1)

    assert found.attempts == tuple(attempt(number) for number in range(5, 25))
    assert found.tries == 25


async def test_attempts_of_something_unknown_are_ignored(store: Store):
    await record(store, 1, DeliveryState.DELIVERED)


@pytest.mark.parametrize(
    ("settled", "late", "state"),
    [
        (DeliveryState.DELIVERED, DeliveryState.PENDING, DeliveryState.DELIVERED),
        (DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.DELIVERED),
        (DeliveryState.DEAD, DeliveryState.PENDING, DeliveryState.DEAD),
        (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.DELIVERED),
    ],
)
async def test_a_late_report_reopens_nothing(
    store: Store, settled: DeliveryState, late: DeliveryState, state: DeliveryState
):
    await owe(store, notification(1))
    await record(store, 1, settled)
    await record(store, 1, late, NOW, attempt(9))

    found = await delivery(store, 1)

    assert (found.state, found.next_attempt_at) == (state, None)
    assert found.attempts[-1] == attempt(9)
    assert await claim(store) == []


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.PENDING])
async def test_resend_owes_it_again_from_the_start_of_the_schedule(store: Store, state: DeliveryState):
    await owe(store, notification(1))
    await record(store, 1, state, NOW + 60 * MINUTE if state is DeliveryState.PENDING else None)

    again = await store.resend(notification(1).id, NOW + SECOND)

    assert again == Delivery(notification(1), DeliveryState.PENDING, (attempt(),), NOW + SECOND, 0)
    assert await delivery(store, 1) == again
    assert await claim(store) == []
    assert await claim(store, at=1) == [1]


async def test_resend_of_something_unknown(store: Store):
    assert await store.resend("unknown", NOW) is None


async def test_what_is_owed_again_goes_before_what_came_later(store: Store):
    await owe(store, notification(1), notification(2))
    await record(store, 1, DeliveryState.DEAD)
    await record(store, 2, DeliveryState.PENDING, NOW + 60 * MINUTE)
    await store.resend(notification(1).id, NOW)

    assert await claim(store) == [1]
    await record(store, 1, DeliveryState.DELIVERED)
    assert await claim(store, at=3600) == [2]


async def test_the_backlog(store: Store):
    empty = await store.backlog()
    assert (dict(empty.pending), empty.oldest, empty.dead) == ({}, None, 0)
    await owe(store, notification(1, at=NOW), notification(2, at=NOW + SECOND), notification(3, BIGQUERY))
    await owe(store, notification(4, CALLBACK, of=2, at=NOW + MINUTE), notification(5, CALLBACK, of=2))
    await record(store, 1, DeliveryState.DELIVERED)
    await record(store, 3, DeliveryState.DEAD)
    await record(store, 4, DeliveryState.PENDING, NOW + 60 * MINUTE)

    backlog = await store.backlog()

    assert dict(backlog.pending) == {"observability": 1, "content-callback": 2}
    assert backlog.oldest == NOW + SECOND
    assert backlog.dead == 1


async def test_what_is_settled_is_forgotten_some_time_after_it_was_owed(store: Store):
    for number in range(1, 8):
        await owe(store, notification(number, of=number, at=NOW + number * SECOND))
    for number in (1, 3, 4, 5, 7):
        await record(store, number, DeliveryState.DEAD if number == 4 else DeliveryState.DELIVERED)

    assert await store.forget_deliveries(NOW + SECOND, 10) == 0
    assert await store.forget_deliveries(NOW + 6 * SECOND, 2) == 2
    assert await left(store) == [7, 6, 5, 4, 2]
    assert [await store.forget_deliveries(NOW + 6 * SECOND, 2) for _ in range(2)] == [2, 0]

    assert await left(store) == [7, 6, 2]
    assert await store.get_delivery(notification(1).id) is None
    assert await claim(store, at=9) == [2, 6]


async def left(store: Store) -> list[int]:
    return [_key(item) for item in (await store.list_deliveries(DeliveryQuery())).items]


async def test_what_was_forgotten_may_be_owed_again(store: Store):
    await owe(store, notification(1), notification(2))
    await record(store, 1, DeliveryState.DELIVERED)
    await store.forget_deliveries(NOW + SECOND, 10)
    await owe(store, notification(1))

    assert await left(store) == [1, 2]


async def test_deliveries_are_listed_newest_first_in_pages(store: Store):
    await owe(store, *(notification(number) for number in range(1, 6)))
    seen: list[int] = []
    cursor = None
    for _ in range(3):
        page = await store.list_deliveries(DeliveryQuery(limit=2, cursor=cursor))
        seen += map(_key, page.items)
        cursor = page.next

    assert seen == [5, 4, 3, 2, 1]
    assert cursor is None


async def test_deliveries_are_filtered(store: Store):
    await owe(store, notification(1), notification(2, BIGQUERY))
    await owe(store, notification(3, of=2))
    await record(store, 2, DeliveryState.DEAD)

    async def found(query: DeliveryQuery) -> list[int]:
        return [_key(item) for item in (await store.list_deliveries(query)).items]

    assert await found(DeliveryQuery(state="pending")) == [3, 1]
    assert await found(DeliveryQuery(endpoint="bigquery")) == [2]
    assert await found(DeliveryQuery(content_id=content_id(2))) == [3]
    assert await found(DeliveryQuery(state="dead", endpoint="bigquery", content_id=content_id(1))) == [2]
    assert await found(DeliveryQuery(state="delivered")) == []


async def test_many_workers_at_once_share_without_overlap(store: Store):
    await asyncio.gather(*(owe(store, notification(number, of=number)) for number in range(1, 101)))

    async def work() -> list[int]:
        got: list[int] = []
        while more := await claim(store, limit=3):
            got += more
        return got

    shares = await asyncio.gather(*(work() for _ in range(8)))

    assert Counter(number for share in shares for number in share) == Counter(range(1, 101))


@pytest.mark.parametrize("seed", range(3))
async def test_order_holds_and_nothing_is_lost_whatever_receivers_do(store: Store, seed: int):
    """Five workers, three receivers that fail half of the time, debts that keep coming: all arrive, in order."""
    chance = random.Random(seed)
    received: dict[tuple[str, str], list[int]] = defaultdict(list)
    owed: dict[tuple[str, str], list[int]] = defaultdict(list)
    numbers = iter(range(1, 1000))
    clock = iter(range(100_000))

    async def owe_some(of: int) -> None:
        for _ in range(6):
            batch = [notification(next(numbers), chance.choice(ALL[:3]), of) for _ in range(chance.randint(1, 3))]
            for item in batch:
                owed[item.content_id, item.endpoint].append(int(item.id[-6:]))
            await owe(store, *batch)

    async def work(owner: str) -> None:
        while True:
            all_owed = all(task.done() for task in owing)
            now = NOW + next(clock) * SECOND
            claimed = await store.claim_deliveries(now, owner, 1000 * MINUTE, chance.randint(1, 5), ALL)
            if all_owed and not claimed and not (await store.backlog()).pending:
                return
            for item in claimed:
                if chance.random() < 0.5:
                    later = now + chance.randint(0, 40) * SECOND
                    await store.record([Tried(item.notification.id, attempt(), DeliveryState.PENDING, later)])
                else:
                    received[item.notification.content_id, item.notification.endpoint].append(_key(item))
                    done = Attempt(now, 200, "", 1.0)
                    await store.record([Tried(item.notification.id, done, DeliveryState.DELIVERED)])
            await asyncio.sleep(0)  # memory never gives way by itself

    owing = [asyncio.create_task(owe_some(of)) for of in range(1, 6)]
    await asyncio.gather(*owing, *(work(f"worker-{number}") for number in range(5)))

    assert received == owed
