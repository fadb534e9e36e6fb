import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.store import FirestoreStore
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.store.tables import metadata
from streaming_service.application.ports import Store
from streaming_service.devkit.emulators import ComponentMissing, FirestoreEmulator
from streaming_service.devkit.postgres import EmbeddedPostgres
from tests.conftest import require_component

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
FIRESTORE = pytest.param("firestore", marks=pytest.mark.firestore)


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


@pytest.fixture(scope="session")
def shared_firestore() -> Iterator[FirestoreEmulator]:
    emulator = FirestoreEmulator()
    try:
        emulator.start()
    except ComponentMissing as missing:
        require_component(False, emulator.name, str(missing))
    yield emulator
    emulator.stop()


@pytest.fixture(scope="module")
async def grpc_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One event loop for a module's tests: what gRPC's poller hears of a call that is over may come after it."""
    yield
    await asyncio.sleep(0.2)


@pytest.fixture
def firestore_project(grpc_loop: None, shared_firestore: FirestoreEmulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project of its own: the emulator makes one when it is named."""
    for name, value in shared_firestore.environment.items():
        monkeypatch.setenv(name, value)
    return f"contract-{uuid4().hex}"


@pytest.fixture(params=["memory", "sqlite", POSTGRES, FIRESTORE])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A kind of store, and where to open one that is empty."""
    kind: str = request.param
    if kind == "memory":
        return kind, ""
    if kind == "firestore":
        return kind, request.getfixturevalue("firestore_project")
    return kind, empty_dsn(kind, request, tmp_path)


@pytest.fixture
async def store(empty_place: tuple[str, str], anyio_backend: str) -> AsyncIterator[Store]:
    kind, place = empty_place
    if kind == "memory":
        store: Store = MemoryStore()
    elif kind == "firestore":
        store = FirestoreStore(FirestoreDatabase(place, "(default)"))
    else:
        store = await SqlStore.open(place)
    yield store
    await store.close()


@pytest.fixture
async def elsewhere(store: Store, empty_place: tuple[str, str]) -> AsyncIterator[Store]:
    """The same store as another process has it open."""
    kind, place = empty_place
    if kind == "memory":
        yield store
        return
    if kind == "firestore":
        other: Store = FirestoreStore(FirestoreDatabase(place, "(default)"))
    else:
        other = await SqlStore.open(place)
    yield other
    await other.close()
