"""What is written in sqlite: the history says it. Every write of a channel adds to it, and writers come one after the
other, so that its numbers are in the order of the commits."""

import asyncio

from sqlalchemy import Connection, bindparam, func, select

from streaming_service.adapters.store.database import Database
from streaming_service.adapters.store.tables import history
from streaming_service.errors import StoreUnavailable

_LAST = select(func.max(history.c.id))
_SINCE = select(history.c.id, history.c.content_id).where(history.c.id >= bindparam("last")).order_by(history.c.id)


class SqliteChanges:
    """`last` is the number of the newest entry that is known, 0 when there was none."""

    def __init__(self, database: Database, last: int) -> None:
        self._database = database
        self._last = last

    @classmethod
    async def open(cls, database: Database) -> "SqliteChanges":
        """Tells what is written from now on. Raises StoreUnavailable."""
        return cls(database, await database.read(_last))

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def told(self) -> frozenset[str]:
        found = await self._database.read(_entries, self._last)
        if self._last and (not found or found[0][0] != self._last):
            raise StoreUnavailable("the file's history is another one than before")
        if not found:
            return frozenset()
        changed = frozenset(content_id for number, content_id in found if number > self._last)
        self._last = found[-1][0]
        return changed


def _last(connection: Connection) -> int:
    return connection.execute(_LAST).scalar() or 0


def _entries(connection: Connection, last: int) -> list[tuple[int, str]]:
    return [(row.id, row.content_id) for row in connection.execute(_SINCE, {"last": last})]
