from datetime import UTC, datetime

import pytest

from streaming_service.application.ports import Store

pytestmark = pytest.mark.anyio


async def test_incarnations_begin_at_nought_until_the_store_was_restored(store: Store):
    assert await store.first_incarnation() == 0

    await store.raise_first_incarnation(1_790_000_000)

    assert await store.first_incarnation() == 1_790_000_000


async def test_the_first_incarnation_never_goes_down(store: Store):
    await store.raise_first_incarnation(9)
    await store.raise_first_incarnation(5)

    assert await store.first_incarnation() == 9


async def test_a_store_with_a_clock_of_its_own_says_what_time_it_is(store: Store):
    theirs = await store.time()

    # The servers of these tests are on this machine.
    assert theirs is None or abs((datetime.now(UTC) - theirs).total_seconds()) < 5
