"""What the channels have on origins, and what operators want of those, in SQL.

The rows follow from the channels' documents and are written with them. A seat is unique: that two channels cannot
have the same one is what keeps an origin from being given more than it can play, whoever places at the same time.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text, update

from streaming_service.adapters.store.codec import to_micros
from streaming_service.adapters.store.database import insert_new
from streaming_service.adapters.store.tables import origins, placements
from streaming_service.application.ports import Placed
from streaming_service.domain.channel import Channel
from streaming_service.errors import SeatTaken

_p = placements.c

_HELD = select(_p.stream, _p.serving).where(_p.content_id == bindparam("content"))
_TAKE = insert_new(placements)
_LEAVE = delete(placements).where(_p.stream == bindparam("name"))
_SERVE = update(placements).where(_p.stream == bindparam("name")).values(serving=bindparam("is_serving"))
_ON = (
    select(_p.stream, _p.content_id, _p.application, _p.serving)
    .where(_p.origin == bindparam("origin"))
    .order_by(_p.stream)
)
_SEATS = select(_p.origin, _p.seat)
_DRAINED = select(origins.c.name).where(origins.c.drained == 1)
_WANT = text(
    "INSERT INTO origins (name, drained, changed_by, changed_at) VALUES (:name, :drained, :by, :at)"
    " ON CONFLICT (name) DO UPDATE SET drained = excluded.drained, changed_by = excluded.changed_by,"
    " changed_at = excluded.changed_at"
)


def keep_placements(connection: Connection, channel: Channel) -> None:
    """Raises SeatTaken when another channel has a seat that this one is given."""
    held = {row.stream: bool(row.serving) for row in connection.execute(_HELD, {"content": channel.content_id})}
    wanted = {row["stream"]: row for row in _rows(channel)}
    for stream in held.keys() - wanted.keys():
        connection.execute(_LEAVE, {"name": stream})
    for stream, row in wanted.items():
        if stream not in held:
            if connection.execute(_TAKE, row).rowcount != 1:
                raise SeatTaken(row["origin"], row["seat"])
        elif held[stream] != bool(row["serving"]):
            connection.execute(_SERVE, {"name": stream, "is_serving": row["serving"]})


def placed_on(connection: Connection, origin: str) -> tuple[Placed, ...]:
    found = connection.execute(_ON, {"origin": origin})
    return tuple(Placed(row.stream, row.content_id, row.application, bool(row.serving)) for row in found)


def seats(connection: Connection) -> Mapping[str, frozenset[int]]:
    taken: dict[str, set[int]] = {}
    for row in connection.execute(_SEATS):
        taken.setdefault(row.origin, set()).add(row.seat)
    return {origin: frozenset(numbers) for origin, numbers in taken.items()}


def drained(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(_DRAINED).scalars())


def set_drained(connection: Connection, origin: str, drained: bool, by: str, now: datetime) -> None:
    connection.execute(_WANT, {"name": origin, "drained": int(drained), "by": by, "at": to_micros(now)})


def _rows(channel: Channel) -> list[dict[str, Any]]:
    serving = channel.serving
    return [
        {
            "stream": item.stream,
            "content_id": channel.content_id,
            "origin": item.origin,
            "seat": item.seat,
            "application": item.application,
            "serving": int(serving is not None and item.stream == serving.stream),
        }
        for item in channel.on_ome
    ]
