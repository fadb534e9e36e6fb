"""Channels and their history in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, and_, bindparam, case, func, insert, or_, select, update

from streaming_service.adapters.store.codec import decode_channel, decode_history, encode, to_micros
from streaming_service.adapters.store.database import insert_new
from streaming_service.adapters.store.outbox import owe
from streaming_service.adapters.store.paging import AfterChannel, from_cursor, to_cursor
from streaming_service.adapters.store.placements import keep_placements
from streaming_service.adapters.store.tables import channels, history
from streaming_service.application.ports import ChannelPage, ChannelQuery
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification
from streaming_service.domain.history import Change, HistoryEntry
from streaming_service.errors import Conflict

_c = channels.c

_GET = select(_c.document).where(_c.content_id == bindparam("id"))
_ADD = insert_new(channels, "lease_owner", "lease_until")
_CHANGE = update(channels).where(_c.content_id == bindparam("id"), _c.version == bindparam("read_version"))
_REMEMBER = insert(history)
_HISTORY = (
    select(history.c.document)
    .where(history.c.content_id == bindparam("id"))
    .order_by(history.c.id.desc())
    .limit(bindparam("count"))
)
_ON_OME = (
    select(_c.document)
    .where(_c.on_ome == 1, _c.content_id > bindparam("after"))
    .order_by(_c.content_id)
    .limit(bindparam("count"))
)
_COUNT = select(_c.status, func.count().label("number")).group_by(_c.status)

_FREE = or_(_c.lease_until.is_(None), _c.lease_until <= bindparam("now"))
_DUE = (
    select(_c.content_id)
    .where(_c.due_at <= bindparam("now"), _FREE)
    .order_by(_c.due_at)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    update(channels)
    .where(_c.content_id.in_(select(_DUE.c.content_id)))
    .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
    .returning(_c.due_at, _c.document)
)
_IN_TURN = and_(_c.queue_rank.is_not(None), _c.queue_at <= bindparam("now"), _FREE)
_WAITING = select(_c.classification, func.count().label("number")).where(_IN_TURN).group_by(_c.classification)
_NEXT = (
    select(_c.content_id)
    .where(_IN_TURN, _c.classification.in_(bindparam("classifications", expanding=True)))
    .order_by(_c.queue_rank, _c.content_id)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("next")
)
_CLAIM_NEXT = (
    update(channels)
    .where(_c.content_id.in_(select(_NEXT.c.content_id)))
    .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
    .returning(_c.queue_rank, _c.document)
)
_HELD = and_(_c.content_id == bindparam("id"), _c.lease_owner == bindparam("owner"))
_SEEN = _c.version == bindparam("seen_version")
_EXTEND = update(channels).where(_HELD).values(lease_until=bindparam("until"))
_RELEASE = (
    update(channels)
    .where(_HELD)
    .values(
        lease_owner=None,
        lease_until=None,
        due_at=case((_SEEN, bindparam("due", type_=BigInteger)), else_=_c.due_at),
        queue_at=case((_SEEN, func.coalesce(bindparam("queue", type_=BigInteger), _c.queue_at)), else_=_c.queue_at),
    )
)


def get(connection: Connection, content_id: str) -> Channel | None:
    document = connection.execute(_GET, {"id": content_id}).scalar()
    return None if document is None else decode_channel(document)


def commit(connection: Connection, change: Change, due_at: datetime | None) -> Channel:
    read_version = change.channel.version
    channel = replace(change.channel, version=read_version + 1)
    row = _row(channel, due_at)
    if read_version:
        written = connection.execute(_CHANGE, {**row, "id": channel.content_id, "read_version": read_version})
    else:
        written = connection.execute(_ADD, {**row, "content_id": channel.content_id})
    if written.rowcount != 1:
        raise Conflict(f"channel {channel.content_id} is no longer at version {read_version}")
    keep_placements(connection, channel)
    entry = change.history
    connection.execute(
        _REMEMBER, {"content_id": entry.content_id, "at": to_micros(entry.at), "document": encode(entry)}
    )
    owe(connection, change.notifications)
    return channel


def page(connection: Connection, query: ChannelQuery) -> ChannelPage:
    wanted = select(_c.document).order_by(_c.content_id).limit(query.limit + 1)
    for column, value in ((_c.status, query.status), (_c.classification, query.classification)):
        if value is not None:
            wanted = wanted.where(column == value)
    if query.tenant_id is not None:
        wanted = wanted.where(_c.tenant_id == query.tenant_id)
    if query.q is not None:
        text = query.q.casefold()
        wanted = wanted.where(
            or_(_c.content_id.startswith(text, autoescape=True), _c.search.contains(text, autoescape=True))
        )
    if query.cursor is not None:
        wanted = wanted.where(_c.content_id > from_cursor(query.cursor, AfterChannel).content_id)
    found = [decode_channel(document) for document in connection.execute(wanted).scalars()]
    items = tuple(found[: query.limit])
    more = len(found) > query.limit
    return ChannelPage(items, to_cursor(AfterChannel(items[-1].content_id)) if more else None)


def past(connection: Connection, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
    found = connection.execute(_HISTORY, {"id": content_id, "count": limit}).scalars()
    return tuple(map(decode_history, found))


def on_ome(connection: Connection, after: str, count: int) -> list[Channel]:
    found = connection.execute(_ON_OME, {"after": after, "count": count}).scalars()
    return [decode_channel(document) for document in found]


def count_by_status(connection: Connection) -> Mapping[str, int]:
    return {row.status: row.number for row in connection.execute(_COUNT)}


def claim_due(connection: Connection, now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
    values = {"now": to_micros(now), "until": to_micros(now + lease), "owner": owner, "count": limit}
    found = connection.execute(_CLAIM, values).all()
    return tuple(decode_channel(row.document) for row in sorted(found, key=lambda row: row.due_at))


def waiting(connection: Connection, now: datetime) -> Mapping[Classification, int]:
    found = connection.execute(_WAITING, {"now": to_micros(now)})
    return {Classification(row.classification): row.number for row in found}


def claim_waiting(
    connection: Connection,
    classifications: Sequence[Classification],
    now: datetime,
    owner: str,
    lease: timedelta,
    limit: int,
) -> tuple[Channel, ...]:
    values: dict[str, Any] = {"now": to_micros(now), "until": to_micros(now + lease), "owner": owner, "count": limit}
    values["classifications"] = [item.value for item in classifications]
    found = connection.execute(_CLAIM_NEXT, values).all()
    return tuple(decode_channel(row.document) for row in sorted(found, key=lambda row: row.queue_rank))


def extend_lease(connection: Connection, content_id: str, owner: str, until: datetime) -> bool:
    values = {"id": content_id, "owner": owner, "until": to_micros(until)}
    return connection.execute(_EXTEND, values).rowcount == 1


def release(
    connection: Connection,
    content_id: str,
    owner: str,
    version: int,
    due_at: datetime | None,
    queue_at: datetime | None,
) -> None:
    values = {"id": content_id, "owner": owner, "seen_version": version}
    values |= {"due": to_micros(due_at), "queue": to_micros(queue_at)}
    connection.execute(_RELEASE, values)


def _row(channel: Channel, due_at: datetime | None) -> dict[str, Any]:
    spec = channel.spec
    return {
        "version": channel.version,
        "status": channel.status.value,
        "classification": spec.classification.value,
        "tenant_id": spec.tenant_id,
        "search": spec.source_uri.casefold(),
        "on_ome": int(bool(channel.on_ome)),
        "due_at": to_micros(due_at),
        "queue_rank": to_micros(channel.queue_rank),
        "queue_at": to_micros(channel.queue_at),
        "updated_at": to_micros(channel.updated_at),
        "document": encode(channel),
    }
