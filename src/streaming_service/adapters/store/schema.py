"""Whether the database's tables are ones that this release can work with. Asked in plain SQL: Alembic loads slowly."""

from sqlalchemy import Connection, inspect, text

from streaming_service.errors import ConfigurationError

# Revisions are four digits that count up. A release works with every schema from OLDEST on: newer ones only add to
# what it knows, until a later release has stopped using what they then remove (expand, migrate, contract).
HEAD = "0006"
OLDEST = "0005"

_CURRENT = text("SELECT version_num FROM alembic_version")


def current(connection: Connection) -> str | None:
    """The revision that stands in the database; None when nobody has migrated it yet."""
    return revision(connection) if inspect(connection).has_table("alembic_version") else None


def revision(connection: Connection) -> str | None:
    """The same of a database that has been migrated; of another one, the database's own error."""
    return connection.execute(_CURRENT).scalar()


def require(found: str | None) -> None:
    """Raises ConfigurationError, saying what to do, when this release cannot work with that revision."""
    if found is None or found < OLDEST:
        state = f"is at revision {found}" if found else "has no tables yet"
        raise ConfigurationError(
            [f"the store {state}; this release needs {OLDEST}: run `streaming-service db migrate`"]
        )
