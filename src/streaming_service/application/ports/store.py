"""Everything that must survive."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from streaming_service.application.ports.changes import ChangeSource
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.failover import Standing
from streaming_service.domain.history import Change, HistoryEntry
from streaming_service.domain.notification import Endpoint, Notification


class ChannelQuery(Struct, frozen=True):
    """Filters of a listing; `q` matches content ids and sources. `cursor` is the last answer's `next`."""

    status: str | None = None
    classification: str | None = None
    tenant_id: str | None = None
    q: str | None = None
    limit: int = 50
    cursor: str | None = None


class ChannelPage(Struct, frozen=True):
    """One page in content id order; `next` is None on the last."""

    items: tuple[Channel, ...]
    next: str | None = None


class Placed(Struct, frozen=True):
    """One thing of a channel on an origin. `serving`: viewers are sent to it."""

    stream: str
    content_id: str
    application: str
    serving: bool


class ChannelStore(ChangeSource, Protocol):
    """Channels with their history; every write also stores the notifications it owes."""

    async def get(self, content_id: str) -> Channel | None:
        """The channel as last written."""
        ...

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        """Write channel, history and notifications in one transaction if nobody wrote since `change.channel.version`.

        Its place in the queue and the seats it takes on origins are written with it. Returns the channel with its new
        version. Raises Conflict, or SeatTaken when another channel has a seat of it, and then nothing was written.
        """
        ...

    async def list(self, query: ChannelQuery) -> ChannelPage:
        """A page of channels that match."""
        ...

    async def history(self, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
        """The newest entries first."""
        ...

    async def on_ome(self) -> tuple[Channel, ...]:
        """Every channel that has something on an OME now: serving, building or draining."""
        ...

    async def placements(self, origin: str) -> tuple[Placed, ...]:
        """What the channels have on an origin: a few words each, for fleets of many."""
        ...

    async def seats(self) -> Mapping[str, frozenset[int]]:
        """The taken seats of every origin that has any."""
        ...

    async def count_by_status(self) -> Mapping[str, int]:
        """How many channels there are of each status."""
        ...

    async def claim_due(self, now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
        """Lease up to `limit` channels that are due and that nobody holds, the longest due first."""
        ...

    async def waiting(self, now: datetime) -> Mapping[Classification, int]:
        """How many channels of each classification wait for a place and may have one now."""
        ...

    async def claim_waiting(
        self, classifications: Sequence[Classification], now: datetime, owner: str, lease: timedelta, limit: int
    ) -> tuple[Channel, ...]:
        """Lease up to `limit` channels that wait for a place and that nobody holds, in the order of the queue."""
        ...

    async def extend_lease(self, content_id: str, owner: str, until: datetime) -> bool:
        """Heartbeat. False when somebody else holds the channel meanwhile."""
        ...

    async def release(
        self, content_id: str, owner: str, version: int, due_at: datetime | None, queue_at: datetime | None = None
    ) -> None:
        """Give a lease back and say when the channel is due next, and before when it need not be given a place.

        `version` is the one that the holder saw last. When somebody wrote since then, their `due_at` stays: a wish
        that arrives while a worker is finishing is not forgotten. Nothing happens when `owner` lost the lease.
        """
        ...


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Attempt(Struct, frozen=True):
    """One try of a delivery. `status` is the HTTP status, None when there was no answer."""

    at: datetime
    status: int | None
    detail: str
    duration_ms: float


class Delivery(Struct, frozen=True):
    """A notification on its way.

    `attempts` are the last 20. `tries` counts those since it was owed, or owed again: the position in the schedule.
    `next_attempt_at` is None once it is settled; while it is claimed, it is when the claim runs out.
    """

    notification: Notification
    state: DeliveryState
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None
    tries: int = 0


class Tried(Struct, frozen=True):
    """What came of one try of a claimed delivery; `next_attempt_at` while it stays pending."""

    delivery_id: str
    attempt: Attempt
    state: DeliveryState
    next_attempt_at: datetime | None = None


class DeliveryQuery(Struct, frozen=True):
    """Filters of a listing, newest first."""

    state: str | None = None
    endpoint: str | None = None
    content_id: str | None = None
    limit: int = 50
    cursor: str | None = None


class DeliveryPage(Struct, frozen=True):
    """One page; `next` is None on the last."""

    items: tuple[Delivery, ...]
    next: str | None = None


class OutboxBacklog(Struct, frozen=True):
    """What waits: count per endpoint and when the oldest was owed."""

    pending: Mapping[str, int]
    oldest: datetime | None
    dead: int = 0


class OutboxStore(Protocol):
    """Debts. Per channel and endpoint only the oldest one is handed out, so order is kept."""

    async def claim_deliveries(
        self, now: datetime, owner: str, lease: timedelta, limit: int, endpoints: Sequence[Endpoint]
    ) -> tuple[Delivery, ...]:
        """Lease up to `limit` deliveries whose time has come."""
        ...

    async def record(self, tried: Sequence[Tried]) -> None:
        """Write down what came of claimed deliveries, and free them. When it raises, some may not be written down."""
        ...

    async def owe(self, notifications: Sequence[Notification]) -> None:
        """Debts that no change of a channel makes. One that is owed already stays as it is."""
        ...

    async def get_delivery(self, delivery_id: str) -> Delivery | None: ...

    async def list_deliveries(self, query: DeliveryQuery) -> DeliveryPage: ...

    async def resend(self, delivery_id: str, now: datetime) -> Delivery | None:
        """Owe it again from now, whatever became of it. None when there is no such delivery."""
        ...

    async def backlog(self) -> OutboxBacklog: ...

    async def forget_deliveries(self, owed_before: datetime, limit: int) -> int:
        """Delete up to `limit` that are settled and were owed before that moment; how many went."""
        ...


LISTED_BYTES = 4096


class ListedDeadLetter(Struct, frozen=True):
    """A dead letter as lists show it: `data` is None when it is longer than LISTED_BYTES, for a page of messages of
    10 MB each is more than a process should hold. `size` is the whole message's, in bytes."""

    id: str
    received_at: datetime
    source: str
    message_id: str
    reason: str
    field: str
    data: bytes | None
    attributes: Mapping[str, str]
    size: int


class DeadLetter(Struct, frozen=True):
    """A message that could not be understood, whole, with the reason."""

    id: str
    received_at: datetime
    source: str
    message_id: str
    reason: str
    field: str
    data: bytes
    attributes: Mapping[str, str]

    def listed(self) -> ListedDeadLetter:
        """As lists show it."""
        size = len(self.data)
        shown = self.data if size <= LISTED_BYTES else None
        known = {name: getattr(self, name) for name in self.__struct_fields__ if name != "data"}
        return ListedDeadLetter(**known, data=shown, size=size)


class DeadLetterStore(Protocol):
    async def add_dead_letter(self, letter: DeadLetter) -> None:
        """Keep it; adding the same id again changes nothing."""
        ...

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None: ...

    async def list_dead_letters(
        self, limit: int, cursor: str | None
    ) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
        """Newest first, with the cursor of the next page."""
        ...

    async def delete_dead_letter(self, letter_id: str) -> bool:
        """False when it was not there."""
        ...

    async def count_dead_letters(self) -> int: ...


class IdempotencyStore(Protocol):
    async def remember(self, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
        """The fingerprint first seen with this key: the given one when the key is new (or was forgotten)."""
        ...


class LeaseStore(Protocol):
    async def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """Take or keep a named lease, so that one process at a time does a job. False: another process has it."""
        ...


class OriginStore(Protocol):
    """What operators want of origins."""

    async def drained(self) -> frozenset[str]:
        """Names of the origins that are to be emptied."""
        ...

    async def set_drained(self, origin: str, drained: bool, by: str, now: datetime) -> None:
        """Empty it from now on, or use it again."""
        ...


class FailoverStore(Protocol):
    """Where viewers are sent, as all processes know it."""

    async def get_failover(self, subject: str) -> Standing | None:
        """As last written; None when it never was."""
        ...

    async def failovers(self, changed_since: datetime | None) -> tuple[Standing, ...]:
        """All that are active, or, when a moment is given, all that were changed since, active or not."""
        ...

    async def commit_failover(self, standing: Standing, notifications: Sequence[Notification]) -> Standing:
        """Write it with the debts it makes in one transaction, if nobody wrote since `standing.version`.

        Returns it with its new version. Raises Conflict, and then nothing was written.
        """
        ...


class Store(
    ChannelStore, OutboxStore, DeadLetterStore, IdempotencyStore, LeaseStore, OriginStore, FailoverStore, Protocol
):
    """Everything that must survive."""

    async def check(self) -> None:
        """Raises StoreUnavailable when the store does not answer."""
        ...

    async def time(self) -> datetime | None:
        """What time it is by the store's own clock; None when it has none but this machine's."""
        ...

    async def first_incarnation(self) -> int:
        """After which number the incarnations of new channels are counted: 0, until the store was restored."""
        ...

    async def raise_first_incarnation(self, number: int) -> None:
        """From now on at least that. A lower one changes nothing."""
        ...

    async def close(self) -> None: ...
