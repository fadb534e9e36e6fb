"""What docs/backup.md says, done: a backup that is older than what OME, the bucket and the platform have seen since."""

import shutil
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import ChannelQuery
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.state import Status
from tests.acceptance.harness import running
from tests.conftest import require_component
from tests.fakes import NOW
from tests.stores import Watched
from tests.unit.application.world import World, request

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres()
    try:
        server.__enter__()
    except ComponentMissing as error:
        require_component(False, "Postgres", str(error))
    yield server
    server.__exit__(None, None, None)


class SqliteBackups:
    def __init__(self, folder: Path) -> None:
        self.dsn = str(folder / "store.sqlite")
        self.env = {"SQLITE_PATH": self.dsn}
        self._copy = folder / "backup.sqlite"

    def back_up(self) -> None:
        connection = sqlite3.connect(self.dsn)
        connection.execute("VACUUM INTO ?", (str(self._copy),))
        connection.close()

    def restore(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(self.dsn + suffix).unlink(missing_ok=True)
        shutil.copy(self._copy, self.dsn)


class PostgresBackups:
    def __init__(self, folder: Path, server: EmbeddedPostgres) -> None:
        self.dsn = server.create_database(f"backup-{uuid4().hex[:8]}")
        self.env = {"CHANNEL_REPOSITORY_BACKEND": "postgres", "POSTGRES_DSN": self.dsn}
        self._dump = folder / "streaming.dump"
        self._bin = server._bin

    def back_up(self) -> None:
        self._run("pg_dump", "--format=custom", f"--file={self._dump}", self.dsn)

    def restore(self) -> None:
        self._run("pg_restore", "--clean", "--if-exists", f"--dbname={self.dsn}", str(self._dump))

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run([str(self._bin / command), *arguments], check=True, timeout=60)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backups(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteBackups | PostgresBackups:
    made = (
        SqliteBackups(tmp_path)
        if request.param == "sqlite"
        else PostgresBackups(tmp_path, request.getfixturevalue("postgres_server"))
    )
    upgrade(made.dsn)
    return made


async def run_command(*arguments: str, env: Mapping[str, str], cwd: Path) -> list[str]:
    async with running(*arguments, env={"APP_ENV": "production", **env}, cwd=cwd) as process:
        assert await process.child.wait() == 0, process.lines
        await process._reader
    return process.lines


def same_world(before: World, store: SqlStore) -> World:
    """Other processes: the same OME and the same bucket, over what the store knows now."""
    world = World(store=Watched(store).fragile(), publishing=True)
    world.clock.moment = datetime.now(UTC).replace(microsecond=0)
    world.fleet.origins = before.fleet.origins
    world.bucket.origins, world.bucket.removed = before.origins, before.bucket.removed
    for origin in before.origins:
        origin.clock, origin.faults = world.clock, world.faults
    world.origins = before.origins
    return world


async def test_everything_plays_again_and_no_name_is_used_twice(
    backups: SqliteBackups | PostgresBackups, tmp_path: Path
) -> None:
    store = await SqlStore.open(backups.dsn)
    world = World(store=Watched(store).fragile(), publishing=True)
    for number in (1, 2, 4):
        await world.playing(number)
    await world.settle()
    backups.back_up()

    # The world moves on: new files, a new content, a retirement, and old copies go.
    later = NOW + timedelta(hours=1)
    for number in (1, 2, 3):
        await world.accept(request(number, "sum-2", said_at=later))
    await world.settle()
    await world.accept(request(1, "sum-3", said_at=later + timedelta(seconds=9)))
    await world.settle()
    told = {item.id for item in world.owed()}
    channels = (await store.list(ChannelQuery())).items
    watched_then = {channel.serving.copy_prefix for channel in channels if channel.serving}
    assert watched_then <= world.bucket.copies()
    await store.close()

    backups.restore()
    assert "up to date" in (await run_command("db", "migrate", env=backups.env, cwd=tmp_path))[-1]
    assert "3 channels have fresh names" in (await run_command("db", "restored", env=backups.env, cwd=tmp_path))[-1]

    store = await SqlStore.open(backups.dsn)
    again = same_world(world, store)
    for _ in range(60):
        while await again.work():
            pass
        again.clock.advance(30)
    for number in (1, 2, 4):
        channel = await again.channel(number)
        assert (channel.status, channel.spec.checksum) == (Status.READY, "sum-1"), "what the backup knew plays"
        assert channel.serving
        assert channel.serving.copy_prefix in again.bucket.copies(), "also where its copy was removed since"
    # The subscription is sent back to the time of the backup; one event of then is about other bytes now.
    for number, checksum in ((1, "sum-3"), (2, "sum-2"), (3, "sum-9")):
        await again.accept(request(number, checksum, said_at=later + timedelta(seconds=9)))
    await again.reconcile()
    await again.settle()

    for number, checksum in ((1, "sum-3"), (2, "sum-2"), (3, "sum-9"), (4, "sum-1")):
        channel = await again.channel(number)
        assert (channel.status, channel.spec.checksum) == (Status.READY, checksum)
        assert channel.serving
        assert channel.serving.checksum == checksum
    _check_names(again)
    assert watched_then <= again.bucket.copies(), "a copy that was watched is gone"
    assert not told & {item.id for item in again.owed()}, "a receiver would drop what it seems to know"
    await store.close()


def _check_names(world: World) -> None:
    media: dict[str, set[str]] = defaultdict(set)
    for origin in world.origins:
        for placement in (item for held in origin.everything_ever.values() for item in held):
            media[placement.stream].add(placement.media_path)
        assert origin.names() == [], "copies play, and nothing is left on OME"
    assert all(len(paths) == 1 for paths in media.values()), media
