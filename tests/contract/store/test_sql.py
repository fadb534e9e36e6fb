"""What the databases promise beyond the port: they survive, they are shared, and they say when they are away."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from streaming_service.adapters.store import sqlite
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import ChannelQuery, DeliveryQuery
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import ConfigurationError, Conflict, StoreUnavailable
from tests.contract.store.builders import MINUTE, NOW, accept, channel, content_id, full_channel, letter, notification

pytestmark = pytest.mark.anyio

ALL = tuple(Endpoint)


async def test_closing_and_opening_keeps_everything(sql_dsn: str):
    store = await SqlStore.open(sql_dsn)
    written = await store.commit(accept(full_channel(), notification(1)), NOW)
    await store.add_dead_letter(letter(1, b"\x00\xff"))
    await store.acquire("poller", "a", NOW, MINUTE)
    await store.remember("key", "first", NOW, MINUTE)
    await store.close()

    store = await SqlStore.open(sql_dsn)

    assert await store.get(content_id(1)) == written
    assert len(await store.history(content_id(1), 10)) == 1
    assert await store.claim_due(NOW, "worker", MINUTE, 10) == (written,)
    assert len(await store.claim_deliveries(NOW, "worker", MINUTE, 10, ALL)) == 1
    assert await store.get_dead_letter("letter-001") == letter(1, b"\x00\xff")
    assert not await store.acquire("poller", "b", NOW, MINUTE)
    assert await store.remember("key", "second", NOW, MINUTE) == "first"
    await store.close()


async def test_after_closing_it_is_away(sql_dsn: str):
    store = await SqlStore.open(sql_dsn)
    writing = asyncio.create_task(store.commit(accept(channel()), None))
    await asyncio.sleep(0)
    await store.close()
    await store.close()

    for use in (store.check(), store.commit(accept(channel()), None), store.acquire("poller", "a", NOW, MINUTE)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await use
    assert (await writing).version == 1


async def test_a_commit_that_fails_in_its_middle_leaves_nothing(sql_dsn: str):
    store = await SqlStore.open(sql_dsn)
    unwritable = replace(notification(2), facts={"unwritable": object()})

    with pytest.raises(TypeError):
        await store.commit(accept(channel(), notification(1), unwritable), NOW)

    assert await store.get(content_id(1)) is None
    assert await store.history(content_id(1), 10) == ()
    assert (await store.list_deliveries(DeliveryQuery())).items == ()
    await store.close()


async def test_two_processes_on_one_database(sql_dsn: str):
    """Two stores share nothing but the database, as two processes do."""
    first, second = await SqlStore.open(sql_dsn), await SqlStore.open(sql_dsn)
    stores = (first, second) * 10
    await asyncio.gather(
        *(
            store.commit(accept(channel(number), notification(number, of=number)), NOW)
            for number, store in enumerate(stores)
        )
    )

    raced = [store.commit(accept(channel(0, version=1, retries=n)), NOW) for n, store in enumerate(stores)]
    results = await asyncio.gather(*raced, return_exceptions=True)
    claims = await asyncio.gather(*(store.claim_due(NOW, f"w-{n}", MINUTE, 3) for n, store in enumerate(stores)))
    sent = await asyncio.gather(
        *(store.claim_deliveries(NOW, f"w-{n}", MINUTE, 3, ALL) for n, store in enumerate(stores))
    )
    leases = await asyncio.gather(*(store.acquire("poller", f"w-{n}", NOW, MINUTE) for n, store in enumerate(stores)))

    assert sum(isinstance(result, Conflict) for result in results) == 19
    assert (await first.get(content_id(0))) == (await second.get(content_id(0)))
    assert max(Counter(item.content_id for claim in claims for item in claim).values()) == 1
    assert max(Counter(item.notification.id for claim in sent for item in claim).values()) == 1
    assert sum(leases) == 1
    await first.close()
    await second.close()


async def test_keys_that_ran_out_are_removed(sql_dsn: str):
    store = await SqlStore.open(sql_dsn)
    for number in range(5):
        await store.remember(f"key-{number}", "print", NOW, MINUTE)

    await store.remember("key-4", "print", NOW + MINUTE, MINUTE)

    def count(connection: Connection) -> int:
        return connection.exec_driver_sql("SELECT count(*) FROM idempotency_keys").scalar_one()

    assert await store._database.read(count) == 1
    await store.close()


async def test_an_empty_database_says_what_to_do(tmp_path: Path):
    store = await SqlStore.open(str(tmp_path / "new" / "folder" / "store.db"))

    assert await store.schema() is None
    with pytest.raises(ConfigurationError, match="streaming-service db migrate"):
        await store.require_schema()
    for use in (store.check(), store.get(content_id(1)), store.commit(accept(channel()), None)):
        with pytest.raises(StoreUnavailable, match="streaming-service db migrate"):
            await use
    await store.close()


@pytest.mark.postgres
async def test_an_empty_postgres_says_what_to_do(postgres_server: EmbeddedPostgres):
    store = await SqlStore.open(postgres_server.dsn)

    with pytest.raises(ConfigurationError, match="streaming-service db migrate"):
        await store.require_schema()
    with pytest.raises(StoreUnavailable, match="streaming-service db migrate"):
        await store.check()
    await store.close()


async def test_a_migrated_database_is_as_required(sql_dsn: str):
    store = await SqlStore.open(sql_dsn)
    await store.require_schema()
    await store.check()
    await store.close()


@pytest.mark.postgres
async def test_a_postgres_that_goes_away_and_comes_back(postgres_server: EmbeddedPostgres, migrated_postgres: str):
    store = await SqlStore.open(migrated_postgres)
    await store.check()
    postgres_server.stop()
    try:
        for use in (
            store.check(),
            store.get(content_id(1)),
            store.commit(accept(channel()), None),
            store.claim_due(NOW, "worker", MINUTE, 1),
            store.list(ChannelQuery()),
        ):
            with pytest.raises(StoreUnavailable):
                await use
    finally:
        postgres_server.start()
    await asyncio.gather(*(store.check() for _ in range(20)))
    await store.close()


@pytest.mark.postgres
async def test_a_postgres_that_restarts_costs_nobody_an_error(
    postgres_server: EmbeddedPostgres, migrated_postgres: str
):
    store = await SqlStore.open(migrated_postgres)
    await asyncio.gather(*(store.check() for _ in range(5)))
    postgres_server.stop()
    postgres_server.start()

    await asyncio.gather(*(store.check() for _ in range(5)))
    await store.close()


@pytest.mark.postgres
async def test_a_statement_that_takes_too_long_is_given_up(migrated_postgres: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("streaming_service.adapters.store.postgres._STATEMENT_TIMEOUT_S", 0.05)
    store = await SqlStore.open(migrated_postgres)

    def dawdle(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_sleep(60)")

    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await store._database.transact(dawdle)
    await store.check()
    await store.close()


@pytest.mark.postgres
async def test_a_server_that_does_not_answer_is_given_up(migrated_postgres: str, monkeypatch: pytest.MonkeyPatch):
    """Accepts and stays silent, as behind a broken load balancer."""
    monkeypatch.setattr("streaming_service.adapters.store.postgres._TIMEOUT_S", 0.1)
    silent = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, start_serving=False)
    port = silent.sockets[0].getsockname()[1]
    store = await SqlStore.open(f"postgresql://postgres:hidden@127.0.0.1:{port}/x")

    with pytest.raises(StoreUnavailable) as caught:
        await store.check()

    assert "hidden" not in str(caught.value)
    await store.close()
    silent.close()
    await silent.wait_closed()


async def test_a_sqlite_that_another_process_keeps_locked(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_MS", 10)
    path = shutil.copy(migrated_sqlite, tmp_path / "store.db")
    store = await SqlStore.open(str(path))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    results = await asyncio.gather(
        *(store.commit(accept(channel(number)), None) for number in range(3)), return_exceptions=True
    )

    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert await store.get(content_id(1)) is None
    other.execute("ROLLBACK")
    other.close()
    await store.commit(accept(channel()), None)
    await store.close()


async def test_a_file_that_is_no_database(tmp_path: Path):
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database" * 1000)
    store = await SqlStore.open(str(path))

    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.check()
    await store.close()


async def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable):
        await SqlStore.open(str(tmp_path / "file" / "store.db"))


async def test_who_gives_up_waiting_disturbs_nobody(migrated_sqlite: Path, tmp_path: Path):
    path = shutil.copy(migrated_sqlite, tmp_path / "store.db")
    store = await SqlStore.open(str(path))
    writers = [asyncio.create_task(store.commit(accept(channel(number)), None)) for number in range(20)]
    await asyncio.sleep(0)
    for writer in writers[::2]:
        writer.cancel()

    results = await asyncio.gather(*writers, return_exceptions=True)

    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 10
    written = {item.content_id for item in (await store.list(ChannelQuery())).items}
    assert written >= set(map(content_id, range(1, 20, 2)))
    await store.close()


def test_starting_does_not_wait_for_alembic_or_the_other_driver():
    code = (
        "import sys; import streaming_service.adapters.store.sql, streaming_service.adapters.store.migrate;"
        "print([name for name in ('alembic', 'psycopg', 'aiosqlite') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
