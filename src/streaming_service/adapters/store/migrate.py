"""Bring a database's tables to this release's. Blocking; run by people and pipelines, never by a starting service."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine

from streaming_service.adapters.store import schema
from streaming_service.adapters.store.database import database_errors
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.sqlite import configure

if TYPE_CHECKING:
    from alembic.config import Config

    from streaming_service.adapters.store.migrations.progress import Progress

_CONNECT_TIMEOUT_S = 5
# Any number that is ours alone: two `db migrate` at once take turns.
_ADVISORY_LOCK = 7_205_759_403
# Another migration may take that long; sqlite has to be told how long to wait for it.
_TURN_TIMEOUT_MS = 3_600_000

NO_WAY_BACK = (
    "a schema is not taken back, because that would lose what has been written since. It need not be: every revision"
    " only adds, so the release before works on this schema; install it and leave the database as it is."
    " To have the data of an earlier day, restore a backup (docs/backup.md)"
)


def upgrade(dsn: str, progress: "Progress | None" = None) -> None:
    """Apply what is missing, and create the sqlite file if need be. All or nothing: an interrupted one leaves no trace.

    Doing it again changes nothing, and so does a release older than the schema. Of two at once the second waits.
    Raises ConfigurationError for an address that cannot be read, StoreUnavailable when the database does not answer.
    """
    from alembic import command  # noqa: PLC0415 - Alembic takes half a second to import, and starting needs none of it

    engine = _engine(dsn)
    try:
        with database_errors(), engine.begin() as connection:
            _take_turns(connection)
            if (schema.current(connection) or "") > schema.HEAD:
                return
            command.upgrade(_config(connection, progress), "head")
    finally:
        engine.dispose()


def current(dsn: str) -> str | None:
    """The revision of the database's tables, None when it has none. Raises as `upgrade` does."""
    engine = _engine(dsn)
    try:
        with database_errors(), engine.begin() as connection:
            return schema.current(connection)
    finally:
        engine.dispose()


def pending(dsn: str) -> list[tuple[str, str]]:
    """Revisions with their titles that `upgrade` would apply, in order. Raises as `upgrade` does."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    found = current(dsn) or ""
    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return sorted((step.revision, step.doc) for step in steps if step.revision > found)


def head() -> str:
    """The newest revision among this release's migrations."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config(connection: Connection | None = None, progress: "Progress | None" = None) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["progress"] = progress
    return config


def _engine(dsn: str) -> Engine:
    url = parse_dsn(dsn)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})
    with database_errors():
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    # Not least, this ends the driver's own transactions, which would leave out CREATE TABLE: no half migration stays.
    event.listen(engine, "connect", configure)
    return engine


def _take_turns(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_TURN_TIMEOUT_MS}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
