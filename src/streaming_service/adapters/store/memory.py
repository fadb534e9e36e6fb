"""The store in this process's memory: gone with it, and the shortest account of what the others do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

from msgspec.structs import replace

from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.memory_changes import Listeners, MemoryChanges
from streaming_service.adapters.store.memory_outbox import MemoryOutbox
from streaming_service.adapters.store.paging import AfterChannel, BeforeDeadLetter, from_cursor, to_cursor
from streaming_service.application.ports import ChannelPage, ChannelQuery, DeadLetter, ListedDeadLetter, Placed
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.failover import Standing
from streaming_service.domain.history import Change, HistoryEntry
from streaming_service.domain.notification import Notification
from streaming_service.errors import Conflict, SeatTaken


class _Record:
    """A channel with what the store knows beside it."""

    def __init__(self, channel: Channel, due_at: datetime | None) -> None:
        self.channel = channel
        self.due_at = due_at
        self.queue_at = channel.queue_at
        self.lease_owner: str | None = None
        self.lease_until: datetime | None = None

    def is_free(self, now: datetime) -> bool:
        return self.lease_until is None or self.lease_until <= now


class MemoryStore(MemoryOutbox):
    """Implements `ports.Store`. No method waits in its middle, so each is a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, _Record] = {}
        self._listeners = Listeners()
        self._due: set[str] = set()
        self._queue: set[str] = set()
        self._seats: dict[tuple[str, int], str] = {}
        self._drained: set[str] = set()
        self._failovers: dict[str, Standing] = {}
        self._first_incarnation = 0
        self._history: dict[str, list[HistoryEntry]] = {}
        self._letters: dict[str, DeadLetter] = {}
        self._keys: dict[str, tuple[str, datetime]] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}

    async def check(self) -> None:
        """Memory always answers."""

    async def time(self) -> datetime | None:
        """There is no clock but this machine's."""
        return None

    async def first_incarnation(self) -> int:
        return self._first_incarnation

    async def raise_first_incarnation(self, number: int) -> None:
        self._first_incarnation = max(self._first_incarnation, number)

    async def close(self) -> None:
        """Nothing is held that would need it."""

    # -- channels -------------------------------------------------------------------------------------------------

    async def get(self, content_id: str) -> Channel | None:
        record = self._records.get(content_id)
        return record.channel if record else None

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        content_id, read_version = change.channel.content_id, change.channel.version
        record = self._records.get(content_id)
        if read_version != (record.channel.version if record else 0):
            raise Conflict(f"channel {content_id} is no longer at version {read_version}")
        channel = replace(change.channel, version=read_version + 1)
        self._take_seats(record.channel if record else None, channel)
        if record:
            record.channel, record.due_at, record.queue_at = channel, due_at, channel.queue_at
        else:
            self._records[content_id] = _Record(channel, due_at)
        self._note_due(content_id, due_at)
        self._history.setdefault(change.history.content_id, []).append(change.history)
        self.add_debts(change.notifications)
        self._listeners.tell(content_id)
        return channel

    def changes(self) -> AbstractAsyncContextManager[MemoryChanges]:
        return self._listeners.changes()

    async def list(self, query: ChannelQuery) -> ChannelPage:
        after = from_cursor(query.cursor, AfterChannel).content_id if query.cursor is not None else ""
        found = [
            record.channel
            for content_id, record in sorted(self._records.items())
            if content_id > after and _matches(record.channel, query)
        ]
        items = tuple(found[: query.limit])
        return ChannelPage(items, to_cursor(AfterChannel(items[-1].content_id)) if len(found) > len(items) else None)

    async def history(self, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
        return tuple(reversed(self._history.get(content_id, ())))[:limit]

    async def on_ome(self) -> tuple[Channel, ...]:
        channels = (record.channel for _, record in sorted(self._records.items()))
        return tuple(channel for channel in channels if channel.on_ome)

    async def placements(self, origin: str) -> tuple[Placed, ...]:
        found = [
            Placed(item.stream, content_id, item.application, item == record.channel.serving)
            for content_id, record in self._records.items()
            for item in record.channel.on_ome
            if item.origin == origin
        ]
        return tuple(sorted(found, key=lambda placed: placed.stream))

    async def seats(self) -> Mapping[str, frozenset[int]]:
        taken: dict[str, set[int]] = {}
        for origin, number in self._seats:
            taken.setdefault(origin, set()).add(number)
        return {origin: frozenset(numbers) for origin, numbers in taken.items()}

    async def count_by_status(self) -> Mapping[str, int]:
        return Counter(record.channel.status.value for record in self._records.values())

    async def claim_due(self, now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
        waiting = [(record.due_at, record) for record in map(self._records.__getitem__, self._due)]
        due = [(moment, record) for moment, record in waiting if moment and moment <= now and record.is_free(now)]
        claimed = [record for _, record in sorted(due, key=lambda pair: pair[0])[:limit]]
        for record in claimed:
            record.lease_owner, record.lease_until = owner, now + lease
        return tuple(record.channel for record in claimed)

    async def waiting(self, now: datetime) -> Mapping[Classification, int]:
        return Counter(record.channel.spec.classification for record in self._in_turn(now))

    async def claim_waiting(
        self, classifications: Sequence[Classification], now: datetime, owner: str, lease: timedelta, limit: int
    ) -> tuple[Channel, ...]:
        found = [item for item in self._in_turn(now) if item.channel.spec.classification in classifications]
        claimed = sorted(found, key=lambda record: (record.channel.queue_rank or now, record.channel.content_id))[
            :limit
        ]
        for record in claimed:
            record.lease_owner, record.lease_until = owner, now + lease
        return tuple(record.channel for record in claimed)

    async def extend_lease(self, content_id: str, owner: str, until: datetime) -> bool:
        record = self._held(content_id, owner)
        if record:
            record.lease_until = until
        return record is not None

    async def release(
        self, content_id: str, owner: str, version: int, due_at: datetime | None, queue_at: datetime | None = None
    ) -> None:
        record = self._held(content_id, owner)
        if record is None:
            return
        record.lease_owner = record.lease_until = None
        if record.channel.version == version:
            record.due_at = due_at
            record.queue_at = record.queue_at and (queue_at or record.queue_at)
            self._note_due(content_id, due_at)

    # -- dead letters ---------------------------------------------------------------------------------------------

    async def add_dead_letter(self, letter: DeadLetter) -> None:
        self._letters.setdefault(letter.id, letter)

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None:
        return self._letters.get(letter_id)

    async def list_dead_letters(
        self, limit: int, cursor: str | None
    ) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
        newest_first = sorted(self._letters.values(), key=_letter_order, reverse=True)
        if cursor is not None:
            last = from_cursor(cursor, BeforeDeadLetter)
            newest_first = [letter for letter in newest_first if _letter_order(letter) < (last.received_at, last.id)]
        page = newest_first[:limit]
        more = len(newest_first) > limit
        following = to_cursor(BeforeDeadLetter(*_letter_order(page[-1]))) if more else None
        return tuple(letter.listed() for letter in page), following

    async def delete_dead_letter(self, letter_id: str) -> bool:
        return self._letters.pop(letter_id, None) is not None

    async def count_dead_letters(self) -> int:
        return len(self._letters)

    # -- leases and idempotency keys ------------------------------------------------------------------------------

    async def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        holder, until = self._leases.get(name, (owner, now))
        if holder != owner and until > now:
            return False
        self._leases[name] = owner, now + ttl
        return True

    async def remember(self, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
        self._keys = {known: entry for known, entry in self._keys.items() if entry[1] > now}
        return self._keys.setdefault(key, (fingerprint, now + keep))[0]

    # -- origins --------------------------------------------------------------------------------------------------

    async def drained(self) -> frozenset[str]:
        return frozenset(self._drained)

    async def set_drained(self, origin: str, drained: bool, by: str, now: datetime) -> None:  # noqa: ARG002
        (self._drained.add if drained else self._drained.discard)(origin)

    # -- where viewers are sent -----------------------------------------------------------------------------------

    async def get_failover(self, subject: str) -> Standing | None:
        return self._failovers.get(subject)

    async def failovers(self, changed_since: datetime | None) -> tuple[Standing, ...]:
        known = (item for _, item in sorted(self._failovers.items()))
        return tuple(
            item for item in known if (item.active if changed_since is None else item.changed_at >= changed_since)
        )

    async def commit_failover(self, standing: Standing, notifications: Sequence[Notification]) -> Standing:
        known = self._failovers.get(standing.subject)
        if standing.version != (known.version if known else 0):
            raise Conflict(f"the failover of {standing.subject} is no longer at version {standing.version}")
        written = self._failovers[standing.subject] = replace(standing, version=standing.version + 1)
        self.add_debts(notifications)
        return written

    # -- inside ---------------------------------------------------------------------------------------------------

    def _held(self, content_id: str, owner: str) -> _Record | None:
        record = self._records.get(content_id)
        return record if record and record.lease_owner == owner else None

    def _in_turn(self, now: datetime) -> tuple[_Record, ...]:
        """Those that wait for a place and may have one now."""
        records = map(self._records.__getitem__, self._queue)
        return tuple(item for item in records if item.queue_at and item.queue_at <= now and item.is_free(now))

    def _take_seats(self, before: Channel | None, after: Channel) -> None:
        wanted = {(item.origin, item.seat): item.stream for item in after.on_ome}
        for (origin, number), stream in wanted.items():
            if self._seats.get((origin, number), stream) != stream:
                raise SeatTaken(origin, number)
        for item in before.on_ome if before else ():
            self._seats.pop((item.origin, item.seat), None)
        self._seats |= wanted
        (self._queue.add if after.queue_rank else self._queue.discard)(after.content_id)

    def _note_due(self, content_id: str, due_at: datetime | None) -> None:
        if due_at is None:
            self._due.discard(content_id)
        else:
            self._due.add(content_id)


def _matches(channel: Channel, query: ChannelQuery) -> bool:
    spec = channel.spec
    pairs = (
        (query.status, channel.status),
        (query.classification, spec.classification),
        (query.tenant_id, spec.tenant_id),
    )
    if any(wanted is not None and wanted != value for wanted, value in pairs):
        return False
    text = (query.q or "").casefold()
    return spec.content_id.startswith(text) or text in spec.source_uri.casefold()


def _letter_order(letter: DeadLetter) -> tuple[int, str]:
    return to_micros(letter.received_at), letter.id
