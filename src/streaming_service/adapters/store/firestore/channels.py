"""Channels and their history in Firestore."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from streaming_service.adapters.store.codec import decode_channel, decode_history, encode, to_micros
from streaming_service.adapters.store.firestore.database import TRIES, FirestoreDatabase, counted
from streaming_service.adapters.store.firestore.documents import (
    AT_COMMIT,
    DESCENDING,
    NAME,
    Create,
    Document,
    Record,
    Write,
    name_of,
    where,
    write,
)
from streaming_service.adapters.store.firestore.outbox import debts, still_new, unique
from streaming_service.adapters.store.firestore.placements import require_free_seats, seat_writes
from streaming_service.adapters.store.firestore.sequences import Sequences
from streaming_service.adapters.store.paging import AfterChannel, from_cursor, to_cursor
from streaming_service.application.ports import ChannelPage, ChannelQuery
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, HistoryEntry
from streaming_service.domain.notification import Notification
from streaming_service.domain.state import Status
from streaming_service.errors import Conflict

CHANNELS = "channels"
_HISTORY = "history"
_ON_OME_PAGE = 500
# Firestore cannot look into a text, so a search looks at the channels themselves. One answer looks at so many at most
# and may then be short, or empty, with the cursor of where to go on: its time and its price are bounded.
_SEARCH_PAGE = 300
_SEARCH_PAGES = 5


def document(content_id: str) -> Document:
    return CHANNELS, name_of(content_id)


async def get(database: FirestoreDatabase, content_id: str) -> Channel | None:
    found = await database.get(document(content_id))
    return None if found is None else _channel(found)


async def commit(database: FirestoreDatabase, sequences: Sequences, change: Change, due_at: datetime | None) -> Channel:
    """One batch. Which of its expectations was wrong is told by reading, and only then."""
    read_version = change.channel.version
    channel = replace(change.channel, version=read_version + 1)
    owed = unique(change.notifications)
    for number in range(TRIES):
        before = await database.get(document(channel.content_id))
        if read_version != (before.fields["version"] if before else 0):
            break
        if number:
            await require_free_seats(database, channel)
            owed = await still_new(database, owed)
        numbers = sequences.take(len(owed), (before.get("sequence") if before else None) or 0)
        if await database.commit(*_writes(before, change, channel, due_at, owed, numbers)):
            return channel
    raise Conflict(f"channel {channel.content_id} is no longer at version {read_version}")


async def page(database: FirestoreDatabase, query: ChannelQuery) -> ChannelPage:
    wanted = database.collection(CHANNELS)
    for field in ("status", "classification", "tenant_id"):
        if (value := getattr(query, field)) is not None:
            wanted = where(wanted, field, "==", value)
    wanted = wanted.order_by(NAME)
    after = from_cursor(query.cursor, AfterChannel).content_id if query.cursor is not None else None
    if query.q is not None:
        return await _search(database, wanted, query.q.casefold(), after, query.limit)
    found = await database.find(_after(database, wanted, after).limit(query.limit + 1))
    items = tuple(map(_channel, found[: query.limit]))
    more = len(found) > query.limit
    return ChannelPage(items, to_cursor(AfterChannel(items[-1].content_id)) if more else None)


async def past(database: FirestoreDatabase, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
    entries = database.collection(*document(content_id), _HISTORY)
    found = await database.find(entries.order_by("version", direction=DESCENDING).limit(limit))
    return tuple(decode_history(entry.fields["document"]) for entry in found)


async def on_ome(database: FirestoreDatabase) -> tuple[Channel, ...]:
    query = where(database.collection(CHANNELS), "on_ome", "==", True).order_by(NAME)
    channels: list[Channel] = []
    after = None
    while found := await database.find(_after(database, query, after).limit(_ON_OME_PAGE)):
        channels += map(_channel, found)
        if len(found) < _ON_OME_PAGE:
            break
        after = channels[-1].content_id
    return tuple(channels)


async def count_by_status(database: FirestoreDatabase) -> Mapping[str, int]:
    names = [status.value for status in Status]
    everything = database.collection(CHANNELS)
    counts = await asyncio.gather(*(database.count(where(everything, "status", "==", name)) for name in names))
    return counted(names, counts)


async def _search(database: FirestoreDatabase, wanted: Any, text: str, after: str | None, limit: int) -> ChannelPage:
    items: list[Channel] = []
    for _ in range(_SEARCH_PAGES):
        looked_at = await database.find(_after(database, wanted, after).limit(_SEARCH_PAGE))
        for found in looked_at:
            content_id: str = found.fields["content_id"]
            if not (content_id.startswith(text) or text in found.fields["search"]):
                continue
            if len(items) == limit:
                return ChannelPage(tuple(items), to_cursor(AfterChannel(items[-1].content_id)))
            items.append(_channel(found))
        if len(looked_at) < _SEARCH_PAGE:
            return ChannelPage(tuple(items))
        after = looked_at[-1].fields["content_id"]
    return ChannelPage(tuple(items), to_cursor(AfterChannel(after or "")))


def _after(database: FirestoreDatabase, query: Any, content_id: str | None) -> Any:
    if content_id is None:
        return query
    return query.start_after({NAME: database.collection(CHANNELS).document(name_of(content_id))})


def _writes(
    before: Record | None,
    change: Change,
    channel: Channel,
    due_at: datetime | None,
    owed: tuple[Notification, ...],
    numbers: range,
) -> list[Write]:
    """The channel, its history, its seats, its debts. Who holds the channel is not touched."""
    fields = {**_fields(channel, due_at), "changed_at": AT_COMMIT}
    if owed:
        fields["sequence"] = numbers[-1]
    if before is None:
        fields["lease_until"] = 0
    its = document(channel.content_id)
    entry = {"version": channel.version, "at": to_micros(change.history.at), "document": encode(change.history)}
    return [
        write(its, before, fields),
        Create((*its, _HISTORY, f"{channel.version:010}"), entry),
        *seat_writes(_channel(before) if before else None, channel),
        *debts(owed, numbers),
    ]


def _fields(channel: Channel, due_at: datetime | None) -> dict[str, Any]:
    spec = channel.spec
    return {
        "content_id": channel.content_id,
        "version": channel.version,
        "status": channel.status.value,
        "classification": spec.classification.value,
        "tenant_id": spec.tenant_id,
        "search": spec.source_uri.casefold(),
        "on_ome": bool(channel.on_ome),
        "due_at": to_micros(due_at),
        "queue_rank": to_micros(channel.queue_rank),
        "queue_at": to_micros(channel.queue_at),
        "document": encode(channel),
    }


def _channel(record: Record) -> Channel:
    return decode_channel(record.fields["document"])
