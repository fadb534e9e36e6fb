"""`python -m chaos.rolling`: every process is exchanged, one after the other, under load, and the schema meanwhile.

`--old FOLDER` is a checkout of the release that is replaced; without it the same release replaces itself. `--rounds N`,
`--quick` (one round). Exit 0 only when every figure is met.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psycopg
import uvloop

from bench.figures import Figure, note, report
from chaos.rolling_clients import Balancer, Crowd
from chaos.soak_world import Surroundings, start, surroundings, tell_tracebacks
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.devkit.emulators import ComponentMissing, free_port
from streaming_service.domain.state import Status

_CONTENTS = 10
_VIEWERS = 12
_APIS = 2
_PATIENCE = 60.0
_CLI = "streaming_service.entrypoints.cli"


class Release:
    """Starts processes of one release over the same everything; `folder` is its checkout, None: this one."""

    def __init__(self, env: Mapping[str, str], folder: Path | None, log: Path) -> None:
        """`log` takes what the processes print."""
        ours = os.pathsep.join(filter(None, sys.path))
        self._env = {**env, "PYTHONPATH": ours if folder is None else str(folder / "src")}
        self._log = log

    async def start(self, *arguments: str, port: int | None = None) -> asyncio.subprocess.Process:
        env = {**self._env, "HTTP_PORT": str(port)} if port else self._env
        with self._log.open("ab") as output:
            return await start(env, _CLI, *arguments, stdout=output, stderr=output)

    def said(self) -> str:
        """The last that was printed."""
        return self._log.read_text(errors="replace")[-1000:]

    async def migrate(self) -> None:
        """Raises RuntimeError when it does not work."""
        process = await self.start("db", "migrate")
        if await process.wait():
            raise RuntimeError(f"db migrate ended with {process.returncode}: {self.said()}")


class Installation:
    """Two APIs and a worker."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.processes: list[tuple[str | None, asyncio.subprocess.Process]] = []
        self.codes: list[int] = []

    async def add_api(self, release: Release) -> None:
        """Returns when the balancer sends it requests. Raises TimeoutError, or RuntimeError when it does not start."""
        port = free_port()
        target = f"http://127.0.0.1:{port}"
        process = await release.start("serve", port=port)
        self.processes.append((target, process))
        self.balancer.targets.add(target)
        async with asyncio.timeout(_PATIENCE):
            while target not in self.balancer.ready:
                if process.returncode is not None:
                    raise RuntimeError(f"an API ended with {process.returncode}: {release.said()}")
                await asyncio.sleep(0.05)

    async def add_worker(self, release: Release) -> None:
        self.processes.append((None, await release.start("worker")))

    async def install(self, release: Release) -> None:
        """All of them, for the first time."""
        for _ in range(_APIS):
            await self.add_api(release)
        await self.add_worker(release)

    async def exchange(self, release: Release) -> None:
        """Each for one of this release, the new one first."""
        for _ in range(_APIS):
            await self.add_api(release)
            await self.remove_oldest()
        await self.add_worker(release)
        await self.remove_oldest()

    async def remove_oldest(self) -> None:
        """As an orchestrator does: it is told to stop, and the balancer finds out by itself."""
        target, process = self.processes.pop(0)
        process.terminate()
        async with asyncio.timeout(_PATIENCE):
            self.codes.append(await process.wait())
        if target:
            self.balancer.targets.discard(target)

    async def end(self) -> None:
        for _, process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def measure(folder: Path, rounds: int, old: Path | None = None) -> list[Figure]:
    """Raises ComponentMissing, or TimeoutError when something does not get ready."""
    log = folder / "processes.log"
    async with (
        surroundings(folder) as around,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        env = {**around.env, "EVENT_SOURCE": "push", "POSTGRES_DSN": _own_database(around)}
        before, after = Release(env, old, log), Release(env, None, log)
        await before.migrate()
        balancer = Balancer(session)
        installation, crowd = Installation(balancer), Crowd(session, balancer)
        looking = asyncio.create_task(balancer.look())
        try:
            await installation.install(before)
            async with loaded(crowd):
                await after.migrate()
                for _ in range(rounds):
                    await installation.exchange(after)
            figures = await counted("rolling", crowd, installation, env["POSTGRES_DSN"])
        finally:
            looking.cancel()
            await installation.end()
            tell_tracebacks(log)
        return figures


def _own_database(around: Surroundings) -> str:
    """An empty one, so that its first schema is the old release's."""
    with psycopg.connect(around.dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE rolling")
    return around.env["POSTGRES_DSN"].rpartition("/")[0] + "/rolling"


@asynccontextmanager
async def loaded(crowd: Crowd) -> AsyncGenerator[None]:
    """Viewers and a sender of uploads go on while the context is open."""
    contents = await _shown(crowd)
    load = [asyncio.create_task(crowd.view(contents, number)) for number in range(_VIEWERS)]
    load.append(asyncio.create_task(crowd.upload()))
    await asyncio.sleep(1)
    try:
        yield
        await asyncio.sleep(1)
    finally:
        crowd.stopped = True
        await asyncio.gather(*load)


async def _shown(crowd: Crowd) -> list[str]:
    """Contents that play. Raises TimeoutError."""
    for number in range(_CONTENTS):
        await crowd.register(f"00000000-0000-4000-8000-{number:012}")
    async with asyncio.timeout(_PATIENCE):
        for content_id in crowd.accepted:
            while await crowd.manifest(content_id, 0, {200, 409}) != 200:
                await asyncio.sleep(0.05)
    return crowd.accepted[:_CONTENTS]


async def counted(name: str, crowd: Crowd, installation: Installation, dsn: str) -> list[Figure]:
    """What came of it, once every upload that was accepted has had a minute."""
    store = await SqlStore.open(dsn)
    waiting = set(crowd.accepted)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while waiting := {item for item in waiting if not await _plays(store, item)}:
                await asyncio.sleep(0.2)
    await store.close()
    note(f"answers: {dict(sorted(crowd.answers.items()))}")
    return [
        Figure(f"{name}_requests_answered", crowd.answers["manifest 200"], 1000, at_least=True),
        Figure(f"{name}_requests_failed", crowd.failed, 0, at_least=False),
        Figure(f"{name}_uploads_accepted", len(crowd.accepted), _CONTENTS + 5, at_least=True),
        Figure(f"{name}_uploads_not_playing", len(waiting), 0, at_least=False),
        Figure(f"{name}_processes_ended_badly", sum(map(bool, installation.codes)), 0, at_least=False),
    ]


async def _plays(store: SqlStore, content_id: str) -> bool:
    channel = await store.get(content_id)
    return channel is not None and channel.status is Status.READY


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.rolling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--old", type=Path, help="a checkout of the release that is replaced")
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="rolling-") as folder:
            figures = uvloop.run(measure(Path(folder), 1 if options.quick else options.rounds, options.old))
    except (ComponentMissing, TimeoutError, RuntimeError) as problem:
        print(str(problem) or "something did not get ready", file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
