"""The store in sqlite or Postgres."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

from streaming_service.adapters.store import (
    channels,
    dead_letters,
    failovers,
    leases,
    marks,
    outbox,
    placements,
    schema,
)
from streaming_service.adapters.store.database import Database
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.traced import TracedDatabase
from streaming_service.application.ports import (
    ChangeFeed,
    ChannelPage,
    ChannelQuery,
    DeadLetter,
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    ListedDeadLetter,
    OutboxBacklog,
    Placed,
    Tried,
)
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.failover import Standing
from streaming_service.domain.history import Change, HistoryEntry
from streaming_service.domain.notification import Endpoint, Notification

_ON_OME_PAGE = 500


class SqlStore:
    """Implements `ports.Store`; what each method promises stands there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, dsn: str) -> "SqlStore":
        """A store at a path, a `sqlite:` or a `postgresql:` address (`dsn.parse_dsn`); the database may be down still.

        The folder of a sqlite file is created; tables are not (`migrate.upgrade`, and `require_schema` to be sure).
        Raises ConfigurationError, or StoreUnavailable when the folder cannot be made.
        """
        url = parse_dsn(dsn)
        if url.get_backend_name() == "sqlite":
            from streaming_service.adapters.store.sqlite import SqliteDatabase  # noqa: PLC0415

            return cls(TracedDatabase(SqliteDatabase(url), "sqlite"))
        # Only who uses it pays for importing the driver.
        from streaming_service.adapters.store.postgres import PostgresDatabase  # noqa: PLC0415

        return cls(TracedDatabase(PostgresDatabase(url), "postgresql"))

    async def check(self) -> None:
        await self._database.read(schema.revision)

    async def time(self) -> datetime | None:
        return await self._database.time()

    async def schema(self) -> str | None:
        """The revision of the database's tables; None when it has none. Raises StoreUnavailable."""
        return await self._database.read(schema.current)

    async def require_schema(self) -> None:
        """Raises ConfigurationError when this release cannot work with the tables as they are."""
        schema.require(await self.schema())

    async def first_incarnation(self) -> int:
        return await self._database.read(marks.first_incarnation)

    async def raise_first_incarnation(self, number: int) -> None:
        await self._database.write(marks.raise_first_incarnation, number)

    async def close(self) -> None:
        await self._database.close()

    # -- channels -------------------------------------------------------------------------------------------------

    async def get(self, content_id: str) -> Channel | None:
        return await self._database.read(channels.get, content_id)

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        return await self._database.transact(channels.commit, change, due_at)

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        return self._database.changes()

    async def list(self, query: ChannelQuery) -> ChannelPage:
        return await self._database.read(channels.page, query)

    async def history(self, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
        return await self._database.read(channels.past, content_id, limit)

    async def on_ome(self) -> tuple[Channel, ...]:
        # In pages, so that a hundred thousand channels keep neither the event loop nor a connection for seconds.
        found: list[Channel] = []
        page = await self._database.read(channels.on_ome, "", _ON_OME_PAGE)
        while page:
            found += page
            page = await self._database.read(channels.on_ome, page[-1].content_id, _ON_OME_PAGE)
        return tuple(found)

    async def count_by_status(self) -> Mapping[str, int]:
        return await self._database.read(channels.count_by_status)

    async def claim_due(self, now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
        return await self._database.write(channels.claim_due, now, owner, lease, limit)

    async def extend_lease(self, content_id: str, owner: str, until: datetime) -> bool:
        return await self._database.write(channels.extend_lease, content_id, owner, until)

    async def release(
        self, content_id: str, owner: str, version: int, due_at: datetime | None, queue_at: datetime | None = None
    ) -> None:
        await self._database.write(channels.release, content_id, owner, version, due_at, queue_at)

    # -- places on origins ----------------------------------------------------------------------------------------

    async def placements(self, origin: str) -> tuple[Placed, ...]:
        return await self._database.read(placements.placed_on, origin)

    async def seats(self) -> Mapping[str, frozenset[int]]:
        return await self._database.read(placements.seats)

    async def waiting(self, now: datetime) -> Mapping[Classification, int]:
        return await self._database.read(channels.waiting, now)

    async def claim_waiting(
        self, classifications: Sequence[Classification], now: datetime, owner: str, lease: timedelta, limit: int
    ) -> tuple[Channel, ...]:
        return await self._database.write(channels.claim_waiting, classifications, now, owner, lease, limit)

    async def drained(self) -> frozenset[str]:
        return await self._database.read(placements.drained)

    async def set_drained(self, origin: str, drained: bool, by: str, now: datetime) -> None:
        await self._database.write(placements.set_drained, origin, drained, by, now)

    # -- where viewers are sent -----------------------------------------------------------------------------------

    async def get_failover(self, subject: str) -> Standing | None:
        return await self._database.read(failovers.get, subject)

    async def failovers(self, changed_since: datetime | None) -> tuple[Standing, ...]:
        return await self._database.read(failovers.known, changed_since)

    async def commit_failover(self, standing: Standing, notifications: Sequence[Notification]) -> Standing:
        return await self._database.transact(failovers.commit, standing, notifications)

    # -- outbox ---------------------------------------------------------------------------------------------------

    async def claim_deliveries(
        self, now: datetime, owner: str, lease: timedelta, limit: int, endpoints: Sequence[Endpoint]
    ) -> tuple[Delivery, ...]:
        return await self._database.write(outbox.claim, now, owner, lease, limit, endpoints)

    async def record(self, tried: Sequence[Tried]) -> None:
        await self._database.transact(outbox.record, tried)

    async def owe(self, notifications: Sequence[Notification]) -> None:
        await self._database.transact(outbox.owe, notifications)

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        return await self._database.read(outbox.get, delivery_id)

    async def list_deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        return await self._database.read(outbox.page, query)

    async def resend(self, delivery_id: str, now: datetime) -> Delivery | None:
        return await self._database.transact(outbox.resend, delivery_id, now)

    async def forget_deliveries(self, owed_before: datetime, limit: int) -> int:
        return await self._database.transact(outbox.forget, owed_before, limit)

    async def backlog(self) -> OutboxBacklog:
        return await self._database.read(outbox.backlog)

    # -- dead letters ---------------------------------------------------------------------------------------------

    async def add_dead_letter(self, letter: DeadLetter) -> None:
        await self._database.write(dead_letters.add, letter)

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        return await self._database.read(dead_letters.get, letter_id)

    async def list_dead_letters(
        self, limit: int, cursor: str | None
    ) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
        return await self._database.read(dead_letters.page, limit, cursor)

    async def delete_dead_letter(self, letter_id: str) -> bool:
        return await self._database.write(dead_letters.delete_one, letter_id)

    async def count_dead_letters(self) -> int:
        return await self._database.read(dead_letters.count)

    # -- leases and idempotency keys ------------------------------------------------------------------------------

    async def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        return await self._database.write(leases.acquire, name, owner, now, ttl)

    async def remember(self, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
        return await self._database.transact(leases.remember, key, fingerprint, now, keep)
