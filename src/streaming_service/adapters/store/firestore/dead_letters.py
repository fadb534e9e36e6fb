"""Dead letters in Firestore. Lists show short messages only, and a document holds 1 MiB at most: long messages lie
below their letters, in parts."""

from typing import Any, cast

from streaming_service.adapters.store.codec import decode_texts, encode_texts, from_micros, to_micros
from streaming_service.adapters.store.firestore.database import FirestoreDatabase, contended
from streaming_service.adapters.store.firestore.documents import (
    DESCENDING,
    NAME,
    Create,
    Delete,
    Document,
    Put,
    Record,
    name_of,
)
from streaming_service.adapters.store.paging import BeforeDeadLetter, from_cursor, to_cursor
from streaming_service.application.ports import LISTED_BYTES, DeadLetter, ListedDeadLetter

_LETTERS, _PARTS = "dead_letters", "parts"
_PART_BYTES = 600_000


async def add(database: FirestoreDatabase, letter: DeadLetter) -> None:
    texts = {
        "source": letter.source,
        "message_id": letter.message_id,
        "reason": letter.reason,
        "field": letter.field,
        "attributes": dict(letter.attributes),
    }
    document = _document(letter.id)
    parts = _cut(letter.data)
    if parts and await database.get(document):
        return
    # The letter itself is last, so what is there is whole.
    for number, part in enumerate(parts):
        if not await database.commit(Put(_part(document, number), {"data": part})):
            raise contended(document)
    fields = {
        "id": letter.id,
        "received_at": to_micros(letter.received_at),
        "data": None if parts else letter.data,
        "size": len(letter.data),
        "parts": len(parts),
        "document": encode_texts(texts),
    }
    await database.revise(document, lambda record: (None if record else Create(document, fields), None))


async def get(database: FirestoreDatabase, letter_id: str) -> DeadLetter | None:
    found = await database.get(_document(letter_id))
    return None if found is None else await _letter(database, found)


async def page(
    database: FirestoreDatabase, limit: int, cursor: str | None
) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
    letters = database.collection(_LETTERS)
    wanted = letters.order_by("received_at", direction=DESCENDING).order_by(NAME, direction=DESCENDING)
    if cursor is not None:
        last = from_cursor(cursor, BeforeDeadLetter)
        wanted = wanted.start_after({"received_at": last.received_at, NAME: letters.document(name_of(last.id))})
    found = await database.find(wanted.limit(limit + 1))
    items = tuple(
        ListedDeadLetter(**_known(record), data=record.get("data"), size=record.fields["size"])
        for record in found[:limit]
    )
    if len(found) <= limit:
        return items, None
    return items, to_cursor(BeforeDeadLetter(to_micros(items[-1].received_at), items[-1].id))


async def delete_one(database: FirestoreDatabase, letter_id: str) -> bool:
    found = await database.get(_document(letter_id))
    if found is None:
        return False
    parts = [Delete(_part(found.document, number)) for number in range(found.fields["parts"])]
    return await database.commit(Delete(found.document, found.updated_at), *parts)


async def count(database: FirestoreDatabase) -> int:
    return await database.count(database.collection(_LETTERS))


def _document(letter_id: str) -> Document:
    return _LETTERS, name_of(letter_id)


def _part(letter: Document, number: int) -> Document:
    return *letter, _PARTS, f"{number:03}"


def _cut(data: bytes) -> list[bytes]:
    """Nothing when it is short enough to lie in the letter itself."""
    if len(data) <= LISTED_BYTES:
        return []
    return [data[start : start + _PART_BYTES] for start in range(0, len(data), _PART_BYTES)]


async def _letter(database: FirestoreDatabase, record: Record) -> DeadLetter:
    if count := record.fields["parts"]:
        parts = await database.get_all([_part(record.document, number) for number in range(count)])
        data = b"".join(part.fields["data"] for part in sorted(parts, key=lambda part: part.document))
    else:
        data = record.fields["data"]
    return DeadLetter(**_known(record), data=data)


def _known(record: Record) -> dict[str, Any]:
    """All but the message itself."""
    texts = cast("dict[str, Any]", decode_texts(record.fields["document"]))
    return {"id": record.fields["id"], "received_at": from_micros(record.fields["received_at"]), **texts}
