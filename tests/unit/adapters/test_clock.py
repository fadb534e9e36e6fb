from datetime import UTC, datetime, timedelta

import pytest

from streaming_service.adapters.clock import SharedClock
from tests.fakes import NOW

pytestmark = pytest.mark.anyio


class Machine:
    """A machine whose wall clock is wrong by `wrong` seconds, and a store that answers after `slow` seconds."""

    def __init__(self, wrong: float = 0.0, slow: float = 0.0) -> None:
        self.real = NOW
        self.wrong = wrong
        self.slow = slow
        self.answers = True

    def pass_time(self, seconds: float) -> None:
        self.real += timedelta(seconds=seconds)

    async def ask(self) -> datetime | None:
        if not self.answers:
            return None
        self.pass_time(self.slow / 2)
        answer = self.real
        self.pass_time(self.slow / 2)
        return answer

    def clock(self) -> SharedClock:
        return SharedClock(self.ask, wall=lambda: self.real.timestamp() + self.wrong, running=self.running)

    def running(self) -> float:
        return (self.real - NOW).total_seconds()


def off(machine: Machine, clock: SharedClock) -> float:
    return (clock.now() - machine.real).total_seconds()


@pytest.mark.parametrize("wrong", [-300.0, 0.0, 300.0])
async def test_it_is_the_stores_time_whatever_the_machine_says(wrong: float):
    machine = Machine(wrong, slow=0.2)
    clock = machine.clock()

    await clock.compare()
    machine.pass_time(60)

    assert off(machine, clock) == pytest.approx(0, abs=1e-6)
    assert clock.now().tzinfo is UTC
    assert clock.time() == pytest.approx(machine.real.timestamp(), abs=1e-6)


async def test_a_step_of_the_wall_clock_changes_nothing():
    machine = Machine()
    clock = machine.clock()
    await clock.compare()

    machine.wrong = 3600.0

    assert off(machine, clock) == pytest.approx(0, abs=1e-6)


async def test_a_slow_answer_does_not_make_a_good_clock_worse():
    machine = Machine(wrong=300.0)
    clock = machine.clock()
    await clock.compare()

    machine.slow = 9.0
    await clock.compare()

    assert off(machine, clock) == pytest.approx(0, abs=1e-6)


async def test_a_store_whose_clock_was_set_is_followed():
    machine = Machine()
    clock = machine.clock()
    await clock.compare()

    ahead = machine.real + timedelta(seconds=30)

    async def ask() -> datetime | None:
        return ahead

    clock._ask = ask
    await clock.compare()

    assert off(machine, clock) == pytest.approx(30, abs=1e-6)


async def test_without_a_clock_of_the_store_it_is_the_machines():
    machine = Machine(wrong=5.0)
    machine.answers = False
    clock = machine.clock()

    await clock.compare()

    assert off(machine, clock) == pytest.approx(5, abs=1e-6)
