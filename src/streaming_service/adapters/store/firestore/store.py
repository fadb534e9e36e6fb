"""The store in Firestore."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from streaming_service.adapters.store.firestore import (
    changes,
    channels,
    claims,
    dead_letters,
    failovers,
    leases,
    outbox,
    outbox_claims,
    placements,
)
from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import where
from streaming_service.adapters.store.firestore.sequences import Sequences
from streaming_service.application.ports import (
    ChangeFeed,
    ChannelPage,
    ChannelQuery,
    DeadLetter,
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
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
from streaming_service.errors import ConfigurationError, StoreUnavailable


class FirestoreStore:
    """Implements `ports.Store`; what each method promises stands there."""

    def __init__(self, database: FirestoreDatabase) -> None:
        self._database = database
        self._sequences = Sequences(database.micros)

    async def check(self) -> None:
        await self._database.get(leases.FIRST_INCARNATION)

    async def time(self) -> datetime | None:
        return await self._database.time(leases.FIRST_INCARNATION)

    async def require_indexes(self) -> None:
        """Ask once each thing that needs a composite index. Raises ConfigurationError when the database lacks one."""
        database, now = self._database, datetime.now(UTC)
        deliveries, filters = database.collection(outbox.DELIVERIES), ("state", "endpoint", "content_id")
        queries = [
            claims.due(database, now),
            claims.in_turn(database, now, tuple(Classification)),
            outbox_claims.due(database, Endpoint.BIGQUERY.value, 0),
            outbox.line(database, "none", Endpoint.BIGQUERY.value),
            outbox.oldest_first(database, DeliveryState.PENDING),
            *(outbox.newest_first(where(deliveries, field, "==", "none")) for field in filters),
        ]
        try:
            await asyncio.gather(*(database.find(query.limit(1)) for query in queries))
        except StoreUnavailable as error:
            if "firestore.indexes.json" not in str(error):
                raise
            raise ConfigurationError([f"{database.name} lacks an index: {error}"]) from error

    async def close(self) -> None:
        await self._database.close()

    # -- channels -------------------------------------------------------------------------------------------------

    async def get(self, content_id: str) -> Channel | None:
        return await channels.get(self._database, content_id)

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        return await channels.commit(self._database, self._sequences, change, due_at)

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        return changes.following(self._database)

    async def list(self, query: ChannelQuery) -> ChannelPage:
        return await channels.page(self._database, query)

    async def history(self, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
        return await channels.past(self._database, content_id, limit)

    async def on_ome(self) -> tuple[Channel, ...]:
        return await channels.on_ome(self._database)

    async def count_by_status(self) -> Mapping[str, int]:
        return await channels.count_by_status(self._database)

    async def claim_due(self, now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
        due = claims.due(self._database, now)
        return await claims.claim(self._database, due, now, owner, lease, limit, "due_at")

    async def extend_lease(self, content_id: str, owner: str, until: datetime) -> bool:
        return await claims.extend_lease(self._database, content_id, owner, until)

    async def release(
        self, content_id: str, owner: str, version: int, due_at: datetime | None, queue_at: datetime | None = None
    ) -> None:
        await claims.release(self._database, content_id, owner, version, due_at, queue_at)

    async def first_incarnation(self) -> int:
        return await leases.first_incarnation(self._database)

    async def raise_first_incarnation(self, number: int) -> None:
        await leases.raise_first_incarnation(self._database, number)

    # -- places on origins ----------------------------------------------------------------------------------------

    async def placements(self, origin: str) -> tuple[Placed, ...]:
        return await placements.placed_on(self._database, origin)

    async def seats(self) -> Mapping[str, frozenset[int]]:
        return await placements.seats(self._database)

    async def waiting(self, now: datetime) -> Mapping[Classification, int]:
        return await claims.waiting(self._database, now)

    async def claim_waiting(
        self, classifications: Sequence[Classification], now: datetime, owner: str, lease: timedelta, limit: int
    ) -> tuple[Channel, ...]:
        if not classifications:
            return ()
        in_turn = claims.in_turn(self._database, now, classifications)
        return await claims.claim(self._database, in_turn, now, owner, lease, limit, "queue_rank")

    async def drained(self) -> frozenset[str]:
        return await placements.drained(self._database)

    async def set_drained(self, origin: str, drained: bool, by: str, now: datetime) -> None:
        await placements.set_drained(self._database, origin, drained, by, now)

    # -- where viewers are sent -----------------------------------------------------------------------------------

    async def get_failover(self, subject: str) -> Standing | None:
        return await failovers.get(self._database, subject)

    async def failovers(self, changed_since: datetime | None) -> tuple[Standing, ...]:
        return await failovers.known(self._database, changed_since)

    async def commit_failover(self, standing: Standing, notifications: Sequence[Notification]) -> Standing:
        return await failovers.commit(self._database, self._sequences, standing, notifications)

    # -- outbox ---------------------------------------------------------------------------------------------------

    async def claim_deliveries(
        self, now: datetime, owner: str, lease: timedelta, limit: int, endpoints: Sequence[Endpoint]
    ) -> tuple[Delivery, ...]:
        return await outbox_claims.claim(self._database, now, owner, lease, limit, endpoints)

    async def record(self, tried: Sequence[Tried]) -> None:
        await outbox.record(self._database, tried)

    async def owe(self, notifications: Sequence[Notification]) -> None:
        await outbox.owe(self._database, self._sequences, notifications)

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        return await outbox.get(self._database, delivery_id)

    async def list_deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        return await outbox.page(self._database, query)

    async def resend(self, delivery_id: str, now: datetime) -> Delivery | None:
        return await outbox.resend(self._database, delivery_id, now)

    async def forget_deliveries(self, owed_before: datetime, limit: int) -> int:
        return await outbox.forget(self._database, owed_before, limit)

    async def backlog(self) -> OutboxBacklog:
        return await outbox.backlog(self._database)

    # -- dead letters ---------------------------------------------------------------------------------------------

    async def add_dead_letter(self, letter: DeadLetter) -> None:
        await dead_letters.add(self._database, letter)

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        return await dead_letters.get(self._database, letter_id)

    async def list_dead_letters(
        self, limit: int, cursor: str | None
    ) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
        return await dead_letters.page(self._database, limit, cursor)

    async def delete_dead_letter(self, letter_id: str) -> bool:
        return await dead_letters.delete_one(self._database, letter_id)

    async def count_dead_letters(self) -> int:
        return await dead_letters.count(self._database)

    # -- leases and idempotency keys ------------------------------------------------------------------------------

    async def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        return await leases.acquire(self._database, name, owner, now, ttl)

    async def remember(self, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
        return await leases.remember(self._database, key, fingerprint, now, keep)
