"""How fast the store is on Google's Firestore emulator: `python -m bench.firestore`. Prints figures and judges nothing.

The emulator says how many round trips an operation takes, not how long Google takes for one.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import Document, Record, Write
from streaming_service.adapters.store.firestore.store import FirestoreStore
from streaming_service.application.ports import Attempt, DeliveryState, Tried
from streaming_service.devkit.emulators import FirestoreEmulator
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause, Endpoint, Notification
from tests.contract.store.builders import channel

_CHANNELS = 300
_AT_ONCE = 32
_WORKERS = (1, 3)
_NOW = datetime.now(UTC)
_LATER = _NOW + timedelta(seconds=1)
_LEASE = timedelta(minutes=1)
_CAUSE = Cause("bench", "bench")


class Counting(FirestoreDatabase):
    """Counts documents as Google bills them: an empty answer is one read."""

    reads = writes = 0

    async def get(self, document: Document) -> Record | None:
        self.reads += 1
        return await super().get(document)

    async def find(self, query: Any) -> list[Record]:
        found = await super().find(query)
        self.reads += len(found) or 1
        return found

    async def commit(self, *writes: Write) -> bool:
        done = await super().commit(*writes)
        self.writes += len(writes) if done else 0
        return done


def main() -> None:
    """Start an emulator and measure."""
    with FirestoreEmulator() as emulator:
        os.environ.update(emulator.environment)
        asyncio.run(_measure())


async def _measure() -> None:
    for workers in _WORKERS:
        database = Counting(f"bench-{uuid4().hex[:8]}", "(default)")
        store = FirestoreStore(database)
        await store.check()
        await _figure(database, "commit", 2 * _CHANNELS, partial(_spread, partial(_commit_two, store)))
        for name, count, job in (("claim and release", 1, _claim), ("claim and record a delivery", 2, _deliver)):
            jobs = [partial(job, store, f"worker-{number}") for number in range(workers)]
            await _figure(database, f"{name}, workers: {workers}", count * _CHANNELS, partial(_together, jobs))
        await store.close()


async def _commit_two(store: FirestoreStore, number: int) -> None:
    new = channel(1, content_id=str(UUID(int=number, version=4)))
    written = await store.commit(change(new, "accepted", _CAUSE, (_debt(new.content_id, 1),)), _NOW)
    await store.commit(change(written, "ready", _CAUSE, (_debt(new.content_id, 2),)), _NOW)


async def _claim(store: FirestoreStore, owner: str) -> None:
    while found := await store.claim_due(_LATER, owner, _LEASE, 16):
        await asyncio.gather(*(store.release(item.content_id, owner, item.version, None) for item in found))


async def _deliver(store: FirestoreStore, owner: str) -> None:
    done = Attempt(_LATER, 200, "", 1.0)
    while found := await store.claim_deliveries(_LATER, owner, _LEASE, 16, (Endpoint.CONTENT_CALLBACK,)):
        keys = (item.notification.id for item in found)
        await store.record([Tried(key, done, DeliveryState.DELIVERED) for key in keys])


def _debt(content_id: str, number: int) -> Notification:
    return Notification(
        f"{content_id}/{number}", Endpoint.CONTENT_CALLBACK, "stream.provisioned", content_id, _NOW, {"number": number}
    )


async def _spread(job: Callable[[int], Awaitable[None]]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await job(number)

    await asyncio.gather(*map(one, range(_CHANNELS)))


async def _together(jobs: Sequence[Callable[[], Awaitable[None]]]) -> None:
    await asyncio.gather(*(job() for job in jobs))


async def _figure(database: Counting, name: str, count: int, job: Callable[[], Awaitable[None]]) -> None:
    reads, writes, began = database.reads, database.writes, time.perf_counter()
    await job()
    took = time.perf_counter() - began
    reads, writes = (database.reads - reads) / count, (database.writes - writes) / count
    print(f"{name}: {count / took:.0f} a second; {reads:.1f} reads and {writes:.1f} writes each")


if __name__ == "__main__":
    main()
