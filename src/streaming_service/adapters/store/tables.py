"""The tables as this release wants them; `migrations/` is how a database gets there.

A row holds its struct as a document, and beside it only the columns that are searched by. Moments are integers
(microseconds since 1970 UTC). Keys compare byte by byte in both databases, as they do in memory.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()

_KEY = Text().with_variant(Text(collation="C"), "postgresql")
# sqlite numbers rows by itself only in a column that is exactly INTEGER PRIMARY KEY.
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")
_ON_OME = text("on_ome = 1")
_DUE = text("due_at IS NOT NULL")
_ACTIVE = text("active = 1")
_PENDING = text("state = 'pending'")
_LINE = text("(content_id || ' ' || endpoint)")
_QUEUED = text("queue_rank IS NOT NULL")

channels = Table(
    "channels",
    metadata,
    Column("content_id", _KEY, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("classification", Text, nullable=False),
    Column("tenant_id", Text),
    Column("search", Text, nullable=False),  # the source URI, case-folded
    Column("on_ome", Integer, nullable=False),
    Column("due_at", BigInteger),
    Column("queue_rank", BigInteger),  # the order among those that wait for a place
    Column("queue_at", BigInteger),  # not to be placed before
    Column("lease_owner", Text),
    Column("lease_until", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("channels_status", "status", "content_id"),
    # Most channels rest: these stay small whatever the number of rows.
    Index("channels_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    Index("channels_queue", "queue_rank", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
    Index("channels_on_ome", "content_id", sqlite_where=_ON_OME, postgresql_where=_ON_OME),
)

# What the channels have on origins: follows from their documents, and is what makes a seat one channel's alone.
placements = Table(
    "placements",
    metadata,
    Column("stream", _KEY, primary_key=True),
    Column("content_id", _KEY, nullable=False),
    Column("origin", _KEY, nullable=False),
    Column("seat", Integer, nullable=False),
    Column("application", Text, nullable=False),
    Column("serving", Integer, nullable=False),
    Index("placements_seat", "origin", "seat", unique=True),
    Index("placements_content", "content_id"),
)

origins = Table(
    "origins",
    metadata,
    Column("name", _KEY, primary_key=True),
    Column("drained", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

failovers = Table(
    "failovers",
    metadata,
    Column("subject", _KEY, primary_key=True),  # a content id, or `cdn` for all contents
    Column("version", BigInteger, nullable=False),
    Column("active", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("failovers_changed", "changed_at"),
    Index("failovers_active", "subject", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
)

history = Table(
    "history",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("content_id", _KEY, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("history_content", "content_id", "id"),
)


deliveries = Table(
    "deliveries",
    metadata,
    Column("sequence", _SERIAL, primary_key=True),
    Column("id", _KEY, nullable=False, unique=True),
    Column("content_id", _KEY, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", BigInteger),
    Column("tries", Integer, nullable=False),
    Column("claimed_by", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("attempts", Text, nullable=False),  # one JSON document a line
    Index("deliveries_claimable", "endpoint", "due_at", "sequence", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index("deliveries_heads", _LINE, "sequence", sqlite_where=_PENDING, postgresql_where=_PENDING),
    Index("deliveries_line", "content_id", "endpoint", "state", "sequence"),
    Index("deliveries_state", "state", "sequence"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("document", Text, nullable=False),
    Index("dead_letters_received", "received_at", "id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", _KEY, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("idempotency_keys_expiry", "expires_at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", _KEY, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("name", _KEY, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
