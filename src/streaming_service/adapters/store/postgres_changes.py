"""What is written in Postgres, by LISTEN and NOTIFY: a trigger of the database notifies, so that every writer does.

A notice may be late by what a signal between two of the server's processes takes, but never later than the end of a
statement of the listening connection that is sent after the writer has its answer: the server passes on what was
signalled before it says that it is ready (https://www.postgresql.org/docs/current/sql-notify.html;
ProcessNotifyInterrupt in its src/backend/tcop/postgres.c). So one cheap statement proves that nothing is missing.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from sqlalchemy.engine import URL

from streaming_service.errors import StoreUnavailable

CHANNEL = "streaming_channels"
_TRIGGER = "SELECT count(*) FROM pg_trigger WHERE tgname = 'channels_changed' AND tgenabled IN ('O', 'A')"
_MYSELF = "SELECT pg_backend_pid()"


class PostgresChanges:
    """A connection of its own that listens."""

    def __init__(self, connection: AsyncConnection[Any], server: int) -> None:
        self._connection = connection
        self._server = server
        self._heard: set[str] = set()

    async def wait(self, seconds: float) -> None:
        with _database_errors():
            async for notice in self._connection.notifies(timeout=seconds, stop_after=1):
                self._take(notice.payload)

    async def told(self) -> frozenset[str]:
        with _database_errors():
            if await _number(self._connection, _MYSELF) != self._server:
                raise StoreUnavailable("a pooler gave the listening connection another server process")
            async for notice in self._connection.notifies(timeout=0):
                self._take(notice.payload)
        heard, self._heard = frozenset(self._heard), set()
        return heard

    def _take(self, content_id: str) -> None:
        if not content_id:
            raise StoreUnavailable("all channels were replaced at once")
        self._heard.add(content_id)


@asynccontextmanager
async def listening(url: URL, limits: dict[str, Any]) -> AsyncGenerator[PostgresChanges]:
    """Open once the server listens. Raises StoreUnavailable, also when nobody would notify."""
    with _database_errors():
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await AsyncConnection.connect(address, autocommit=True, **limits)
    try:
        with _database_errors():
            await connection.execute(f"LISTEN {CHANNEL}")
            if not await _number(connection, _TRIGGER):
                raise StoreUnavailable(
                    "the database has no trigger channels_changed: run `streaming-service db migrate`"
                )
            server = await _number(connection, _MYSELF)
        yield PostgresChanges(connection, server)
    finally:
        # It may be broken, and is not needed any more.
        with suppress(psycopg.Error, OSError):
            await connection.close()


async def _number(connection: AsyncConnection[Any], question: Any) -> int:
    cursor = await connection.execute(question)
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _database_errors() -> Generator[None]:
    try:
        yield
    except (psycopg.Error, OSError, TimeoutError) as error:
        raise StoreUnavailable(str(error).strip().partition("\n")[0] or type(error).__name__) from error
