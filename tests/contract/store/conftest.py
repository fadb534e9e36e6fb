import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.store.tables import metadata
from streaming_service.application.ports import Store
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.postgres import EmbeddedPostgres
from tests.conftest import require_component

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres()
    try:
        server.__enter__()
    except ComponentMissing as missing:
        require_component(False, "Postgres", str(missing))
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: EmbeddedPostgres) -> str:
    dsn = postgres_server.create_database("contract")
    upgrade(dsn)
    return dsn


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    upgrade(str(path))
    return path


def empty_dsn(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """A migrated database without a row: a copy of one file, or one database that is emptied."""
    if kind == "sqlite":
        path = folder / "store.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        return str(path)
    dsn: str = request.getfixturevalue("migrated_postgres")
    with psycopg.connect(dsn) as connection:
        tables = SQL(", ").join(map(Identifier, metadata.tables))
        connection.execute(SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
    return dsn


@pytest.fixture(params=["sqlite", POSTGRES])
def sql_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_dsn(request.param, request, tmp_path)


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
async def store(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    store = (
        MemoryStore() if request.param == "memory" else await SqlStore.open(empty_dsn(request.param, request, tmp_path))
    )
    yield store
    await store.close()
