"""`make chaos`: the crash matrix. Exit 0 only when every killed run came to the end of an undisturbed one.

`--quick` kills at every seventh moment, `--seed` repeats its choice; `--only` and `--store` restrict it.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import Figure, note, report
from chaos.matrix import Case, Matrix, Row, chosen, open_stores
from chaos.run import Broken, preload
from chaos.scenarios import SCENARIOS, Scenario
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.telemetry import configure_logging

_STORES = ("sqlite", "postgres")
_SIDE_BY_SIDE = 4 * (os.cpu_count() or 1)  # more would measure how slow a starved process is, not how it recovers
_TOLD = 5  # problems of a row that are printed


def main() -> int:
    options = _options()
    configure_logging("error")
    preload()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    note(f"seed {seed}: repeat it with --seed {seed}")
    scenarios = [item for item in SCENARIOS if options.only in {None, item.name}]
    stores = [options.store] if options.store else list(_STORES)
    try:
        with TemporaryDirectory(prefix="chaos-", dir=_memory()) as folder:
            rows = uvloop.run(
                _fill(
                    Path(folder), scenarios, stores, quick=options.quick, seed=seed, side_by_side=options.side_by_side
                )
            )
    except (Broken, ComponentMissing) as problem:
        print(problem, file=sys.stderr)
        return 2
    figures = _tell(rows)
    return 0 if all(figure.met for figure in figures) else 1


def _memory() -> str | None:
    """Many small databases that sync each commit are slow on a disk, and no power fails here."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own is made in it


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every seventh moment")
    parser.add_argument("--seed", type=int, help="of the choice that --quick makes")
    parser.add_argument("--only", choices=[item.name for item in SCENARIOS])
    parser.add_argument("--store", choices=_STORES)
    parser.add_argument("--side-by-side", type=int, default=_SIDE_BY_SIDE, help="runs at a time")
    return parser.parse_args()


async def _fill(
    folder: Path, scenarios: list[Scenario], stores: Sequence[str], *, quick: bool, seed: int, side_by_side: int
) -> list[Row]:
    rng = random.Random(seed)
    async with open_stores(folder, stores) as makers:
        matrix = Matrix(folder, makers, side_by_side=side_by_side)
        cases = await asyncio.gather(*(matrix.undisturbed(item, store) for item in scenarios for store in stores))
        plan = [(case, chosen(len(case.moments), quick, rng)) for case in cases]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("killing", total=sum(len(moments) for _, moments in plan))

            async def row(case: Case, moments: list[int]) -> Row:
                made = Row(case, time.monotonic())

                async def one(moment: int) -> None:
                    made.add(await matrix.killed(case, moment))
                    progress.advance(task)

                await asyncio.gather(*map(one, moments))
                return made

            return list(await asyncio.gather(*(row(case, list(moments)) for case, moments in plan)))


def _tell(rows: list[Row]) -> list[Figure]:
    table = Table("scenario", "store", "moments", "kills", "converged", "slowest recovery, s")
    figures: list[Figure] = []
    for row in rows:
        case, total = row.case, len(row.verdicts)
        killed = sum(bool(verdict.killed_at) for verdict in row.verdicts)
        good = total - len(row.failed)
        table.add_row(
            case.scenario.name, case.store, *map(str, (len(case.moments), killed, good)), f"{row.slowest:.1f}"
        )
        figures.append(Figure(f"chaos_{case.scenario.name.replace('-', '_')}_{case.store}", good, total, at_least=True))
    Console(width=int(os.environ.get("COLUMNS", "110"))).print(table)
    for row in rows:
        for verdict in row.failed[:_TOLD]:
            moment = f"{verdict.moment} ({verdict.killed_at or 'never reached'})"
            note(f"{row.case.scenario.name} on {row.case.store}, killed at {moment}: {'; '.join(verdict.problems)}")
    report(figures)
    return figures


if __name__ == "__main__":
    sys.exit(main())
