"""How long a process answers from before a change that another one made, with all well and with its feed cut off."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import uvloop
from msgspec.structs import replace

from bench.catalogue_rows import fill
from bench.figures import Figure, median, note
from bench.manifest_server import SETTINGS, content_id
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.title import ManifestPolicy, Title
from streaming_service.application.title_watch import TitleWatch
from streaming_service.application.titles import Titles
from streaming_service.bootstrap.plans import spec_policy
from streaming_service.configuration import load
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause

_CONTENTS = 20
_POLICIES = (ManifestPolicy("private", 300, failover=False),)
_CAUSE = Cause("bench", "bench")
_CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND (query LIKE 'LISTEN%' OR query = 'SELECT pg_backend_pid()')"
)


def measure(changes: int) -> list[Figure]:
    """The slowest of so many retirements on each store, in seconds from the moment that its writer knows of it."""
    with TemporaryDirectory() as folder, EmbeddedPostgres() as postgres:
        sqlite, server = str(Path(folder, "following.sqlite")), postgres.create_database("following")
        return uvloop.run(_measure({"sqlite": sqlite, "postgres": server}, changes))


async def _measure(addresses: dict[str, str], changes: int) -> list[Figure]:
    figures: list[Figure] = []
    for kind, address in addresses.items():
        await asyncio.to_thread(upgrade, address)
        await asyncio.to_thread(fill, address, spec_policy(load(SETTINGS, env_file=None)), _CONTENTS)
        figures.append(_figure(f"following_seconds_{kind}", await _seconds(address, changes, cut=False)))
    figures.append(
        _figure("following_cut_off_seconds_postgres", await _seconds(addresses["postgres"], changes, cut=True))
    )
    return figures


def _figure(name: str, seconds: list[float]) -> Figure:
    note(f"{name}: median {median(seconds):.3f} s of {len(seconds)}")
    return Figure(name, max(seconds), 1.0, at_least=False)


async def _seconds(address: str, changes: int, *, cut: bool) -> list[float]:
    writer, chance = await SqlStore.open(address), random.Random(7)
    async with _followed(address) as titles:
        cutting = asyncio.create_task(_cut_off(address)) if cut else None
        found = [await _until_followed(writer, titles, content_id(n % _CONTENTS), chance) for n in range(changes)]
        if cutting:
            cutting.cancel()
            await asyncio.gather(cutting, return_exceptions=True)
    await writer.close()
    return found


async def _until_followed(writer: SqlStore, titles: Titles, identity: str, chance: random.Random) -> float:
    """Viewers ask all the time."""
    asking = asyncio.create_task(_ask(titles, identity))
    await asyncio.sleep(chance.uniform(0.1, 0.6))
    channel = await writer.get(identity)
    if channel is None:
        raise RuntimeError(f"content {identity} is gone")
    wanted = f"https://{chance.getrandbits(64):x}.example"
    await writer.commit(change(_moved(channel, wanted), "moved", _CAUSE), None)
    written = time.perf_counter()
    while True:
        title = titles.at_once(identity)
        if title is not None and title.facts.base_url == wanted:
            break
        await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return time.perf_counter() - written


async def _ask(titles: Titles, identity: str) -> None:
    while True:
        await titles.get(identity)
        await asyncio.sleep(0.001)


def _moved(channel: Channel, base_url: str) -> Channel:
    return replace(channel, spec=replace(channel.spec, base_url=base_url))


async def _cut_off(address: str) -> None:
    """The listening connection, again and again, also while it is being made."""
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        while True:
            await connection.execute(_CUT.encode())
            await asyncio.sleep(0.15)


@asynccontextmanager
async def _followed(address: str) -> AsyncGenerator[Titles]:
    store = await SqlStore.open(address)
    titles = Titles(
        store,
        lambda identity, facts: Title(identity, facts, ("https://cdn.example", None), _POLICIES),
        time.monotonic,
        playlist="master",
        freshness=1.0,
        patience=0.25,
        capacity=1000,
    )
    following = asyncio.create_task(TitleWatch(store, titles, time.monotonic).follow())
    try:
        yield titles
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await store.close()
