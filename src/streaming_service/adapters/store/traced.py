"""Jobs of a database as spans: coarse, one for each time that somebody waits for it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Concatenate

from sqlalchemy import Connection

from streaming_service.adapters.store.database import Database, P, T
from streaming_service.application.ports import ChangeFeed
from streaming_service.tracing import Attributes, Kind, part


class TracedDatabase:
    """Hands everything on to `inner`; `system` is its name by OpenTelemetry's conventions. Statements are not shown:
    what a job is called says more, and says nothing of anybody's data."""

    def __init__(self, inner: Database, system: str) -> None:
        self._inner = inner
        self._system = system

    async def read(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with part(f"store {name_of(job)}", Kind.CLIENT, self._about("read", job)):
            return await self._inner.read(job, *args, **kwargs)

    async def write(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with part(f"store {name_of(job)}", Kind.CLIENT, self._about("write", job)):
            return await self._inner.write(job, *args, **kwargs)

    async def transact(self, job: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with part(f"store {name_of(job)}", Kind.CLIENT, self._about("transact", job)):
            return await self._inner.transact(job, *args, **kwargs)

    async def time(self) -> datetime | None:
        return await self._inner.time()

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        """Asked all the time, and no part of anything: no span."""
        return self._inner.changes()

    async def close(self) -> None:
        await self._inner.close()

    def _about(self, how: str, job: Callable[..., Any]) -> Attributes:
        return {"db.system.name": self._system, "db.operation.name": name_of(job), "streaming.store.access": how}


def name_of(job: Callable[..., Any]) -> str:
    """`channels.commit`."""
    name: str = getattr(job, "__name__", type(job).__name__)
    return f"{job.__module__.rpartition('.')[2]}.{name.strip('_')}"
