"""What is written in Firestore, by asking for what was written last.

Firestore gives each write the moment of its commit by its own clock, and a query sees every commit up to its own
moment. So one query proves that nothing is missing, which a listener cannot: it says nothing while nothing happens, and
nothing when its connection is dead.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from streaming_service.adapters.store.firestore.channels import CHANNELS
from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import DESCENDING, where

CHANGED_AT = "changed_at"
# A question costs the price of one read at least, in every process.
_PAUSE_S = 0.5


class FirestoreChanges:
    """`last` is when the newest known write was committed, None when there was none."""

    def __init__(self, database: FirestoreDatabase, last: Any) -> None:
        self._database = database
        self._last = last
        self._told: dict[str, Any] = {}

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, _PAUSE_S))

    async def told(self) -> frozenset[str]:
        query = self._database.collection(CHANNELS).order_by(CHANGED_AT).select([CHANGED_AT, "content_id"])
        # The last one again: the emulator's clock may give two commits one moment, and an empty answer costs as much.
        found = await self._database.find(where(query, CHANGED_AT, ">=", self._last) if self._last else query)
        moments = {item.fields["content_id"]: item.fields[CHANGED_AT] for item in found}
        changed = frozenset(name for name, moment in moments.items() if self._told.get(name) != moment)
        if moments:
            self._last = max(moments.values())
            self._told = {name: moment for name, moment in moments.items() if moment == self._last}
        return changed


@asynccontextmanager
async def following(database: FirestoreDatabase) -> AsyncGenerator[FirestoreChanges]:
    """Tells what is written from now on. Raises StoreUnavailable."""
    newest = database.collection(CHANNELS).order_by(CHANGED_AT, direction=DESCENDING).select([CHANGED_AT]).limit(1)
    found = await database.find(newest)
    feed = FirestoreChanges(database, found[0].fields[CHANGED_AT] if found else None)
    await feed.told()
    yield feed
