"""Kill the worker at every moment of every scenario, on every store, and see whether it comes to the same end."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from shutil import copyfile
from uuid import uuid4

import psycopg
from msgspec import Struct
from psycopg.sql import SQL, Identifier

from chaos.invariants import Shape, find, shape, violations
from chaos.run import Broken, Run
from chaos.scenarios import Scenario
from chaos.world import Stores, a_world
from streaming_service.adapters.store import migrate
from streaming_service.adapters.store.tables import metadata
from streaming_service.devkit.postgres import EmbeddedPostgres
from streaming_service.errors import StreamingServiceError

_QUICK_STRIDE = 7
_CONNECTIONS = 500


class Case(Struct, frozen=True):
    """One row of the matrix, and what a run that nobody disturbed did: its end, and the moments it passed."""

    scenario: Scenario
    store: str
    shape: Shape
    moments: tuple[str, ...]


class Verdict(Struct, frozen=True):
    """What became of one run. `killed_at` is empty when it never passed so many moments, `problems` when it came to the
    same end."""

    moment: int
    killed_at: str
    recovery: float
    problems: tuple[str, ...]


class Matrix:
    """`stores` by name; `side_by_side` runs at a time, in `folder`."""

    def __init__(self, folder: Path, stores: dict[str, Stores], *, side_by_side: int) -> None:
        self._folder = folder
        self._stores = stores
        self._slots = asyncio.Semaphore(side_by_side)

    async def undisturbed(self, scenario: Scenario, store: str) -> Case:
        """Raises Broken when it does not even work when it is left alone."""
        async with self._slots:
            played = await self._play(scenario, store, None)
        if played.problems or played.shape is None:
            raise Broken(f"{scenario.name} on {store}, left alone: {'; '.join(played.problems)}")
        return Case(scenario, store, played.shape, played.moments)

    async def killed(self, case: Case, moment: int) -> Verdict:
        """One run, killed at that moment."""
        async with self._slots:
            played = await self._play(case.scenario, case.store, moment)
        problems = played.problems
        if played.shape not in {None, case.shape}:
            problems = (f"it ended as {played.shape}, not as {case.shape}", *problems)
        return Verdict(moment, played.killed_at, played.recovery, problems)

    async def _play(self, scenario: Scenario, store: str, kill_at: int | None) -> "_Played":
        folder = self._folder / uuid4().hex[:12]
        async with a_world(
            folder, self._stores[store], origins=scenario.origins, publishing=scenario.publishing
        ) as world:
            run = Run(world, kill_at)
            try:
                async with run.alive():
                    await scenario.play(run)
                    await run.settled()
                    moments = tuple(await run.tell("trace"))
                found = await find(world)
            except (Broken, StreamingServiceError) as broken:
                return _Played(run.killed_at, run.recovery, (f"{type(broken).__name__}: {broken}",))
            return _Played(run.killed_at, run.recovery, tuple(violations(world, found)), shape(found.channel), moments)


class _Played(Struct, frozen=True):
    """What became of a scenario. Without a shape it did not come to its end."""

    killed_at: str
    recovery: float
    problems: tuple[str, ...]
    shape: Shape | None = None
    moments: tuple[str, ...] = ()


def chosen(count: int, quick: bool, rng: random.Random) -> Sequence[int]:
    """The moments at which to kill: all of them, or every seventh from a random one on."""
    return range(rng.randint(1, _QUICK_STRIDE), count + 1, _QUICK_STRIDE) if quick else range(1, count + 1)


@asynccontextmanager
async def open_stores(folder: Path, names: Iterable[str]) -> AsyncGenerator[dict[str, Stores]]:
    """A maker of stores for each of `sqlite` and `postgres`; the tables are made once and copied."""
    async with AsyncExitStack() as stack:
        makers: dict[str, Stores] = {}
        if "sqlite" in names:
            makers["sqlite"] = _sqlite(folder)
        if "postgres" in names:
            postgres = await asyncio.to_thread(EmbeddedPostgres(connections=_CONNECTIONS).__enter__)
            stack.callback(postgres.__exit__, None, None, None)
            makers["postgres"] = await _postgres(postgres)
        yield makers


def _sqlite(folder: Path) -> Stores:
    template = folder / "template.sqlite"
    migrate.upgrade(str(template))

    async def make(place: Path) -> tuple[dict[str, str], Callable[[], Awaitable[None]]]:
        path = place / "store.sqlite"
        copyfile(template, path)
        return {"CHANNEL_REPOSITORY_BACKEND": "sqlite", "SQLITE_PATH": str(path)}, _nothing

    return make


async def _postgres(server: EmbeddedPostgres) -> Stores:
    """Databases are emptied and used again: making and dropping one costs more than a run."""
    template = server.create_database("chaos")
    await asyncio.to_thread(migrate.upgrade, template)
    free: list[str] = []
    one_at_a_time = asyncio.Lock()  # a template may not be copied twice at once

    async def make(place: Path) -> tuple[dict[str, str], Callable[[], Awaitable[None]]]:
        if free:
            dsn = free.pop()
        else:
            async with one_at_a_time:
                dsn = await asyncio.to_thread(server.create_database, f"chaos-{place.name}", "chaos")

        async def give_back() -> None:
            await asyncio.to_thread(_empty, dsn)
            free.append(dsn)

        return {"CHANNEL_REPOSITORY_BACKEND": "postgres", "POSTGRES_DSN": dsn}, give_back

    return make


async def _nothing() -> None:
    """A file goes with its folder."""


def _empty(dsn: str) -> None:
    tables = [Identifier(table.name) for table in metadata.sorted_tables]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("TRUNCATE {} RESTART IDENTITY").format(SQL(", ").join(tables)))


class Row:
    """One line of the matrix while it fills."""

    def __init__(self, case: Case, began: float) -> None:
        self.case = case
        self.verdicts: list[Verdict] = []
        self.began = began
        self.seconds = 0.0

    def add(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self.seconds = time.monotonic() - self.began

    @property
    def failed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.problems]

    @property
    def slowest(self) -> float:
        """Seconds from a death until everything was at rest again."""
        return max((verdict.recovery for verdict in self.verdicts), default=0.0)
