"""Where viewers are sent: one truth for all processes, written with the debts that it makes."""

import asyncio
from datetime import datetime

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import DeliveryQuery, Store
from streaming_service.domain.failover import WHOLE, Mode, Standing, new_standing
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.probe import Target
from streaming_service.errors import Conflict
from tests.contract.store.builders import MINUTE, NOW, SECOND, content_id, notification

pytestmark = pytest.mark.anyio


def promoted(number: int = 1, at: datetime = NOW) -> Standing:
    return replace(new_standing(content_id(number), at), mode=Mode.PROMOTED, reason="3 of 3 regions fail: „später“")


def full() -> Standing:
    """Every field is set."""
    return Standing(
        subject=WHOLE,
        since=NOW,
        changed_at=NOW + SECOND,
        mode=Mode.RETURNING,
        reason="clear",
        actor="ada",
        ends_at=NOW + MINUTE,
        manual=True,
        frozen_at=NOW + SECOND,
        promotions=3,
        held_until=NOW + 2 * MINUTE,
        bad=Target.FAILOVER,
    )


async def owed(store: Store) -> list[str]:
    return sorted(item.notification.id for item in (await store.list_deliveries(DeliveryQuery())).items)


async def test_what_was_written_is_read_back_whole(store: Store):
    assert await store.get_failover(WHOLE) is None
    written = await store.commit_failover(full(), ())

    assert written == replace(full(), version=1)
    assert await store.get_failover(WHOLE) == written
    again = await store.commit_failover(replace(written, mode=Mode.PRIMARY, ends_at=None, bad=None), ())
    assert again.version == 2
    assert await store.get_failover(WHOLE) == again


async def test_it_is_written_with_its_debts_or_not_at_all(store: Store):
    first = await store.commit_failover(promoted(), [notification(1, Endpoint.CDN_CONTROL)])
    with pytest.raises(Conflict):
        await store.commit_failover(promoted(), [notification(2)])
    with pytest.raises(Conflict):
        await store.commit_failover(replace(first, version=7), [notification(3)])

    assert await owed(store) == ["notification-000001"]
    assert await store.get_failover(content_id(1)) == first


async def test_a_debt_that_is_owed_already_stays_as_it_is(store: Store):
    await store.owe([notification(1)])
    written = await store.commit_failover(promoted(), [notification(1), notification(2)])

    assert written.version == 1
    assert await owed(store) == ["notification-000001", "notification-000002"]


async def test_of_many_who_decide_at_once_one_does(store: Store):
    outcomes = await asyncio.gather(
        *(store.commit_failover(promoted(), [notification(number)]) for number in range(6)), return_exceptions=True
    )

    assert sum(isinstance(outcome, Standing) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 5
    assert len(await owed(store)) == 1


async def test_the_active_ones_are_listed_by_subject(store: Store):
    second = await store.commit_failover(promoted(2), ())
    first = await store.commit_failover(promoted(1), ())
    await store.commit_failover(new_standing(content_id(3), NOW), ())
    cdn = await store.commit_failover(full(), ())

    assert await store.failovers(None) == (first, second, cdn)
    over = replace(second, mode=Mode.PRIMARY, changed_at=NOW + MINUTE)
    await store.commit_failover(over, ())
    assert await store.failovers(None) == (first, cdn)


async def test_what_was_changed_since_is_told_whether_active_or_not(store: Store):
    await store.commit_failover(promoted(1, NOW), ())
    second = await store.commit_failover(promoted(2, NOW + SECOND), ())
    third = await store.commit_failover(new_standing(content_id(3), NOW + MINUTE), ())

    assert await store.failovers(NOW + SECOND) == (second, third)
    assert await store.failovers(NOW + 2 * MINUTE) == ()
