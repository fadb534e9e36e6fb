"""What Firestore promises beyond the port."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.firestore import channels
from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import Write, update
from streaming_service.adapters.store.firestore.sequences import Sequences
from streaming_service.adapters.store.firestore.store import FirestoreStore
from streaming_service.application.ports import ChannelQuery, DeliveryQuery, DeliveryState, Tried
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import Conflict, InvalidInput, StoreUnavailable
from tests.contract.store.builders import (
    MINUTE,
    NOW,
    accept,
    attempt,
    channel,
    content_id,
    full_channel,
    letter,
    notification,
    placement,
)

pytestmark = [pytest.mark.anyio, pytest.mark.firestore]

ALL = tuple(Endpoint)
_PENDING, _DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED


@pytest.fixture
async def database(firestore_project: str) -> AsyncIterator[FirestoreDatabase]:
    database = FirestoreDatabase(firestore_project, "(default)")
    yield database
    await database.close()


@pytest.fixture
def opened(database: FirestoreDatabase) -> FirestoreStore:
    return FirestoreStore(database)


class Disturbed(FirestoreDatabase):
    """Before a commit somebody else does something, once."""

    def __init__(self, project: str) -> None:
        super().__init__(project, "(default)")
        self.others: list[Coroutine[Any, Any, object]] = []

    async def commit(self, *writes: Write) -> bool:
        if self.others:
            await self.others.pop()
        return await super().commit(*writes)


async def test_closing_and_opening_keeps_everything(firestore_project: str):
    store = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    written = await store.commit(accept(full_channel(), notification(1)), NOW)
    await store.add_dead_letter(letter(1, b"\x00\xff"))
    await store.acquire("poller", "a", NOW, MINUTE)
    await store.remember("key", "first", NOW, MINUTE)
    await store.close()

    store = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))

    assert await store.get(content_id(1)) == written
    assert len(await store.history(content_id(1), 10)) == 1
    assert await store.claim_due(NOW, "worker", MINUTE, 10) == (written,)
    assert len(await store.claim_deliveries(NOW, "worker", MINUTE, 10, ALL)) == 1
    assert await store.get_dead_letter("letter-001") == letter(1, b"\x00\xff")
    assert not await store.acquire("poller", "b", NOW, MINUTE)
    assert await store.remember("key", "second", NOW, MINUTE) == "first"
    await store.close()


async def test_after_closing_it_is_away(firestore_project: str):
    store = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    getting = asyncio.create_task(store.get(content_id(1)))
    await asyncio.sleep(0)
    await store.close()
    await store.close()

    for use in (store.check(), store.commit(accept(channel()), None), store.acquire("poller", "a", NOW, MINUTE)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await use
    assert await getting is None


async def test_a_commit_that_fails_in_its_middle_leaves_nothing(opened: FirestoreStore):
    unwritable = replace(notification(2), facts={"unwritable": object()})

    with pytest.raises(TypeError):
        await opened.commit(accept(channel(), notification(1), unwritable), NOW)

    assert await opened.get(content_id(1)) is None
    assert (await opened.list_deliveries(DeliveryQuery())).items == ()


async def test_two_processes_on_one_database(firestore_project: str):
    first, second = (FirestoreStore(FirestoreDatabase(firestore_project, "(default)")) for _ in range(2))
    stores = (first, second) * 5
    await asyncio.gather(
        *(store.commit(accept(channel(n), notification(n, of=n)), NOW) for n, store in enumerate(stores))
    )

    raced = [store.commit(accept(channel(0, version=1, retries=n)), NOW) for n, store in enumerate(stores)]
    results = await asyncio.gather(*raced, return_exceptions=True)
    claims = await asyncio.gather(*(store.claim_due(NOW, f"w-{n}", MINUTE, 3) for n, store in enumerate(stores)))
    sent = await asyncio.gather(
        *(store.claim_deliveries(NOW, f"w-{n}", MINUTE, 3, ALL) for n, store in enumerate(stores))
    )

    assert sum(isinstance(result, Conflict) for result in results) == 9
    assert Counter(item.content_id for claim in claims for item in claim) == Counter(map(content_id, range(10)))
    assert max(Counter(item.notification.id for claim in sent for item in claim).values()) == 1
    await first.close()
    await second.close()


async def test_a_heartbeat_in_the_middle_of_a_commit_is_no_conflict(firestore_project: str):
    database = Disturbed(firestore_project)
    store = FirestoreStore(database)
    written = await store.commit(accept(channel()), NOW)
    await store.claim_due(NOW, "a", MINUTE, 1)
    other = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    database.others = [other.extend_lease(content_id(1), "a", NOW + 2 * MINUTE)]

    assert (await store.commit(accept(written), NOW)).version == 2
    assert await store.claim_due(NOW + MINUTE, "b", MINUTE, 1) == ()
    await other.close()
    await store.close()


async def test_a_commit_while_a_worker_gives_its_claim_back_is_not_forgotten(firestore_project: str):
    database = Disturbed(firestore_project)
    store = FirestoreStore(database)
    seen = await store.commit(accept(channel()), NOW)
    await store.claim_due(NOW, "a", MINUTE, 1)
    other = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    database.others = [other.commit(accept(seen), NOW)]

    await store.release(content_id(1), "a", seen.version, None)

    (claimed,) = await store.claim_due(NOW, "b", MINUTE, 1)
    assert claimed.version == 2
    await other.close()
    await store.close()


async def test_what_waits_is_moved_although_there_are_more_than_a_batch_holds(opened: FirestoreStore):
    await opened.owe([notification(number) for number in range(1, 903)])
    await opened.claim_deliveries(NOW, "a", MINUTE, 1, ALL)
    first, last = notification(1).id, notification(902).id
    await opened.record([Tried(first, attempt(), _PENDING, NOW + 60 * MINUTE)])

    moved = await opened.get_delivery(last)

    assert moved is not None
    assert moved.next_attempt_at == NOW + 60 * MINUTE
    assert await opened.claim_deliveries(NOW + MINUTE, "a", MINUTE, 10, ALL) == ()


async def test_heads_behind_many_that_wait_are_found(opened: FirestoreStore):
    """A claimed head's followers stay due; they are in nobody's way."""
    await opened.owe([notification(number) for number in range(1, 50)])
    await opened.owe([notification(number, of=number) for number in range(50, 53)])
    await opened.claim_deliveries(NOW, "a", MINUTE, 1, ALL)

    found = await opened.claim_deliveries(NOW, "b", MINUTE, 3, ALL)

    assert [item.notification.content_id for item in found] == [content_id(number) for number in range(50, 53)]


async def test_a_writer_whose_clock_is_behind_keeps_the_order(firestore_project: str):
    right = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    wrong = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    wrong._sequences = Sequences(lambda: 1)
    written = await right.commit(accept(channel(), notification(1)), None)
    written = await wrong.commit(accept(written, notification(2)), None)
    await right.commit(accept(written, notification(3)), None)

    listed = (await right.list_deliveries(DeliveryQuery())).items

    assert [item.notification.id for item in listed] == [notification(number).id for number in (3, 2, 1)]
    await right.close()
    await wrong.close()


async def test_firestores_clock_is_gone_by_once_it_was_seen(firestore_project: str):
    database = FirestoreDatabase(firestore_project, "(default)", clock=lambda: 1)
    told = await FirestoreStore(database).time()

    assert told is not None
    assert database.micros() == to_micros(told)
    await database.close()


async def test_debts_of_one_number_are_all_listed(firestore_project: str):
    """Two processes whose clocks say the same at the same moment."""
    for number in (1, 2, 3):
        store = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
        store._sequences.take = lambda count, after=0: range(7, 7 + count)
        await store.owe([notification(number, of=number)])
        await store.close()
    store = FirestoreStore(FirestoreDatabase(firestore_project, "(default)"))
    page = await store.list_deliveries(DeliveryQuery(limit=1))
    seen = [page.items[0].notification.id]
    while page.next:
        page = await store.list_deliveries(DeliveryQuery(limit=1, cursor=page.next))
        seen += [item.notification.id for item in page.items]

    assert seen == [notification(number).id for number in (3, 2, 1)]
    await store.close()


async def test_a_letter_longer_than_a_document_is_kept_and_deleted_whole(
    opened: FirestoreStore, database: FirestoreDatabase
):
    long = letter(1, bytes(range(256)) * 10_000)
    await opened.add_dead_letter(long)
    await opened.add_dead_letter(letter(1, b"again"))
    await opened.add_dead_letter(letter(1, bytes(2_000_000)))

    assert await opened.get_dead_letter(long.id) == long
    assert (await opened.list_dead_letters(10, None))[0] == (long.listed(),)
    assert await opened.delete_dead_letter(long.id)
    assert await database.find(database.collection("dead_letters", long.id, "parts")) == []


async def test_a_search_looks_at_so_many_and_says_where_to_go_on(
    opened: FirestoreStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(channels, "_SEARCH_PAGE", 2)
    monkeypatch.setattr(channels, "_SEARCH_PAGES", 2)
    for number in range(1, 12):
        await opened.commit(accept(channel(number, source_uri=f"gs://uploads/{'x' if number == 9 else 'y'}.mp4")), None)
    found: list[Channel] = []
    pages, cursor = 0, None
    while not pages or cursor:
        page = await opened.list(ChannelQuery(q="x.mp4", cursor=cursor))
        found += page.items
        pages, cursor = pages + 1, page.next

    assert [item.content_id for item in found] == [content_id(9)]
    assert pages == 3


async def test_keys_carry_when_they_may_be_removed(opened: FirestoreStore, database: FirestoreDatabase):
    await opened.remember("key", "print", NOW, timedelta(days=1))

    (key,) = await database.find(database.collection("idempotency_keys"))

    assert key.fields["expires_at"] == NOW + timedelta(days=1)


async def test_what_rests_is_in_no_index_of_what_is_due(opened: FirestoreStore, database: FirestoreDatabase):
    written = await opened.commit(accept(channel(waiting_since=NOW), notification(1)), NOW)
    await opened.commit(accept(replace(written, waiting_since=None)), None)
    await opened.record([Tried(notification(1).id, attempt(), _DELIVERED)])

    (rests,) = await database.find(database.collection("channels"))
    (settled,) = await database.find(database.collection("deliveries"))

    assert not {"due_at", "queue_rank", "queue_at"} & rests.fields.keys()
    assert "due_at" not in settled.fields


async def test_a_document_that_somebody_keeps_writing_is_given_up(firestore_project: str):
    numbers = count()

    class Losing(FirestoreDatabase):
        async def commit(self, *writes: Write) -> bool:
            found = await self.get(channels.document(content_id(1)))
            if found:
                await super().commit(update(found, disturbed=next(numbers)))
            return await super().commit(*writes)

    store = FirestoreStore(Losing(firestore_project, "(default)"))
    written = await store.commit(accept(channel()), NOW)

    with pytest.raises(Conflict):
        await store.commit(accept(written), NOW)
    assert await store.get(content_id(1)) == written
    await store.close()


async def test_what_is_too_large_for_a_document_is_refused(opened: FirestoreStore):
    large = replace(notification(1), facts={"paths": ["/" * 1_100_000]})

    with pytest.raises(InvalidInput):
        await opened.commit(accept(channel(serving=placement()), large), NOW)

    assert await opened.get(content_id(1)) is None
    assert await opened.seats() == {}


async def test_a_firestore_that_is_away(monkeypatch: pytest.MonkeyPatch, grpc_loop: None):
    monkeypatch.setattr("streaming_service.adapters.store.firestore.database._RETRIES_S", 0.2)
    monkeypatch.setattr("streaming_service.adapters.store.firestore.database._TIMEOUT_S", 0.5)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    store = FirestoreStore(FirestoreDatabase("away", "(default)"))

    for use in (store.check(), store.list(ChannelQuery()), store.owe([notification(1)]), store.count_by_status()):
        with pytest.raises(StoreUnavailable):
            await use
    await store.close()


async def test_a_start_asks_for_its_indexes(opened: FirestoreStore):
    await opened.require_indexes()
