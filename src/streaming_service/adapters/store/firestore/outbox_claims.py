"""Who sends which debt, in Firestore.

What is due is walked in the order of the index, each endpoint by itself; of every line that is met on the way the head
is asked for, and that is what may be claimed. A claim expects the head as it was found.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.firestore.claims import ROUNDS, part, reach
from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import Record, update, where
from streaming_service.adapters.store.firestore.outbox import DELIVERIES, delivery, line
from streaming_service.application.ports import Delivery
from streaming_service.domain.notification import Endpoint


def due(database: FirestoreDatabase, endpoint: str, now: int) -> Any:
    """What is to be sent to an endpoint, the longest due first; not all of it is the head of its line."""
    query = where(database.collection(DELIVERIES), "endpoint", "==", endpoint)
    return where(query, "due_at", "<=", now).order_by("due_at").order_by("sequence")


async def claim(
    database: FirestoreDatabase, now: datetime, owner: str, lease: timedelta, limit: int, endpoints: Sequence[Endpoint]
) -> tuple[Delivery, ...]:
    held = {"due_at": to_micros(now + lease), "claimed_by": owner}
    taken: list[Record] = []
    for number in range(ROUNDS):
        wanted = limit - len(taken)
        look_at = reach(wanted, number)
        walks = (_heads(database, endpoint.value, to_micros(now), look_at) for endpoint in endpoints)
        found = [head for walk in await asyncio.gather(*walks) for head in walk]
        found.sort(key=lambda head: (head.fields["due_at"], head.fields["sequence"]))
        heads = part(found[:look_at], wanted, owner, number)
        won = await asyncio.gather(*(database.commit(update(head, **held)) for head in heads))
        taken += [head for head, is_mine in zip(heads, won, strict=True) if is_mine]
        if all(won) or len(taken) == limit:
            break
    return tuple(delivery(head, **held) for head in sorted(taken, key=lambda head: head.fields["sequence"]))


async def _heads(database: FirestoreDatabase, endpoint: str, now: int, limit: int) -> list[Record]:
    """Up to `limit` heads that are due, the longest due first."""
    query = due(database, endpoint, now)
    seen: set[str] = set()
    heads: list[Record] = []
    while True:
        found = await database.find(query.limit(limit))
        lines = dict.fromkeys(str(item.fields["content_id"]) for item in found)
        new = [content_id for content_id in lines if content_id not in seen]
        seen.update(new)
        answers = await asyncio.gather(*(database.find(line(database, item, endpoint).limit(1)) for item in new))
        heads += [head for answer in answers for head in answer if head.fields["due_at"] <= now]
        if len(heads) >= limit or len(found) < limit:
            return heads[:limit]
        last = found[-1].fields
        query = query.start_after({"due_at": last["due_at"], "sequence": last["sequence"]})
