"""One process at a time."""

from datetime import timedelta

import pytest

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.election import Election
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio


class Counted(MemoryStore):
    asked = 0

    async def acquire(self, *args: object, **kwargs: object) -> bool:
        self.asked += 1
        return await super().acquire(*args, **kwargs)  # type: ignore[arg-type]


async def test_one_wins_for_as_long_as_it_asks_and_another_takes_over_when_its_term_ends() -> None:
    store, clock = Counted(), FakeClock()
    first, second = (Election(store, "purges", name, clock=clock, term=timedelta(seconds=15)) for name in "ab")
    for _ in range(20):
        assert (await first.won(), await second.won()) == (True, False)
        clock.advance(1)
    assert store.asked == 8
    clock.advance(15)
    assert (await second.won(), await first.won()) == (True, False)
