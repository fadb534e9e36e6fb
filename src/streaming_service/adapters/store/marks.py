"""Single numbers that concern the whole store."""

from sqlalchemy import Connection, bindparam, select, text

from streaming_service.adapters.store.tables import marks

_FIRST_INCARNATION = "first-incarnation"
_GET = select(marks.c.value).where(marks.c.name == bindparam("mark"))
# It never goes down: names that were given once must not be given again.
_RAISE = text(
    "INSERT INTO marks (name, value) VALUES (:mark, :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE marks.value < excluded.value"
)


def first_incarnation(connection: Connection) -> int:
    return connection.execute(_GET, {"mark": _FIRST_INCARNATION}).scalar() or 0


def raise_first_incarnation(connection: Connection, number: int) -> None:
    connection.execute(_RAISE, {"mark": _FIRST_INCARNATION, "value": number})
