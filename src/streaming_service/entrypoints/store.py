"""Commands about the store itself: its schema, and what follows a restore."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from streaming_service.application.restoring import Restoring
from streaming_service.bootstrap import notifier_of, open_clock, open_store, store_dsn
from streaming_service.bootstrap.plans import convergence_policy
from streaming_service.configuration import load
from streaming_service.domain.audit import action
from streaming_service.entrypoints.terminal import cause, say
from streaming_service.errors import ConfigurationError, StoreError
from streaming_service.settings import Settings

_LINE_EVERY_S = 2.0
_FIRESTORE_INDEXES = (
    "Firestore has no schema, but indexes, which are deployed before a release that needs them starts:\n"
    "  cd infra/firestore && firebase deploy --only firestore:indexes --project {project}\n"
    "A process that starts says when one is missing."
)


def migrate_store(env_file: Path) -> None:
    """Upgrade the configured database to this release's schema, and say how that goes."""
    from streaming_service.adapters.store import migrate

    settings = _with_schema(env_file)
    if settings is None:
        return
    with _told() as told:
        migrate.upgrade(store_dsn(settings), told)
    say(f"the {settings.channel_repository_backend} schema is up to date")


def show_status(env_file: Path) -> None:
    """The revision, and what is missing."""
    from streaming_service.adapters.store import migrate, schema

    settings = _with_schema(env_file)
    if settings is None:
        return
    dsn = store_dsn(settings)
    found = migrate.current(dsn)
    say(f"{settings.channel_repository_backend}: {f'revision {found}' if found else 'no tables yet'}")
    say(f"this release works with {schema.OLDEST} and newer, and knows up to {schema.HEAD}")
    missing = migrate.pending(dsn)
    for revision, title in missing:
        say(f"to be applied: {revision} {title}")
    say("run `streaming-service db migrate`" if missing else "nothing to do")


def refuse_downgrade(env_file: Path) -> None:
    """Raises StoreError: there is no way back, and why."""
    from streaming_service.adapters.store import migrate

    if _with_schema(env_file):
        raise StoreError(migrate.NO_WAY_BACK)


async def tell_restored(env_file: Path) -> None:
    """Every channel gets fresh names and is looked at again. Safe to repeat."""
    settings = load(env_file=env_file, roles=["store"])
    drain_after = timedelta(seconds=convergence_policy(settings).drain_after)
    with _told() as told:
        async with open_store(settings) as store:
            clock, operator = await open_clock(store), cause()
            endpoints = notifier_of(settings).endpoints
            owed = action("restored", "store:channels", operator, "the store was restored", clock.now(), endpoints)
            await store.owe(owed)
            done = await Restoring(store, clock, drain_after).run(operator, told.rows)
    say(f"{done} channels have fresh names; workers look at each of them and announce it again")


def _with_schema(env_file: Path) -> Settings | None:
    """None when there is no schema, after saying what there is instead."""
    settings = load(env_file=env_file, roles=["store"])
    if settings.channel_repository_backend == "memory":
        raise ConfigurationError(["CHANNEL_REPOSITORY_BACKEND: memory has no schema"])
    if settings.channel_repository_backend == "firestore":
        say(_FIRESTORE_INDEXES.format(project=settings.firestore_project_id))
        return None
    return settings


class _Lines:
    """Progress where nobody looks at a terminal: a line a step, and one every few seconds of a long step."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def step(self, revision: str, title: str, seconds: float) -> None:
        say(f"applied {revision} {title} ({seconds:.1f} s)")

    def rows(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._said_at >= _LINE_EVERY_S:
            self._said_at = now
            say(f"  {done} of {total} channels")


class _Bar(_Lines):
    """The same in a terminal."""

    def __init__(self, bars: Progress) -> None:
        super().__init__()
        self._bars = bars
        self._task: TaskID | None = None

    def step(self, revision: str, title: str, seconds: float) -> None:
        self._bars.console.print(f"applied {revision} {title} ({seconds:.1f} s)")

    def rows(self, done: int, total: int) -> None:
        if self._task is None:
            self._task = self._bars.add_task("channels", total=total)
        self._bars.update(self._task, completed=done)


@contextmanager
def _told() -> Generator[_Lines]:
    console = Console()
    if not console.is_terminal:
        yield _Lines()
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as bars:
        yield _Bar(bars)
