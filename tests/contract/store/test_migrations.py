import tracemalloc
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, create_engine, insert, inspect, table, text

from streaming_service.adapters.store import migrate, schema
from streaming_service.adapters.store.dsn import parse_dsn
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.adapters.store.tables import metadata
from streaming_service.application.ports import Attempt, ChannelQuery, DeliveryState, Tried
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.content import Classification
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.state import Status
from streaming_service.errors import ConfigurationError, StoreUnavailable
from tests.contract.store import releases
from tests.contract.store.conftest import POSTGRES
from tests.stores import Watched
from tests.unit.application.world import World, content_id

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


class Told:
    """Keeps what a migration says."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.seconds: list[float] = []
        self.counts: list[tuple[int, int]] = []
        self.at_rows: Callable[[], None] = lambda: None

    def step(self, revision: str, title: str, seconds: float) -> None:
        assert title
        self.steps.append(revision)
        self.seconds.append(seconds)

    def rows(self, done: int, total: int) -> None:
        self.counts.append((done, total))
        self.at_rows()


def test_upgrade_brings_a_database_to_head_and_says_so(new_dsn: str):
    told = Told()
    assert migrate.current(new_dsn) is None

    assert [revision for revision, _ in migrate.pending(new_dsn)] == ["0001", "0002", "0003", "0004", "0005", "0006"]
    migrate.upgrade(new_dsn, told)

    assert migrate.current(new_dsn) == schema.HEAD
    assert told.steps == ["0001", "0002", "0003", "0004", "0005", "0006"]
    assert all(0 <= seconds < 60 for seconds in told.seconds)
    assert migrate.pending(new_dsn) == []


def test_upgrading_again_changes_nothing(new_dsn: str):
    told = Told()
    migrate.upgrade(new_dsn)

    migrate.upgrade(new_dsn, told)

    assert told.steps == []
    assert migrate.current(new_dsn) == schema.HEAD


def test_two_upgrades_at_once_take_turns(new_dsn: str):
    told = Told()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(migrate.upgrade, [new_dsn] * 2, [told] * 2))

    assert told.steps == ["0001", "0002", "0003", "0004", "0005", "0006"], "each step once"
    assert migrate.current(new_dsn) == schema.HEAD


@pytest.mark.filterwarnings("ignore:.*expression-based index .*deliveries_heads")
def test_the_migrations_make_the_tables_that_the_code_expects(new_dsn: str):
    migrate.upgrade(new_dsn)
    engine = create_engine(parse_dsn(new_dsn))
    with engine.connect() as connection:
        opts = {"compare_type": True, "include_name": _comparable, "include_object": _comparable}
        context = MigrationContext.configure(connection, opts=opts)
        differences = compare_metadata(context, metadata)
        index = "SELECT sql FROM sqlite_master WHERE type = 'index' UNION SELECT sql FROM sqlite_master WHERE 0"
        if connection.dialect.name == "postgresql":
            index = "SELECT indexdef FROM pg_indexes"
        conditions = " ".join(definition or "" for definition in connection.execute(text(index)).scalars())
    engine.dispose()

    assert differences == []
    # Alembic does not compare these, and each database has words of its own for an index of an expression.
    for condition in ("due_at IS NOT NULL", "on_ome = 1", "state = 'pending'", "active = 1"):
        assert condition in conditions
    assert "deliveries_heads ON" in conditions.replace("public.", "")


def _comparable(*about: object) -> bool:
    return "deliveries_heads" not in about


def test_there_is_no_way_back(new_dsn: str):
    migrate.upgrade(new_dsn)
    engine = create_engine(parse_dsn(new_dsn))
    with engine.begin() as connection, pytest.raises(AttributeError, match="downgrade"):
        command.downgrade(migrate._config(connection), "base")
    engine.dispose()
    assert migrate.current(new_dsn) == schema.HEAD


def test_a_database_that_is_away():
    with pytest.raises(StoreUnavailable):
        migrate.upgrade("postgresql://postgres@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("found", "accepted"), [(None, False), ("0000", False), ("0001", False), (schema.HEAD, True), ("9999", True)]
)
def test_a_schema_that_is_newer_is_worked_with_and_an_older_one_is_not(found: str | None, accepted: bool):
    if accepted:
        schema.require(found)
    else:
        with pytest.raises(ConfigurationError, match="db migrate"):
            schema.require(found)


def test_a_release_older_than_the_schema_leaves_it_alone(new_dsn: str):
    migrate.upgrade(new_dsn)
    with opened(new_dsn) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    migrate.upgrade(new_dsn)

    assert migrate.current(new_dsn) == "9999"


@contextmanager
def opened(dsn: str) -> Generator[Connection]:
    """A transaction without any of our settings."""
    engine = create_engine(parse_dsn(dsn))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def migrate_to(dsn: str, revision: str) -> None:
    with opened(dsn) as connection:
        command.upgrade(migrate._config(connection), revision)


@pytest.fixture
def old_dsn(new_dsn: str) -> str:
    """A database as the release with schema 0001 left it."""
    if "://" not in new_dsn:
        Path(new_dsn).parent.mkdir(parents=True, exist_ok=True)
    migrate_to(new_dsn, "0001")
    with opened(new_dsn) as connection:
        releases.put_rows(connection, "0001")
    return new_dsn


@pytest.mark.anyio
async def test_what_the_release_before_wrote_is_read_seated_and_queued(old_dsn: str):
    before = releases.rows_of("0001")
    migrate.upgrade(old_dsn)
    store = await SqlStore.open(old_dsn)
    try:
        found = (await store.list(ChannelQuery())).items
        assert [item.content_id for item in found] == [row["content_id"] for row in before["channels"]]
        held = [item for channel in found for item in channel.on_ome]
        assert sorted((item.origin, item.seat) for item in held) == sorted(
            (origin, seat) for origin, seats in (await store.seats()).items() for seat in seats
        )
        placed = [item for origin in ("origin-1", "origin-2") for item in await store.placements(origin)]
        assert {(item.stream, item.serving) for item in placed} == {
            (item.stream, item == channel.serving) for channel in found for item in channel.on_ome
        }
        now = max(channel.updated_at for channel in found) + timedelta(days=1)
        waiting = await store.claim_waiting(tuple(Classification), now, "test", timedelta(seconds=9), 99)
        assert {item.content_id for item in waiting} == {item.content_id for item in found if item.wants_place}
        assert len(waiting) == 3
        for channel in found:
            entries = [row for row in before["history"] if row["content_id"] == channel.content_id]
            assert len(await store.history(channel.content_id, 500)) == len(entries)
        assert sum((await store.backlog()).pending.values()) == len(before["deliveries"])
        assert [letter.data for letter in (await store.list_dead_letters(9, None))[0]] == [b"{\x00\xff"]
    finally:
        await store.close()


@pytest.mark.anyio
async def test_the_release_before_goes_on_working_on_the_new_schema(old_dsn: str):
    """Expand only: whatever it sends is understood, and what it left behind settles under the new release."""
    migrate.upgrade(old_dsn)

    with opened(old_dsn) as connection:
        assert releases.say_everything(connection, "0001") > 40

    store = await SqlStore.open(old_dsn)
    try:
        world = World(("origin-1", "origin-2"), store=Watched(store).fragile())
        world.media.missing.add("gs://uploads/7/sum-1.mp4")
        world.clock.moment = max(item.updated_at for item in (await store.list(ChannelQuery())).items)
        world.clock.advance(60)
        await world.reconcile()  # the origins of this world are empty
        for _ in range(200):
            while await world.work():
                pass
            world.clock.advance(30)
        found = (await store.list(ChannelQuery())).items
        assert len(found) == 8
        for channel in found:
            wanted = Status.FAILED if channel.content_id == content_id(7) else Status.READY
            assert channel.status in {wanted, Status.RETIRED}, (channel.content_id, channel.phase_reason)
            assert channel.status is Status.RETIRED or channel.up_to_date or wanted is Status.FAILED
    finally:
        await store.close()


@pytest.mark.anyio
async def test_this_release_works_on_the_oldest_schema_that_it_takes(old_dsn: str):
    migrate_to(old_dsn, schema.OLDEST)
    store = await SqlStore.open(old_dsn)
    try:
        await store.require_schema()
        now = max(item.updated_at for item in (await store.list(ChannelQuery())).items)
        owed = sum((await store.backlog()).pending.values())
        paid = 0
        while sum((await store.backlog()).pending.values()):
            now += timedelta(minutes=1)
            claimed = await store.claim_deliveries(now, "test", timedelta(seconds=9), 9, tuple(Endpoint))
            done = [
                Tried(item.notification.id, Attempt(now, 204, "", 1.0), DeliveryState.DELIVERED) for item in claimed
            ]
            await store.record(done)
            paid += len(done)
        assert paid == owed > 0
    finally:
        await store.close()


@pytest.mark.anyio
async def test_this_release_refuses_the_schema_before_with_what_to_do(old_dsn: str):
    store = await SqlStore.open(old_dsn)
    try:
        with pytest.raises(ConfigurationError, match=r"is at revision 0001; this release needs 0005: run .*db migrate"):
            await store.require_schema()
    finally:
        await store.close()


def test_a_migration_that_is_interrupted_leaves_no_trace(old_dsn: str):
    told = Told()

    def die() -> None:
        raise KeyboardInterrupt

    told.at_rows = die
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(old_dsn, told)

    assert migrate.current(old_dsn) == "0001"
    with opened(old_dsn) as connection:
        assert not inspect(connection).has_table("placements")
        documents = connection.execute(text("SELECT document FROM channels ORDER BY content_id")).scalars().all()
    assert documents == [row["document"] for row in releases.rows_of("0001")["channels"]]
    migrate.upgrade(old_dsn)
    assert migrate.current(old_dsn) == schema.HEAD


def test_rows_are_converted_some_at_a_time_and_counted(old_dsn: str):
    row = next(row for row in releases.rows_of("0001")["channels"] if '"serving":{' in row["document"])
    copy = row["document"]
    hexed = row["content_id"].replace("-", "")
    many = 2500
    with opened(old_dsn) as connection:
        connection.execute(text("DELETE FROM channels"))
        connection.execute(
            insert(table("channels", *map(column, row))),
            [
                row
                | {
                    "content_id": content_id(number),
                    "document": copy.replace(hexed, content_id(number).replace("-", "")).replace(
                        row["content_id"], content_id(number)
                    ),
                }
                for number in range(many)
            ],
        )
    told = Told()
    tracemalloc.start()

    migrate.upgrade(old_dsn, told)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.counts == [(1000, many), (2000, many), (2500, many)]
    assert peak < 30_000_000
    with opened(old_dsn) as connection:
        seats = connection.execute(text("SELECT seat FROM placements ORDER BY seat")).scalars().all()
    assert seats == list(range(many))
