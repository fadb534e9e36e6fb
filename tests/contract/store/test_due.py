import asyncio
from collections import Counter

import pytest
from msgspec.structs import replace

from streaming_service.application.ports import Store
from tests.contract.store.builders import MINUTE, NOW, SECOND, accept, channel, content_id

pytestmark = pytest.mark.anyio


async def claim(store: Store, owner: str = "a", at: float = 0, limit: int = 10) -> list[str]:
    """Ids that `owner` gets for a minute, `at` seconds from now."""
    channels = await store.claim_due(NOW + at * SECOND, owner, MINUTE, limit)
    return [item.content_id for item in channels]


async def test_what_is_due_is_handed_out_the_longest_due_first(store: Store):
    for number, due in enumerate([NOW, NOW - MINUTE, None, NOW + SECOND, NOW - SECOND], start=1):
        await store.commit(accept(channel(number)), due)

    assert await claim(store, limit=2) == [content_id(2), content_id(5)]
    assert await claim(store) == [content_id(1)]
    assert await claim(store) == []


async def test_claimed_channels_come_as_they_were_written(store: Store):
    written = await store.commit(accept(channel()), NOW)

    assert await store.claim_due(NOW, "a", MINUTE, 1) == (written,)


async def test_a_claim_that_runs_out_is_free_for_others(store: Store):
    await store.commit(accept(channel()), NOW)

    assert await claim(store, "a") == [content_id(1)]
    assert await claim(store, "b", at=59.9) == []
    assert await claim(store, "b", at=60) == [content_id(1)]


async def test_a_heartbeat_keeps_the_claim(store: Store):
    await store.commit(accept(channel()), NOW)
    await claim(store, "a")

    assert await store.extend_lease(content_id(1), "a", NOW + 2 * MINUTE)
    assert await claim(store, "b", at=90) == []
    assert await claim(store, "b", at=120) == [content_id(1)]


async def test_a_heartbeat_tells_who_lost_the_claim(store: Store):
    await store.commit(accept(channel()), NOW)
    await claim(store, "a")
    await claim(store, "b", at=60)

    assert not await store.extend_lease(content_id(1), "a", NOW + 9 * MINUTE)
    assert not await store.extend_lease(content_id(2), "a", NOW + 9 * MINUTE)
    assert await store.extend_lease(content_id(1), "b", NOW + 3 * MINUTE)


async def test_release_frees_and_says_when_it_is_due_next(store: Store):
    written = await store.commit(accept(channel()), NOW)
    await claim(store)

    await store.release(content_id(1), "a", written.version, NOW + SECOND)

    assert await claim(store, "b") == []
    assert await claim(store, "b", at=1) == [content_id(1)]


async def test_release_to_rest(store: Store):
    written = await store.commit(accept(channel()), NOW)
    await claim(store)

    await store.release(content_id(1), "a", written.version, None)

    assert await claim(store, "b", at=9999) == []


async def test_a_wish_that_came_during_the_claim_stays_due(store: Store):
    seen = await store.commit(accept(channel()), NOW)
    await claim(store)
    seen = await store.commit(accept(seen), None)
    wished = await store.commit(accept(replace(seen, generation=2)), NOW)

    await store.release(content_id(1), "a", seen.version, None)

    assert await store.claim_due(NOW, "b", MINUTE, 1) == (wished,)


async def test_what_the_holder_itself_wrote_is_released_to_rest(store: Store):
    seen = await store.commit(accept(channel()), NOW)
    await claim(store)
    seen = await store.commit(accept(seen), NOW)

    await store.release(content_id(1), "a", seen.version, None)

    assert await claim(store, "b") == []


async def test_who_lost_the_claim_cannot_release_it(store: Store):
    written = await store.commit(accept(channel()), NOW)
    await claim(store, "a")
    await claim(store, "b", at=60)

    await store.release(content_id(1), "a", written.version, None)

    assert await claim(store, "c", at=61) == []
    assert await claim(store, "c", at=120) == [content_id(1)]


async def test_writing_neither_takes_nor_frees_a_claim(store: Store):
    written = await store.commit(accept(channel()), NOW)
    await claim(store, "a")
    await store.commit(accept(written), NOW - MINUTE)

    assert await claim(store, "b") == []
    assert await store.extend_lease(content_id(1), "a", NOW + MINUTE)


async def test_writing_makes_a_resting_channel_due(store: Store):
    written = await store.commit(accept(channel()), None)
    assert await claim(store) == []

    await store.commit(accept(written), NOW)

    assert await claim(store) == [content_id(1)]


async def test_many_workers_at_once_share_without_overlap(store: Store):
    await asyncio.gather(*(store.commit(accept(channel(number)), NOW) for number in range(1, 101)))

    async def work(owner: str) -> list[str]:
        got: list[str] = []
        while more := await claim(store, owner, limit=3):
            got += more
        return got

    shares = await asyncio.gather(*(work(f"worker-{number}") for number in range(8)))

    handed_out = Counter(item for share in shares for item in share)
    assert handed_out == Counter(map(content_id, range(1, 101)))
