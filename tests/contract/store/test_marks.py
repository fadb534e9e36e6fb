import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from streaming_service.application.ports import Store

pytestmark = pytest.mark.anyio


async def test_the_first_incarnation_is_0_until_it_is_raised_and_never_goes_down(store: Store):
    assert await store.first_incarnation() == 0
    await store.raise_first_incarnation(7)
    await store.raise_first_incarnation(5)

    assert await store.first_incarnation() == 7


async def test_of_many_that_raise_it_at_once_the_highest_stays(store: Store):
    await asyncio.gather(*(store.raise_first_incarnation(number) for number in range(5)))

    assert await store.first_incarnation() == 4


async def test_its_clock_is_this_machines_or_one_that_goes(store: Store):
    """The servers of these tests run on this machine."""
    first = await store.time()
    if first is None:
        return
    assert abs(datetime.now(UTC) - first) < timedelta(seconds=5)
    assert (await store.time() or first) > first
