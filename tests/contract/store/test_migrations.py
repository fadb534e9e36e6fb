from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from streaming_service.adapters.store import migrate, schema
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.tables import metadata
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.errors import ConfigurationError, StoreUnavailable
from tests.contract.store.conftest import POSTGRES

_NUMBERS = count()


@pytest.fixture(params=["sqlite", POSTGRES])
def new_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that holds nothing."""
    if request.param == "sqlite":
        return str(tmp_path / "new" / "store.db")
    server: EmbeddedPostgres = request.getfixturevalue("postgres_server")
    return server.create_database(f"fresh-{next(_NUMBERS)}")


def test_the_newest_revision_is_the_one_that_is_required():
    assert migrate.head() == schema.HEAD
    assert schema.OLDEST <= schema.HEAD


def test_upgrade_brings_a_database_to_head_and_says_so(new_dsn: str):
    told: list[str] = []
    assert migrate.current(new_dsn) is None

    migrate.upgrade(new_dsn, told.append)

    assert migrate.current(new_dsn) == schema.HEAD
    assert [line[:4] for line in told] == ["0001", "0002"]
    assert told[-1].startswith(schema.HEAD)


def test_upgrading_again_changes_nothing(new_dsn: str):
    told: list[str] = []
    migrate.upgrade(new_dsn)

    migrate.upgrade(new_dsn, told.append)

    assert told == []
    assert migrate.current(new_dsn) == schema.HEAD


def test_two_upgrades_at_once_take_turns(new_dsn: str):
    told: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(migrate.upgrade, [new_dsn] * 2, [told.append] * 2))

    assert len(told) == 2, "each step once"
    assert migrate.current(new_dsn) == schema.HEAD


def test_the_migrations_make_the_tables_that_the_code_expects(new_dsn: str):
    migrate.upgrade(new_dsn)
    engine = create_engine(parse_dsn(new_dsn))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
        index = "SELECT sql FROM sqlite_master WHERE type = 'index' UNION SELECT sql FROM sqlite_master WHERE 0"
        if connection.dialect.name == "postgresql":
            index = "SELECT indexdef FROM pg_indexes"
        conditions = " ".join(definition or "" for definition in connection.execute(text(index)).scalars())
    engine.dispose()

    assert differences == []
    # Alembic does not compare these.
    for condition in ("due_at IS NOT NULL", "on_ome = 1", "state = 'pending'"):
        assert condition in conditions


def test_there_is_no_way_back(new_dsn: str):
    migrate.upgrade(new_dsn)
    engine = create_engine(parse_dsn(new_dsn))
    with engine.begin() as connection, pytest.raises(NotImplementedError, match="restore a backup"):
        command.downgrade(migrate._config(connection), "base")
    engine.dispose()


def test_a_database_that_is_away():
    with pytest.raises(StoreUnavailable):
        migrate.upgrade("postgresql://postgres@127.0.0.1:1/none")


@pytest.mark.parametrize(("found", "accepted"), [(None, False), ("0000", False), (schema.HEAD, True), ("9999", True)])
def test_a_schema_that_is_newer_is_worked_with_and_an_older_one_is_not(found: str | None, accepted: bool):
    if accepted:
        schema.require(found)
    else:
        with pytest.raises(ConfigurationError, match="db migrate"):
            schema.require(found)
