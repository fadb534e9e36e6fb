"""Where viewers are sent, in SQL. A row is never deleted: a version must not be counted twice."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, select, update

from streaming_service.adapters.store.codec import decode_standing, encode, to_micros
from streaming_service.adapters.store.database import insert_new
from streaming_service.adapters.store.outbox import owe
from streaming_service.adapters.store.tables import failovers
from streaming_service.domain.failover import Standing
from streaming_service.domain.notification import Notification
from streaming_service.errors import Conflict

_f = failovers.c

_GET = select(_f.document).where(_f.subject == bindparam("name"))
_ACTIVE = select(_f.document).where(_f.active == 1).order_by(_f.subject)
_SINCE = select(_f.document).where(_f.changed_at >= bindparam("moment")).order_by(_f.subject)
_ADD = insert_new(failovers)
_CHANGE = update(failovers).where(_f.subject == bindparam("name"), _f.version == bindparam("read_version"))


def get(connection: Connection, subject: str) -> Standing | None:
    document = connection.execute(_GET, {"name": subject}).scalar()
    return None if document is None else decode_standing(document)


def known(connection: Connection, changed_since: datetime | None) -> tuple[Standing, ...]:
    if changed_since is None:
        found = connection.execute(_ACTIVE)
    else:
        found = connection.execute(_SINCE, {"moment": to_micros(changed_since)})
    return tuple(map(decode_standing, found.scalars()))


def commit(connection: Connection, standing: Standing, notifications: Sequence[Notification]) -> Standing:
    written = replace(standing, version=standing.version + 1)
    row = {
        "version": written.version,
        "active": int(written.active),
        "changed_at": to_micros(written.changed_at),
        "document": encode(written),
    }
    if standing.version:
        done = connection.execute(_CHANGE, {**row, "name": written.subject, "read_version": standing.version})
    else:
        done = connection.execute(_ADD, {**row, "subject": written.subject})
    if done.rowcount != 1:
        raise Conflict(f"the failover of {standing.subject} is no longer at version {standing.version}")
    owe(connection, notifications)
    return written
