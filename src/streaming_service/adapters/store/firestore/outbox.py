"""The outbox in Firestore: debts, and what comes of them.

As in SQL, a claim moves `due_at` to its own end, only the head of a line (the pending debts of one channel and
endpoint) is handed out, and what waits behind a head that is put off is moved along with it, so that claims need not
look at it again and again. What is settled has no `due_at`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from streaming_service.adapters.store.codec import (
    KEPT_ATTEMPTS,
    decode_attempts,
    decode_notification,
    encode,
    encode_attempt,
    from_micros,
    to_micros,
)
from streaming_service.adapters.store.firestore.database import TRIES, FirestoreDatabase, contended, counted
from streaming_service.adapters.store.firestore.documents import (
    DESCENDING,
    NAME,
    Create,
    Delete,
    Document,
    Record,
    Write,
    name_of,
    update,
    where,
)
from streaming_service.adapters.store.firestore.sequences import Sequences
from streaming_service.adapters.store.paging import BeforeDelivery, from_cursor, to_cursor
from streaming_service.application.ports import (
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
    OutboxBacklog,
    Tried,
)
from streaming_service.domain.notification import Endpoint, Notification

DELIVERIES = "deliveries"
_PENDING = DeliveryState.PENDING
# A batch may have 500 writes.
_BATCH = 400


def document(delivery_id: str) -> Document:
    return DELIVERIES, name_of(delivery_id)


def unique(notifications: Sequence[Notification]) -> tuple[Notification, ...]:
    """One whose id was there already is the same debt."""
    first: dict[str, Notification] = {}
    for notification in notifications:
        first.setdefault(notification.id, notification)
    return tuple(first.values())


def debts(owed: Sequence[Notification], numbers: Sequence[int]) -> list[Write]:
    """New debts, none of which may be there yet."""
    return [
        Create(document(notification.id), _fields(notification, number))
        for notification, number in zip(owed, numbers, strict=True)
    ]


async def still_new(database: FirestoreDatabase, owed: Sequence[Notification]) -> tuple[Notification, ...]:
    """Those that are not owed yet. Asked only when a batch failed, because ids are new nearly always."""
    found = await database.get_all([document(notification.id) for notification in owed])
    known = {record.document for record in found}
    return tuple(notification for notification in owed if document(notification.id) not in known)


async def owe(database: FirestoreDatabase, sequences: Sequences, notifications: Sequence[Notification]) -> None:
    owed = unique(notifications)
    for start in range(0, len(owed), _BATCH):
        await _owe(database, sequences, owed[start : start + _BATCH])


async def _owe(database: FirestoreDatabase, sequences: Sequences, owed: tuple[Notification, ...]) -> None:
    for _ in range(TRIES):
        if await database.commit(*debts(owed, sequences.take(len(owed)))):
            return
        owed = await still_new(database, owed)
        if not owed:
            return
    raise contended(document(owed[0].id))


async def record(database: FirestoreDatabase, tried: Sequence[Tried]) -> None:
    """Side by side, each by itself: whoever claimed them has them from different lines."""
    ended = await asyncio.gather(*(_record(database, item) for item in tried), return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error


async def _record(database: FirestoreDatabase, tried: Tried) -> None:
    for _ in range(TRIES):
        found = await database.get(document(tried.delivery_id))
        if found is None:
            return
        changes = _outcome(found, tried)
        behind: list[Write] = []
        if changes["state"] == _PENDING:
            behind = await _behind(database, found, changes["due_at"])
        elif changes["tries"] > 1:  # it had been put off before, and what waits behind it too
            behind = await _behind(database, found, to_micros(tried.attempt.at))
        if await _commit(database, behind, update(found, **changes)):
            return
    raise contended(document(tried.delivery_id))


async def get(database: FirestoreDatabase, delivery_id: str) -> Delivery | None:
    found = await database.get(document(delivery_id))
    return None if found is None else delivery(found)


async def page(database: FirestoreDatabase, query: DeliveryQuery) -> DeliveryPage:
    wanted = database.collection(DELIVERIES)
    for field in ("state", "endpoint", "content_id"):
        if (value := getattr(query, field)) is not None:
            wanted = where(wanted, field, "==", value)
    wanted = newest_first(wanted)
    if query.cursor is not None:
        before = from_cursor(query.cursor, BeforeDelivery)
        reference = database.collection(DELIVERIES).document(name_of(before.id))
        wanted = wanted.start_after({"sequence": before.sequence, NAME: reference})
    found = await database.find(wanted.limit(query.limit + 1))
    items = tuple(map(delivery, found[: query.limit]))
    if len(found) <= query.limit:
        return DeliveryPage(items)
    last = found[query.limit - 1].fields["sequence"]
    return DeliveryPage(items, to_cursor(BeforeDelivery(last, items[-1].notification.id)))


async def resend(database: FirestoreDatabase, delivery_id: str, now: datetime) -> Delivery | None:
    due = to_micros(now)
    changes = {"state": _PENDING.value, "due_at": due, "tries": 0, "claimed_by": None}
    for _ in range(TRIES):
        found = await database.get(document(delivery_id))
        if found is None:
            return None
        if await _commit(database, await _behind(database, found, due), update(found, **changes)):
            return delivery(found, **changes)
    raise contended(document(delivery_id))


async def forget(database: FirestoreDatabase, owed_before: datetime, limit: int) -> int:
    gone = 0
    for state in (DeliveryState.DELIVERED, DeliveryState.DEAD):
        if room := min(limit, _BATCH) - gone:
            found = await database.find(oldest_first(database, state).limit(room))
            old = [record for record in found if record.fields["created_at"] < to_micros(owed_before)]
            # Should one of them be owed again meanwhile, none goes this time.
            if old and await database.commit(*(Delete(record.document, record.updated_at) for record in old)):
                gone += len(old)
    return gone


async def backlog(database: FirestoreDatabase) -> OutboxBacklog:
    deliveries = database.collection(DELIVERIES)
    pending = where(deliveries, "state", "==", _PENDING.value)
    endpoints = [endpoint.value for endpoint in Endpoint]
    *counts, dead = await asyncio.gather(
        *(database.count(where(pending, "endpoint", "==", endpoint)) for endpoint in endpoints),
        database.count(where(deliveries, "state", "==", DeliveryState.DEAD.value)),
    )
    oldest = await database.find(oldest_first(database, _PENDING).limit(1))
    created_at: int | None = oldest[0].fields["created_at"] if oldest else None
    return OutboxBacklog(counted(endpoints, counts), from_micros(created_at), dead)


def newest_first(query: Any) -> Any:
    """Two processes may give one number to two debts: the name decides between them."""
    return query.order_by("sequence", direction=DESCENDING).order_by(NAME, direction=DESCENDING)


def oldest_first(database: FirestoreDatabase, state: DeliveryState) -> Any:
    """All debts in this state."""
    return where(database.collection(DELIVERIES), "state", "==", state.value).order_by("sequence")


def line(database: FirestoreDatabase, content_id: str, endpoint: str) -> Any:
    """The pending debts of a channel to an endpoint, the head first."""
    query = where(database.collection(DELIVERIES), "content_id", "==", content_id)
    return where(where(query, "endpoint", "==", endpoint), "state", "==", _PENDING.value).order_by("sequence")


def delivery(record: Record, **changes: Any) -> Delivery:
    """As it is once these fields are changed."""
    fields: Mapping[str, Any] = {**record.fields, **changes}
    due_at: int | None = fields.get("due_at")
    return Delivery(
        notification=decode_notification(fields["document"]),
        state=DeliveryState(fields["state"]),
        attempts=decode_attempts(fields["attempts"]),
        next_attempt_at=from_micros(due_at),
        tries=fields["tries"],
    )


def _outcome(record: Record, tried: Tried) -> dict[str, Any]:
    """What an attempt makes of a delivery."""
    state = tried.state
    due = to_micros(tried.next_attempt_at or tried.attempt.at) if state is _PENDING else None
    lines: list[str] = record.fields["attempts"].split("\n")[:-1]
    kept = [f"{line}\n" for line in lines[-KEPT_ATTEMPTS + 1 :]]
    # A late report of a claim that ran out may settle a delivery, but never reopens one.
    counts = record.fields["state"] == _PENDING or state is DeliveryState.DELIVERED
    return {
        "attempts": "".join([*kept, encode_attempt(tried.attempt)]),
        "tries": record.fields["tries"] + 1,
        "claimed_by": None,
        "state": state.value if counts else record.fields["state"],
        "due_at": due if counts else record.get("due_at"),
    }


async def _behind(database: FirestoreDatabase, head: Record, due: int) -> list[Write]:
    """What waits behind a head is due when that is."""
    query = line(database, head.fields["content_id"], head.fields["endpoint"])
    found = await database.find(where(query, "sequence", ">", head.fields["sequence"]))
    return [update(item, due_at=due) for item in found if not item.get("claimed_by") and item.get("due_at") != due]


async def _commit(database: FirestoreDatabase, behind: Sequence[Write], head: Write) -> bool:
    """The head is in the last batch: should this process die in between, the head is as it was and is tried again."""
    writes = [*behind, head]
    for start in range(0, len(writes), _BATCH):
        if not await database.commit(*writes[start : start + _BATCH]):
            return False
    return True


def _fields(notification: Notification, number: int) -> dict[str, Any]:
    owed_at = to_micros(notification.occurred_at)
    return {
        "content_id": notification.content_id,
        "endpoint": notification.endpoint.value,
        "state": _PENDING.value,
        "sequence": number,
        "due_at": owed_at,
        "tries": 0,
        "created_at": owed_at,
        "document": encode(notification),
        "attempts": "",
    }
