"""What is told of channels that others write."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import ChangeFeed, Store
from streaming_service.errors import StoreError, StoreUnavailable
from tests.contract.store.builders import MINUTE, NOW, accept, channel, content_id
from tests.contract.store.conftest import empty_dsn

pytestmark = pytest.mark.anyio


async def test_nothing_is_told_of_what_was_before(store: Store):
    await store.commit(accept(channel(1)), None)

    async with store.changes() as feed:
        assert await feed.told() == frozenset()


async def test_a_write_of_another_process_is_told_once(store: Store, elsewhere: Store):
    async with store.changes() as feed:
        first = await elsewhere.commit(accept(channel(1)), NOW)
        assert await feed.told() == {content_id(1)}
        assert await feed.told() == frozenset()

        await elsewhere.commit(accept(first), NOW)
        await elsewhere.commit(accept(channel(2)), NOW)
        assert await feed.told() == {content_id(1), content_id(2)}
        assert await feed.told() == frozenset()


async def test_every_feed_is_told(store: Store):
    async with store.changes() as first, store.changes() as second:
        await store.commit(accept(channel(1)), NOW)

        assert await first.told() == await second.told() == {content_id(1)}


async def test_who_holds_a_channel_is_no_change_of_it(store: Store):
    await store.commit(accept(channel(1)), NOW)

    async with store.changes() as feed:
        (held,) = await store.claim_due(NOW, "worker", MINUTE, 10)
        await store.extend_lease(content_id(1), "worker", NOW + MINUTE)
        await store.release(content_id(1), "worker", held.version, None)

        assert await feed.told() == frozenset()


async def test_whatever_was_confirmed_is_told_while_many_write(store: Store, elsewhere: Store):
    told = set[str]()
    missed = list[str]()

    async def write(feed: ChangeFeed, turn: asyncio.Lock, first: int) -> None:
        for number in range(first, first + 8):
            written = await elsewhere.commit(accept(channel(number)), None)
            async with turn:
                told.update(await feed.told())
            if written.content_id not in told:
                missed.append(written.content_id)

    async with store.changes() as feed:
        turn = asyncio.Lock()
        await asyncio.gather(*(write(feed, turn, first) for first in range(1, 65, 8)))

    assert missed == []
    assert len(told) == 64


async def test_waiting_ends(store: Store):
    async with store.changes() as feed:
        async with asyncio.timeout(5):
            await feed.wait(0.01)
        await store.commit(accept(channel(1)), None)
        async with asyncio.timeout(5):
            await feed.wait(0.01)

        assert await feed.told() == {content_id(1)}


# -- Postgres ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return empty_dsn("postgres", request, tmp_path)


@pytest.fixture
async def postgres(postgres_dsn: str) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(postgres_dsn)
    yield store
    await store.close()


@pytest.mark.postgres
async def test_postgres_wakes_who_waits(postgres: SqlStore):
    async with postgres.changes() as feed:
        waiting = asyncio.create_task(feed.wait(60))
        await asyncio.sleep(0)
        await postgres.commit(accept(channel(1)), None)
        async with asyncio.timeout(10):
            await waiting

        assert await feed.told() == {content_id(1)}


@pytest.mark.postgres
@pytest.mark.parametrize("statement", [b"UPDATE channels SET document = document", b"DELETE FROM channels"])
async def test_postgres_tells_what_a_person_writes(postgres: SqlStore, postgres_dsn: str, statement: bytes):
    await postgres.commit(accept(channel(1)), None)

    async with postgres.changes() as feed:
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute(statement)

        assert await feed.told() == {content_id(1)}


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("TRUNCATE channels", "replaced at once"),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = {}", "."),
    ],
)
async def test_postgres_says_when_something_may_be_missing(
    postgres: SqlStore, postgres_dsn: str, statement: str, reason: str
):
    async with postgres.changes() as feed:
        assert await feed.told() == frozenset()
        with psycopg.connect(postgres_dsn, autocommit=True) as connection:
            connection.execute(statement.format("'SELECT pg_backend_pid()'").encode())

        with pytest.raises(StoreUnavailable, match=reason):
            await feed.told()


@pytest.mark.postgres
async def test_postgres_without_the_trigger_tells_nobody(postgres: SqlStore, postgres_dsn: str):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE channels DISABLE TRIGGER channels_changed")
        try:
            with pytest.raises(StoreUnavailable, match="db migrate"):
                async with postgres.changes():
                    pass
        finally:
            connection.execute("ALTER TABLE channels ENABLE TRIGGER channels_changed")


@pytest.mark.postgres
async def test_a_closed_store_tells_nothing(postgres: SqlStore):
    await postgres.close()

    with pytest.raises(StoreError):
        async with postgres.changes():
            pass


# -- sqlite -----------------------------------------------------------------------------------------------------------


async def test_sqlite_says_when_the_file_is_an_older_one(request: pytest.FixtureRequest, tmp_path: Path):
    dsn = empty_dsn("sqlite", request, tmp_path)
    store = await SqlStore.open(dsn)
    first = await store.commit(accept(channel(1)), None)
    second = await store.commit(accept(replace(first)), None)
    async with store.changes() as feed:
        assert await feed.told() == frozenset()
        await store._database.transact(
            lambda connection: connection.exec_driver_sql("DELETE FROM history WHERE id = 2")
        )

        with pytest.raises(StoreUnavailable, match="another one"):
            await feed.told()

    assert (await store.get(content_id(1))) == second
    await store.close()
    shutil.rmtree(tmp_path)
