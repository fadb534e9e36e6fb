"""where viewers are sent"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "failovers",
        sa.Column("subject", _KEY, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("active", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("failovers_changed", "failovers", ["changed_at"])
    active = sa.text("active = 1")
    op.create_index("failovers_active", "failovers", ["subject"], sqlite_where=active, postgresql_where=active)
