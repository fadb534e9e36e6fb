"""the queue for places, seats on origins, what operators want of origins"""

import json
from hashlib import sha256
from itertools import count
from typing import Any

import sqlalchemy as sa
from alembic import op

from streaming_service.adapters.store.migrations.progress import tell_rows

revision = "0002"
down_revision = "0001"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("channels", sa.Column("queue_rank", sa.BigInteger))
    op.add_column("channels", sa.Column("queue_at", sa.BigInteger))
    queued = sa.text("queue_rank IS NOT NULL")
    op.create_index("channels_queue", "channels", ["queue_rank"], sqlite_where=queued, postgresql_where=queued)
    op.create_table(
        "placements",
        sa.Column("stream", _KEY, primary_key=True),
        sa.Column("content_id", _KEY, nullable=False),
        sa.Column("origin", _KEY, nullable=False),
        sa.Column("seat", sa.Integer, nullable=False),
        sa.Column("application", sa.Text, nullable=False),
        sa.Column("serving", sa.Integer, nullable=False),
    )
    op.create_index("placements_seat", "placements", ["origin", "seat"], unique=True)
    op.create_index("placements_content", "placements", ["content_id"])
    op.create_table(
        "origins",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("drained", sa.Integer, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    _seat_everybody()


_TOTAL = sa.text("SELECT count(*) FROM channels")
_SOME = sa.text(
    "SELECT content_id, due_at, updated_at, document FROM channels"
    " WHERE content_id > :after ORDER BY content_id LIMIT :count"
)
_SEAT = sa.text(
    "INSERT INTO placements (stream, content_id, origin, seat, application, serving)"
    " VALUES (:stream, :content, :origin, :seat, :application, :serving)"
)
_REWRITE = sa.text(
    "UPDATE channels SET document = :document, queue_rank = :rank, queue_at = :at WHERE content_id = :id"
)
_AT_ONCE = 1000


def _seat_everybody() -> None:
    """What is on an origin gets a seat, and what is due to be placed joins the queue. So many rows at a time, because
    all of them may not fit into memory."""
    connection = op.get_bind()
    total, done, after = connection.execute(_TOTAL).scalar_one(), 0, ""
    numbers: dict[str, count[int]] = {}
    while rows := connection.execute(_SOME, {"after": after, "count": _AT_ONCE}).all():
        seats: list[dict[str, Any]] = []
        changes: list[dict[str, Any]] = []
        for row in rows:
            channel = json.loads(row.document)
            seats += _seats(row.content_id, channel, numbers)
            changes.append(_queued(row, channel))
        if seats:
            connection.execute(_SEAT, seats)
        connection.execute(_REWRITE, changes)
        done, after = done + len(rows), rows[-1].content_id
        tell_rows(done, total)


def _seats(content_id: str, channel: dict[str, Any], numbers: dict[str, "count[int]"]) -> list[dict[str, Any]]:
    """The rows of its placements, each of which is told its seat."""
    rows: list[dict[str, Any]] = []
    for placement, serving in _placements(channel):
        origin = placement["origin"]
        placement["seat"] = next(numbers.setdefault(origin, count()))
        row = {"stream": placement["stream"], "content": content_id, "origin": origin, "seat": placement["seat"]}
        rows.append(row | {"application": placement["application"], "serving": int(serving)})
    return rows


def _queued(row: Any, channel: dict[str, Any]) -> dict[str, Any]:
    """The channel's row, with its turn in the queue when it needs a place."""
    queued = _wants_place(channel)
    if queued:
        channel["waiting_since"] = channel["updated_at"]
    values = {"id": row.content_id, "document": json.dumps(channel, ensure_ascii=False)}
    return values | {"rank": row.updated_at if queued else None, "at": row.due_at or row.updated_at if queued else None}


def _placements(channel: dict[str, Any]) -> list[tuple[dict[str, Any], bool]]:
    serving, building = channel.get("serving"), channel.get("building")
    now = [(serving, True)] if serving else []
    now += [(building, False)] if building else []
    return now + [(item["placement"], False) for item in channel.get("draining", ())]


def _wants_place(channel: dict[str, Any]) -> bool:
    if channel["status"] == "retired" or channel.get("building"):
        return False
    spec, serving = channel["spec"], channel.get("serving")
    part = [spec["checksum"], spec["application"], spec["rungs"]]
    wanted = sha256(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
    return serving is None or serving["media_hash"] != wanted
