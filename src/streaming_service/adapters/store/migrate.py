"""Bring a database's tables to this release's. Blocking; run by people and pipelines, never by a starting service."""

from collections.abc import Callable
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

_CONNECT_TIMEOUT_S = 5
# Any number that is ours alone: two `db migrate` at once take turns.
_ADVISORY_LOCK = 7_205_759_403


def upgrade(dsn: str, progress: Callable[[str], None] | None = None) -> None:
    """Apply what is missing, all or nothing, and create the sqlite file if need be. Doing it again changes nothing.

    `progress` is told each revision that has been applied, as `0001 channels, history and outbox`.
    Raises ConfigurationError for an address that cannot be read, StoreUnavailable when the database does not answer.
    """
    from alembic import command  # noqa: PLC0415 - Alembic takes half a second to import, and starting needs none of it

    engine = _engine(dsn)
    try:
        with database_errors(), engine.begin() as connection:
            _take_turns(connection)
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


def head() -> str:
    """The newest revision among this release's migrations."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config(connection: Connection | None = None, progress: Callable[[str], None] | None = None) -> "Config":
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
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
