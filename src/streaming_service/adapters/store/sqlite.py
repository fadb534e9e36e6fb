"""sqlite: one thread writes and a few read, and what waits to be written is written together.

A driver that hops to its thread for every call (aiosqlite) made a commit of four statements three times as dear. Half
of what remained was the transaction itself, so whatever arrives during one is put into the next, each job behind a
savepoint of its own. One writer also means that nobody in this process ever finds the file locked.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection as DriverConnection
from sqlite3 import OperationalError
from typing import Any, Concatenate

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import QueuePool

from streaming_service.adapters.store.database import P, T, database_errors, refuse_when
from streaming_service.adapters.store.sqlite_changes import SqliteChanges

_READERS = 4
_TOGETHER = 64
# How long one write waits for another process's before it gives up, and a job for its turn and its end.
_BUSY_TIMEOUT_MS = 5_000
_TIMEOUT_S = 15.0

_Job = Callable[[Connection], Any]


class SqliteDatabase:
    """A file in WAL mode: readers see the last commit and never wait for the writer."""

    def __init__(self, url: URL) -> None:
        with database_errors():
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        self._writing = _engine(url, size=1, transactional=True)
        self._reading = _engine(url, size=_READERS, transactional=False)
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._readers = ThreadPoolExecutor(_READERS, "store-reader")
        self._waiting: list[tuple[_Job, asyncio.Future[Any]]] = []
        self._drain: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> T:
            with self._reading.begin() as connection:
                return job(connection, *args, **kwargs)

        refuse_when(self._closed)
        with database_errors():
            async with asyncio.timeout(_TIMEOUT_S):
                return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def transact(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        refuse_when(self._closed)
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((lambda connection: job(connection, *args, **kwargs), done))
        if self._drain is None:
            self._drain = asyncio.create_task(self._write_waiting())
        with database_errors():
            async with asyncio.timeout(_TIMEOUT_S):
                return await done

    async def write(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.transact(job, *args, **kwargs)

    async def time(self) -> datetime | None:
        """Its file is on this machine, and so are all who use it."""
        return None

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[SqliteChanges]:
        yield await SqliteChanges.open(self)

    async def close(self) -> None:
        self._closed = True
        if self._drain:
            await self._drain
        await asyncio.to_thread(self._shut_down)

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while turn := self._next_turn():
                jobs = [job for job, _ in turn]
                try:
                    outcomes = await loop.run_in_executor(self._writer, _run_together, self._writing, jobs)
                except Exception as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
                    outcomes = [(None, error)] * len(turn)
                for (_, done), (value, error) in zip(turn, outcomes, strict=True):
                    if done.done():  # its caller gave up meanwhile
                        continue
                    if error is None:
                        done.set_result(value)
                    else:
                        done.set_exception(error)
        finally:
            self._drain = None

    def _next_turn(self) -> list[tuple[_Job, asyncio.Future[Any]]]:
        self._waiting = [(job, done) for job, done in self._waiting if not done.done()]
        turn, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        return turn

    def _shut_down(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        self._reading.dispose()
        self._writing.dispose()


def _engine(url: URL, *, size: int, transactional: bool) -> Engine:
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=size, max_overflow=0, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", configure)
    if transactional:
        # BEGIN alone would take the write lock at the first write, where waiting for it is no longer possible.
        event.listen(engine, "begin", _begin)
    return engine


def configure(connection: DriverConnection, _record: Any) -> None:
    """Settings of every connection."""
    connection.isolation_level = None  # the driver would otherwise begin transactions at moments of its own choice
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    # The mode is the file's own and stays. Of two who open a new file at once only one can set it, and need.
    with suppress(OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _run_together(engine: Engine, jobs: list[_Job]) -> list[tuple[Any, Exception | None]]:
    """Each job's result or error, once all that succeeded are committed."""
    with engine.begin() as connection:
        return [_run_alone(connection, job) for job in jobs]


def _run_alone(connection: Connection, job: _Job) -> tuple[Any, Exception | None]:
    driver: Any = connection.connection.driver_connection
    driver.execute("SAVEPOINT job")
    try:
        value = job(connection)
    except Exception as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
        driver.execute("ROLLBACK TO job")
        return None, error
    finally:
        driver.execute("RELEASE job")
    return value, None
