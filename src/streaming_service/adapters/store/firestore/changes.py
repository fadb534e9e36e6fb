"""What is written in Firestore, by asking for what was written lately.

A query sees every commit up to its own moment. What can be asked for is when Firestore began to process a commit
(https://cloud.google.com/firestore/docs/reference/rest/v1/Write#servervalue), and that may be earlier than one that was
seen already. But a writer whose request took longer than the longest request was never told that it is done. So what
lies further back than that need not be asked for again, and one query proves that nothing is missing. A listener
cannot: it says nothing while nothing happens, and nothing when its connection is dead.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streaming_service.adapters.store.codec import from_micros
from streaming_service.adapters.store.firestore import leases
from streaming_service.adapters.store.firestore.channels import CHANNELS
from streaming_service.adapters.store.firestore.database import REQUEST_TIMEOUT_S, FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import where

CHANGED_AT = "changed_at"
# A question costs the price of one read at least, in every process.
_PAUSE_S = 0.5
# The longest request, and what our knowledge of Firestore's clock may be off by.
_OVERLAP_MICROS = int((REQUEST_TIMEOUT_S + 2.0) * 1_000_000)


class FirestoreChanges:
    """`asked_at` is when everything before was known, in microseconds by Firestore's clock."""

    def __init__(self, database: FirestoreDatabase, asked_at: int) -> None:
        self._database = database
        self._asked_at = asked_at
        self._told: dict[str, int] = {}

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, _PAUSE_S))

    async def told(self) -> frozenset[str]:
        since, self._asked_at = from_micros(self._asked_at - _OVERLAP_MICROS), self._database.micros()
        changes = self._database.collection(CHANNELS).select([CHANGED_AT, "content_id", "version"])
        found = await self._database.find(where(changes, CHANGED_AT, ">=", since))
        before, self._told = self._told, {item.fields["content_id"]: item.fields["version"] for item in found}
        return frozenset(name for name, version in self._told.items() if before.get(name) != version)


@asynccontextmanager
async def following(database: FirestoreDatabase) -> AsyncGenerator[FirestoreChanges]:
    """Tells what is written from now on. Raises StoreUnavailable."""
    await database.time(leases.FIRST_INCARNATION)  # what time it is there
    feed = FirestoreChanges(database, database.micros())
    await feed.told()
    yield feed
