"""channels, history, outbox, dead letters, leases and idempotency keys"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _channels()
    _outbox()
    _dead_letters()
    _leases()


def _channels() -> None:
    op.create_table(
        "channels",
        sa.Column("content_id", _KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("classification", sa.Text, nullable=False),
        sa.Column("tenant_id", sa.Text),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("on_ome", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("channels_status", "channels", ["status", "content_id"])
    _create_partial_index("channels_due", "channels", ["due_at"], "due_at IS NOT NULL")
    _create_partial_index("channels_on_ome", "channels", ["content_id"], "on_ome = 1")
    op.create_table(
        "history",
        sa.Column("id", _SERIAL, primary_key=True),
        sa.Column("content_id", _KEY, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("history_content", "history", ["content_id", "id"])


def _outbox() -> None:
    op.create_table(
        "deliveries",
        sa.Column("sequence", _SERIAL, primary_key=True),
        sa.Column("id", _KEY, nullable=False, unique=True),
        sa.Column("content_id", _KEY, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("attempts", sa.Text, nullable=False),
    )
    _create_partial_index("deliveries_claimable", "deliveries", ["endpoint", "due_at", "sequence"], "state = 'pending'")
    op.create_index("deliveries_line", "deliveries", ["content_id", "endpoint", "state", "sequence"])
    op.create_index("deliveries_state", "deliveries", ["state", "sequence"])


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("dead_letters_received", "dead_letters", ["received_at", "id"])


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", _KEY, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("idempotency_keys_expiry", "idempotency_keys", ["expires_at"])


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
