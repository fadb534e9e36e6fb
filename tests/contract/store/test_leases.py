import asyncio

import pytest

from streaming_service.application.ports import Store
from tests.contract.store.builders import MINUTE, NOW, SECOND

pytestmark = pytest.mark.anyio


async def test_one_at_a_time_holds_a_lease(store: Store):
    assert await store.acquire("poller", "a", NOW, MINUTE)
    assert not await store.acquire("poller", "b", NOW, MINUTE)
    assert await store.acquire("reconciler", "b", NOW, MINUTE)


async def test_the_holder_keeps_it_by_asking_again(store: Store):
    await store.acquire("poller", "a", NOW, MINUTE)

    assert await store.acquire("poller", "a", NOW + 59 * SECOND, MINUTE)
    assert not await store.acquire("poller", "b", NOW + 100 * SECOND, MINUTE)


async def test_a_lease_that_ran_out_goes_to_the_next(store: Store):
    await store.acquire("poller", "a", NOW, MINUTE)

    assert await store.acquire("poller", "b", NOW + MINUTE, MINUTE)
    assert not await store.acquire("poller", "a", NOW + MINUTE, MINUTE)


async def test_of_many_that_ask_at_once_one_gets_it(store: Store):
    answers = await asyncio.gather(*(store.acquire("poller", f"owner-{n}", NOW, MINUTE) for n in range(20)))

    assert sorted(answers) == [False] * 19 + [True]


async def test_a_key_remembers_what_it_was_first_used_for(store: Store):
    assert await store.remember("key", "first", NOW, MINUTE) == "first"
    assert await store.remember("key", "second", NOW + SECOND, MINUTE) == "first"
    assert await store.remember("other", "second", NOW, MINUTE) == "second"


async def test_a_key_is_forgotten_in_time(store: Store):
    await store.remember("key", "first", NOW, MINUTE)
    await store.remember("other", "first", NOW, MINUTE)

    assert await store.remember("key", "second", NOW + MINUTE, MINUTE) == "second"
    assert await store.remember("key", "third", NOW + MINUTE, MINUTE) == "second"
    assert await store.remember("other", "third", NOW + MINUTE, MINUTE) == "third"


async def test_of_many_that_use_a_key_at_once_all_learn_who_was_first(store: Store):
    answers = await asyncio.gather(*(store.remember("key", f"print-{n}", NOW, MINUTE) for n in range(20)))

    assert len(set(answers)) == 1
