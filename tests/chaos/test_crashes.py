"""The quick form of the crash matrix: one scenario, in sqlite. The whole of it is `make chaos`."""

import random
from pathlib import Path

import pytest

from chaos.matrix import Matrix, chosen, open_stores
from chaos.run import preload
from chaos.scenarios import SCENARIOS

pytestmark = pytest.mark.anyio

SEED = 4  # of the moments at which it is killed


async def test_a_worker_killed_at_any_moment_ends_as_one_that_was_not(tmp_path: Path) -> None:
    preload()
    scenario = next(item for item in SCENARIOS if item.name == "replay")
    async with open_stores(tmp_path, ["sqlite"]) as stores:
        matrix = Matrix(tmp_path, stores, side_by_side=4)
        case = await matrix.undisturbed(scenario, "sqlite")
        for moment in chosen(len(case.moments), True, random.Random(SEED)):
            verdict = await matrix.killed(case, moment)
            assert not verdict.problems, (moment, verdict.killed_at, verdict.problems)
