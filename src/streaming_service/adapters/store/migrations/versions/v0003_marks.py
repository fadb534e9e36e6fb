"""marks: single numbers that concern the whole store"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "marks",
        sa.Column("name", _KEY, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
