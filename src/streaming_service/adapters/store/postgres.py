"""Postgres: a pool of connections, and a limit on every wait."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Concatenate

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from streaming_service.adapters.store.database import P, T, database_errors, refuse_when
from streaming_service.adapters.store.postgres_changes import PostgresChanges, listening

_POOL_SIZE = 10
# Seconds. Each limit is below the next, so that the most telling one speaks.
_CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_S = 8
_POOL_TIMEOUT_S = 8
_IDLE_TRANSACTION_TIMEOUT_S = 20
_TIMEOUT_S = 15.0

_TIME = text("SELECT clock_timestamp()")


class PostgresDatabase:
    """Connections are checked when they are taken, so a restarted server costs nobody an error."""

    def __init__(self, url: URL) -> None:
        settings = (
            f"-c statement_timeout={_STATEMENT_TIMEOUT_S * 1000:.0f}"
            f" -c idle_in_transaction_session_timeout={_IDLE_TRANSACTION_TIMEOUT_S * 1000:.0f}"
        )
        # What the address says itself comes first: a pooler in between may not take `options`, for example.
        limits = {
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "options": settings,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 10_000,
            "application_name": "streaming-service",
        }
        self._url = url
        self._limits = {name: value for name, value in limits.items() if name not in url.query}
        self._engine: AsyncEngine = create_async_engine(
            url,
            pool_size=_POOL_SIZE,
            max_overflow=0,
            pool_timeout=_POOL_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args=self._limits,
        )
        self._single = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._closed = False
        self._running: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()

    async def write(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def run() -> T:
            async with self._single.connect() as connection:
                return await connection.run_sync(job, *args, **kwargs)

        return await self._bounded(run())

    async def read(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.write(job, *args, **kwargs)

    async def transact(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def run() -> T:
            async with self._engine.begin() as connection:
                return await connection.run_sync(job, *args, **kwargs)

        return await self._bounded(run())

    async def time(self) -> datetime | None:
        return await self.read(_time)

    def changes(self) -> AbstractAsyncContextManager[PostgresChanges]:
        refuse_when(self._closed)
        return listening(self._url, self._limits)

    async def close(self) -> None:
        self._closed = True
        # A connection that comes back to a pool which is gone would stay open; the jobs' own limit bounds this.
        while self._running:
            self._idle.clear()
            await self._idle.wait()
        await self._engine.dispose()

    async def _bounded(self, job: Coroutine[Any, Any, T]) -> T:
        """Nobody waits longer than the limit. The driver takes ten seconds more to give a connection up that nobody
        answers on; it does so behind the caller's back, and `close` waits for it."""
        if self._closed:
            job.close()
        refuse_when(self._closed)
        task = asyncio.create_task(job)
        self._running.add(task)
        task.add_done_callback(self._over)
        try:
            with database_errors():
                async with asyncio.timeout(_TIMEOUT_S):
                    await asyncio.wait([task])
                return task.result()
        finally:
            task.cancel()

    def _over(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has got it, or has given up
        self._idle.set()


def _time(connection: Connection) -> datetime:
    return connection.execute(_TIME).scalar_one()
