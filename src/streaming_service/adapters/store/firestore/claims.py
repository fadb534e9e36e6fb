"""Which channels are whose to work on, in Firestore.

Who holds a channel stands in its document, and a claim expects the document as it was found: of many who find the same
channel one gets it, and the others look again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from streaming_service.adapters.store.codec import decode_channel, to_micros
from streaming_service.adapters.store.firestore.channels import CHANNELS, document
from streaming_service.adapters.store.firestore.database import FirestoreDatabase, counted
from streaming_service.adapters.store.firestore.documents import Record, Write, update, where
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification

# How often whoever lost a race looks again; each time somebody else got something.
ROUNDS = 5
# Whoever lost looks at so many times what it wants: those who compete meet less, and each look costs reads.
_FURTHER = 2


def due(database: FirestoreDatabase, now: datetime) -> Any:
    """What is due and held by nobody, the longest due first."""
    moment = to_micros(now)
    query = where(database.collection(CHANNELS), "due_at", "<=", moment)
    return where(query, "lease_until", "<=", moment).order_by("due_at").order_by("lease_until")


def in_turn(database: FirestoreDatabase, now: datetime, classifications: Sequence[Classification]) -> Any:
    """What waits for a place and is held by nobody, in the order of the queue."""
    moment = to_micros(now)
    names = [item.value for item in classifications]
    query = where(database.collection(CHANNELS), "classification", "in", names)
    query = where(where(query, "lease_until", "<=", moment), "queue_at", "<=", moment)
    for field in ("queue_rank", "content_id", "lease_until", "queue_at"):
        query = query.order_by(field)
    return query


async def claim(
    database: FirestoreDatabase, query: Any, now: datetime, owner: str, lease: timedelta, limit: int, order: str
) -> tuple[Channel, ...]:
    """Lease up to `limit` of what a query finds, in the order of one of its fields."""
    held = {"lease_owner": owner, "lease_until": to_micros(now + lease)}
    taken: list[Record] = []
    for number in range(ROUNDS):
        wanted = limit - len(taken)
        found = part(await database.find(query.limit(reach(wanted, number))), wanted, owner, number)
        won = await asyncio.gather(*(database.commit(update(record, **held)) for record in found))
        taken += [record for record, is_mine in zip(found, won, strict=True) if is_mine]
        if all(won) or len(taken) == limit:
            break
    in_order = sorted(taken, key=lambda record: (record.fields[order], record.fields["content_id"]))
    return tuple(decode_channel(record.fields["document"]) for record in in_order)


def reach(wanted: int, number: int) -> int:
    """How many to look at in which round."""
    return wanted * _FURTHER if number else wanted


def part(found: Sequence[Record], wanted: int, owner: str, number: int) -> Sequence[Record]:
    """What a worker tries to get of what it found: in the first round the first, then each worker elsewhere."""
    room = max(len(found) - wanted, 0)
    start = crc32(f"{owner}/{number}".encode()) % (room + 1) if number else 0
    return found[start : start + wanted]


async def waiting(database: FirestoreDatabase, now: datetime) -> Mapping[Classification, int]:
    kinds = tuple(Classification)
    return counted(kinds, await asyncio.gather(*(database.count(in_turn(database, now, [kind])) for kind in kinds)))


async def extend_lease(database: FirestoreDatabase, content_id: str, owner: str, until: datetime) -> bool:
    def extended(record: Record | None) -> tuple[Write | None, bool]:
        if record is None or record.get("lease_owner") != owner:
            return None, False
        return update(record, lease_until=to_micros(until)), True

    return await database.revise(document(content_id), extended)


async def release(
    database: FirestoreDatabase,
    content_id: str,
    owner: str,
    version: int,
    due_at: datetime | None,
    queue_at: datetime | None,
) -> None:
    def released(record: Record | None) -> tuple[Write | None, None]:
        if record is None or record.get("lease_owner") != owner:
            return None, None
        fields: dict[str, Any] = {"lease_owner": None, "lease_until": 0}
        if record.fields["version"] == version:
            fields["due_at"] = to_micros(due_at)
            if queue_at and record.get("queue_at") is not None:
                fields["queue_at"] = to_micros(queue_at)
        return update(record, **fields), None

    await database.revise(document(content_id), released)
