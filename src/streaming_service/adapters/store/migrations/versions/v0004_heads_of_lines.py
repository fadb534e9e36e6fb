"""an index of what is owed, by content and endpoint"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pending = sa.text("state = 'pending'")
    op.create_index(
        "deliveries_heads",
        "deliveries",
        [sa.text("(content_id || ' ' || endpoint)"), "sequence"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
