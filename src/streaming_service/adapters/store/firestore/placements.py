"""What the channels have on origins, and what operators want of those, in Firestore.

A placement is named by its seat and is created, never overwritten: that is what makes a seat one channel's alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.documents import (
    Create,
    Delete,
    Document,
    Put,
    Write,
    name_of,
    where,
    write,
)
from streaming_service.application.ports import Placed
from streaming_service.domain.channel import Channel
from streaming_service.errors import SeatTaken

_PLACEMENTS, _ORIGINS = "placements", "origins"


def seat_writes(before: Channel | None, after: Channel) -> list[Write]:
    """From the seats that a channel had to those that it is given."""
    held, wanted = _taken(before), _taken(after)
    writes: list[Write] = [Delete(document) for document in held.keys() - wanted.keys()]
    for document, fields in wanted.items():
        if document not in held:
            writes.append(Create(document, fields))
        elif held[document] != fields:
            writes.append(Put(document, fields))
    return writes


async def require_free_seats(database: FirestoreDatabase, channel: Channel) -> None:
    """Raises SeatTaken when another channel has a seat that this one is given."""
    for taken in await database.get_all(tuple(_taken(channel))):
        if taken.get("content_id") != channel.content_id:
            raise SeatTaken(taken.fields["origin"], taken.fields["seat"])


async def placed_on(database: FirestoreDatabase, origin: str) -> tuple[Placed, ...]:
    found = await database.find(where(database.collection(_PLACEMENTS), "origin", "==", origin))
    placed = [
        Placed(item.fields["stream"], item.fields["content_id"], item.fields["application"], item.fields["serving"])
        for item in found
    ]
    return tuple(sorted(placed, key=lambda item: item.stream))


async def seats(database: FirestoreDatabase) -> Mapping[str, frozenset[int]]:
    taken: dict[str, set[int]] = {}
    for item in await database.find(database.collection(_PLACEMENTS).select(["origin", "seat"])):
        taken.setdefault(item.fields["origin"], set()).add(item.fields["seat"])
    return {origin: frozenset(numbers) for origin, numbers in taken.items()}


async def drained(database: FirestoreDatabase) -> frozenset[str]:
    found = await database.find(where(database.collection(_ORIGINS), "drained", "==", True))
    return frozenset(item.fields["name"] for item in found)


async def set_drained(database: FirestoreDatabase, origin: str, drained: bool, by: str, now: datetime) -> None:
    document = (_ORIGINS, name_of(origin))
    fields = {"name": origin, "drained": drained, "changed_by": by, "changed_at": to_micros(now)}
    await database.revise(document, lambda record: (write(document, record, fields), None))


def _taken(channel: Channel | None) -> dict[Document, dict[str, Any]]:
    if channel is None:
        return {}
    serving = channel.serving.stream if channel.serving else None
    return {
        (_PLACEMENTS, name_of(f"{item.origin}~{item.seat}")): {
            "stream": item.stream,
            "content_id": channel.content_id,
            "origin": item.origin,
            "seat": item.seat,
            "application": item.application,
            "serving": item.stream == serving,
        }
        for item in channel.on_ome
    }
