"""Dead letters in SQL."""

from typing import Any, cast

from sqlalchemy import Connection, bindparam, case, delete, func, select, tuple_

from streaming_service.adapters.store.codec import decode_texts, encode_texts, from_micros, to_micros
from streaming_service.adapters.store.database import insert_new
from streaming_service.adapters.store.paging import BeforeDeadLetter, from_cursor, to_cursor
from streaming_service.adapters.store.tables import dead_letters
from streaming_service.application.ports import LISTED_BYTES, DeadLetter, ListedDeadLetter

_c = dead_letters.c

_ADD = insert_new(dead_letters)
_GET = select(dead_letters).where(_c.id == bindparam("key"))
_DELETE = delete(dead_letters).where(_c.id == bindparam("key"))
_SIZE = func.length(_c.data)
# The database itself leaves long messages out: they never cross the wire.
_LISTED = select(
    _c.id, _c.received_at, _c.document, _SIZE.label("size"), case((_SIZE <= LISTED_BYTES, _c.data)).label("data")
)
_COUNT = select(func.count()).select_from(dead_letters)


def add(connection: Connection, letter: DeadLetter) -> None:
    texts = {
        "source": letter.source,
        "message_id": letter.message_id,
        "reason": letter.reason,
        "field": letter.field,
        "attributes": dict(letter.attributes),
    }
    row = {
        "id": letter.id,
        "received_at": to_micros(letter.received_at),
        "data": letter.data,
        "document": encode_texts(texts),
    }
    connection.execute(_ADD, row)


def get(connection: Connection, letter_id: str) -> DeadLetter | None:
    row = connection.execute(_GET, {"key": letter_id}).one_or_none()
    return None if row is None else _letter(row)


def page(connection: Connection, limit: int, cursor: str | None) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
    wanted = _LISTED.order_by(_c.received_at.desc(), _c.id.desc()).limit(limit + 1)
    if cursor is not None:
        last = from_cursor(cursor, BeforeDeadLetter)
        wanted = wanted.where(tuple_(_c.received_at, _c.id) < (last.received_at, last.id))
    found = connection.execute(wanted).all()
    rows = found[:limit]
    more = len(found) > limit
    letters = tuple(ListedDeadLetter(**_known(row), data=row.data, size=row.size) for row in rows)
    return letters, to_cursor(BeforeDeadLetter(rows[-1].received_at, rows[-1].id)) if more else None


def delete_one(connection: Connection, letter_id: str) -> bool:
    return connection.execute(_DELETE, {"key": letter_id}).rowcount == 1


def count(connection: Connection) -> int:
    return connection.execute(_COUNT).scalar_one()


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(**_known(row), data=row.data)


def _known(row: Any) -> dict[str, Any]:
    """All but the message itself."""
    texts = cast("dict[str, Any]", decode_texts(row.document))
    return {"id": row.id, "received_at": from_micros(row.received_at), **texts}
