"""The outbox in SQL.

A claim moves `due_at` to its own end, so a delivery whose worker died becomes due again by itself. Only the head of a
line (the pending deliveries of one channel and endpoint) is handed out; that is asked at claim time, of the rows
themselves, so there is no second truth to keep. What waits behind a head that is to be retried later is moved along
with it, only so that claims need not look at it again and again: a receiver that is down for a day costs nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Text,
    UpdateBase,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from streaming_service.adapters.store.codec import (
    decode_attempts,
    decode_notification,
    encode,
    encode_attempt,
    from_micros,
    to_micros,
)
from streaming_service.adapters.store.database import insert_new
from streaming_service.adapters.store.paging import BeforeDelivery, from_cursor, to_cursor
from streaming_service.adapters.store.tables import deliveries
from streaming_service.application.ports import (
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
    OutboxBacklog,
    Tried,
)
from streaming_service.domain.notification import Endpoint, Notification

_c = deliveries.c
_before = deliveries.alias("before")


def _line(columns: Any) -> ColumnElement[str]:
    """The deliveries of one content to one endpoint, as the one index says it that is meant.

    Asked by two columns, Postgres, as long as it had no statistics, walked for each row all that was owed to the
    endpoint: 110 ms a claim instead of 4 where 10 contents were owed 60 debts each.
    """
    return columns.content_id + literal_column("' '", Text) + columns.endpoint


# Written out, because a parameter would keep the databases from using the index of pending deliveries.
_PENDING: ColumnElement[str] = literal_column("'pending'", Text)

_COLUMNS = (_c.sequence, _c.state, _c.due_at, _c.tries, _c.document, _c.attempts)
_OWE = insert_new(deliveries, "sequence", "claimed_by")
_GET = select(*_COLUMNS).where(_c.id == bindparam("key"))
_HEAD = ~exists().where(_line(_before.c) == _line(_c), _before.c.state == _PENDING, _before.c.sequence < _c.sequence)
# A late report of a claim that ran out may settle a delivery, but never reopens one.
_DELIVERED: ColumnElement[str] = literal_column("'delivered'", Text)
_OUTCOME: ColumnElement[str] = bindparam("outcome", type_=Text)
_COUNTS = or_(_c.state == _PENDING, _OUTCOME == _DELIVERED)
_RECORD = (
    update(deliveries)
    .where(_c.id == bindparam("key"))
    .values(
        state=case((_COUNTS, _OUTCOME), else_=_c.state),
        due_at=case((_COUNTS, bindparam("due", type_=BigInteger)), else_=_c.due_at),
        tries=_c.tries + 1,
        claimed_by=None,
        attempts=_c.attempts.concat(bindparam("line")),
    )
)
# Those whose line has to hear of it: put off now, or put off before and settled now.
_PUT_OFF = select(_c.id, _c.sequence, _c.content_id, _c.endpoint, _c.state, _c.due_at).where(
    _c.id.in_(bindparam("keys", expanding=True)), or_(_c.state == _PENDING, _c.tries > 1)
)
_BEHIND = (
    update(deliveries)
    .where(
        _line(_c) == bindparam("line"),
        _c.state == _PENDING,
        _c.sequence > bindparam("head"),
        _c.claimed_by.is_(None),
    )
    .values(due_at=bindparam("due"))
)
_RESEND = (
    update(deliveries)
    .where(_c.id == bindparam("key"))
    .values(state=DeliveryState.PENDING.value, due_at=bindparam("due"), tries=0, claimed_by=None)
    .returning(*_COLUMNS, _c.content_id, _c.endpoint)
)
# The oldest are looked at and nothing else, so that a look finds out at once that there is nothing to do.
_oldest = select(_c.sequence, _c.created_at).where(_c.state == bindparam("of")).order_by(_c.sequence)
_settled = _oldest.limit(bindparam("count")).subquery()
_FORGET = delete(deliveries).where(
    _c.state == bindparam("of"),
    _c.sequence.in_(select(_settled.c.sequence).where(_settled.c.created_at < bindparam("before"))),
)
_WAITING = select(_c.endpoint, func.count().label("number")).where(_c.state == _PENDING).group_by(_c.endpoint)
_DEAD = select(func.count()).where(_c.state == DeliveryState.DEAD.value)
_OLDEST = select(_c.created_at).where(_c.state == _PENDING).order_by(_c.sequence).limit(1)


def owe(connection: Connection, notifications: Sequence[Notification]) -> None:
    if notifications:
        connection.execute(_OWE, [_row(notification) for notification in notifications])


def claim(
    connection: Connection, now: datetime, owner: str, lease: timedelta, limit: int, endpoints: Sequence[Endpoint]
) -> tuple[Delivery, ...]:
    if not endpoints:
        return ()
    wanted = {f"endpoint_{number}": endpoint.value for number, endpoint in enumerate(endpoints)}
    values = {"now": to_micros(now), "until": to_micros(now + lease), "owner": owner, "count": limit, **wanted}
    found = connection.execute(_claim(len(endpoints)), values).all()
    return tuple(_delivery(row) for row in sorted(found, key=lambda row: row.sequence))


def record(connection: Connection, tried: Sequence[Tried]) -> None:
    if not tried:
        return
    # In one order everywhere: two processes that write the same rows down never wait for each other in a circle.
    connection.execute(_RECORD, [_outcome(item) for item in sorted(tried, key=lambda item: item.delivery_id)])
    ended = {item.delivery_id: to_micros(item.attempt.at) for item in tried}
    for row in connection.execute(_PUT_OFF, {"keys": list(ended)}).all():
        _move_behind(connection, row, row.due_at if row.state == DeliveryState.PENDING else ended[row.id])


def get(connection: Connection, delivery_id: str) -> Delivery | None:
    row = connection.execute(_GET, {"key": delivery_id}).one_or_none()
    return None if row is None else _delivery(row)


def page(connection: Connection, query: DeliveryQuery) -> DeliveryPage:
    wanted = select(*_COLUMNS).order_by(_c.sequence.desc()).limit(query.limit + 1)
    for column, value in ((_c.state, query.state), (_c.endpoint, query.endpoint), (_c.content_id, query.content_id)):
        if value is not None:
            wanted = wanted.where(column == value)
    if query.cursor is not None:
        wanted = wanted.where(_c.sequence < from_cursor(query.cursor, BeforeDelivery).sequence)
    found = connection.execute(wanted).all()
    rows = found[: query.limit]
    more = len(found) > query.limit
    return DeliveryPage(tuple(map(_delivery, rows)), to_cursor(BeforeDelivery(rows[-1].sequence)) if more else None)


def resend(connection: Connection, delivery_id: str, now: datetime) -> Delivery | None:
    due = to_micros(now)
    row = connection.execute(_RESEND, {"key": delivery_id, "due": due}).one_or_none()
    if row is None:
        return None
    _move_behind(connection, row, due)
    return _delivery(row)


def forget(connection: Connection, owed_before: datetime, limit: int) -> int:
    gone = 0
    for state in (DeliveryState.DELIVERED, DeliveryState.DEAD):
        values = {"of": state.value, "before": to_micros(owed_before), "count": limit - gone}
        gone += connection.execute(_FORGET, values).rowcount
    return gone


def backlog(connection: Connection) -> OutboxBacklog:
    waiting = {row.endpoint: row.number for row in connection.execute(_WAITING)}
    dead = connection.execute(_DEAD).scalar_one()
    return OutboxBacklog(waiting, from_micros(connection.execute(_OLDEST).scalar()), dead)


@cache
def _claim(endpoints: int) -> UpdateBase:
    """Each endpoint has its own walk along the index: what waits for one receiver is not in the way of another."""
    ready = _c.due_at <= bindparam("now")
    heads = [_heads(number, ready).with_for_update(skip_locked=True) for number in range(endpoints)]
    walks = [select(head.subquery()) for head in heads]
    due = union_all(*walks).subquery()
    chosen = select(due.c.sequence).order_by(due.c.due_at, due.c.sequence).limit(bindparam("count")).cte("chosen")
    return (
        update(deliveries)
        .where(_c.sequence.in_(select(chosen.c.sequence)))
        .values(due_at=bindparam("until"), claimed_by=bindparam("owner"))
        .returning(*_COLUMNS)
    )


def _heads(number: int, *conditions: ColumnElement[bool]) -> Select[Any, Any]:
    mine = and_(_c.state == _PENDING, _c.endpoint == bindparam(f"endpoint_{number}"))
    return (
        select(_c.sequence, _c.due_at)
        .where(mine, _HEAD, *conditions)
        .order_by(_c.due_at, _c.sequence)
        .limit(bindparam("count"))
    )


def _move_behind(connection: Connection, head: Any, due: int) -> None:
    values = {"line": f"{head.content_id} {head.endpoint}", "head": head.sequence, "due": due}
    connection.execute(_BEHIND, values)


def _outcome(tried: Tried) -> dict[str, Any]:
    pending = tried.state is DeliveryState.PENDING
    return {
        "key": tried.delivery_id,
        "outcome": tried.state.value,
        "due": to_micros(tried.next_attempt_at or tried.attempt.at) if pending else None,
        "line": encode_attempt(tried.attempt),
    }


def _row(notification: Notification) -> dict[str, Any]:
    owed_at = to_micros(notification.occurred_at)
    return {
        "id": notification.id,
        "content_id": notification.content_id,
        "endpoint": notification.endpoint.value,
        "state": DeliveryState.PENDING.value,
        "due_at": owed_at,
        "tries": 0,
        "created_at": owed_at,
        "document": encode(notification),
        "attempts": "",
    }


def _delivery(row: Any) -> Delivery:
    due_at: int | None = row.due_at
    return Delivery(
        notification=decode_notification(row.document),
        state=DeliveryState(row.state),
        attempts=decode_attempts(row.attempts),
        next_attempt_at=from_micros(due_at),
        tries=row.tries,
    )
