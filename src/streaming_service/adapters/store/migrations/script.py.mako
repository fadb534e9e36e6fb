"""${message}

Rules: a revision only adds (expand); what it adds has a default, so that the release before it keeps working on it.
What nobody uses any more goes in a revision of its own, two releases later (contract).
There is no way back: see `NO_WAY_BACK` in migrate.py.
"""

import sqlalchemy as sa
from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
