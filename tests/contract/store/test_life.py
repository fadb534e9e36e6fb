"""A random life, told in every order, over every store. `STREAMING_EXAMPLES=2000` looks longer."""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streaming_service.adapters.store.firestore.database import FirestoreDatabase
from streaming_service.adapters.store.firestore.store import FirestoreStore
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.application.ports import Store
from tests.contract.store.conftest import FIRESTORE, POSTGRES, empty_dsn
from tests.contract.store.life import BEFALLS, CONTENTS, Life

EXAMPLES = int(os.environ.get("STREAMING_EXAMPLES", "0"))
# Examples in every run; the stores that write to disk take longer for each, and Firestore's emulator longest.
USUAL = {"memory": 100, "sqlite": 25, "postgres": 10, "firestore": 8}
STEPS = 40

numbers = st.sampled_from(CONTENTS)
checksums = st.sampled_from(["a", "b", "c"])
calls = st.integers(0, 8)


class Lives(RuleBasedStateMachine):
    """Rules are what may happen, the invariants are the account's."""

    kind = "memory"
    request: pytest.FixtureRequest
    folder: Path
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.life: Life | None = None

    @initialize(publishing=st.booleans())
    def begin(self, publishing: bool) -> None:
        self.life = Life(self.run_now(self.open()), publishing=publishing)

    async def open(self) -> Store:
        if self.kind == "memory":
            return MemoryStore()
        if self.kind == "firestore":
            return FirestoreStore(FirestoreDatabase(f"life-{uuid4().hex}", "(default)"))
        return await SqlStore.open(empty_dsn(self.kind, self.request, self.folder))

    def run_now(self, job: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(job)

    @property
    def alive(self) -> Life:
        assert self.life
        return self.life

    @rule(number=numbers, checksum=checksums)
    def say_and_deliver(self, number: int, checksum: str) -> None:
        self.alive.say(number, checksum)
        self.run_now(self.alive.deliver(-1))

    @rule(number=numbers, checksum=checksums)
    def say(self, number: int, checksum: str) -> None:
        self.alive.say(number, checksum)

    @precondition(lambda self: bool(self.life and self.life.said))
    @rule(which=st.integers(0, 99))
    def deliver_late_or_twice(self, which: int) -> None:
        self.run_now(self.alive.deliver(which))

    @precondition(lambda self: bool(self.life and self.life.said))
    @rule(which=st.integers(0, 99), calls=st.integers(0, 2), after=st.booleans())
    def die_while_delivering(self, which: int, calls: int, after: bool) -> None:
        self.alive.die_soon(calls, after=after)
        self.run_now(self.alive.deliver(which))
        self.alive.world.faults.clear()

    @rule(data=st.binary(max_size=8).map(lambda data: b"{" + data + b"\xff"))
    def deliver_nonsense(self, data: bytes) -> None:
        self.run_now(self.alive.deliver_nonsense(data))

    @rule(number=numbers)
    def retire(self, number: int) -> None:
        self.run_now(self.alive.retire(number))

    @rule(number=numbers)
    def replay(self, number: int) -> None:
        self.run_now(self.alive.replay(number))

    @rule(number=numbers)
    def rotate(self, number: int) -> None:
        self.run_now(self.alive.rotate(number))

    @rule(number=numbers, incarnation=st.integers(1, 4))
    def late_webhook(self, number: int, incarnation: int) -> None:
        self.run_now(self.alive.late_webhook(number, incarnation))

    @rule(turns=st.integers(1, 6))
    def work(self, turns: int) -> None:
        self.run_now(self.alive.work(turns))

    @precondition(lambda self: bool(self.life and self.life.said))
    @rule(number=numbers, what=st.sampled_from(["deliver", "retire", "replay"]))
    def work_meanwhile(self, number: int, what: str) -> None:
        self.run_now(self.alive.work_meanwhile(number, what))

    @rule(calls=calls, after=st.booleans())
    def die_at_work(self, calls: int, after: bool) -> None:
        self.run_now(self.alive.die_at_work(calls, after=after))

    @rule()
    def claim_and_vanish(self) -> None:
        self.run_now(self.alive.claim_and_vanish())

    @precondition(lambda self: bool(self.life and self.life.stale))
    @rule()
    def come_back(self) -> None:
        self.run_now(self.alive.come_back())

    @rule()
    def reconcile(self) -> None:
        self.run_now(self.alive.reconcile())

    @rule(origin=st.integers(0, 1), what=st.sampled_from(BEFALLS))
    def befall(self, origin: int, what: str) -> None:
        self.alive.befall(origin, what)

    @rule(number=numbers, checksum=checksums, lost=st.booleans())
    def lose_file(self, number: int, checksum: str, lost: bool) -> None:
        self.alive.lose_file(number, checksum, lost=lost)

    @rule(seconds=st.sampled_from([1.0, 3.0, 31.0, 301.0, 3700.0]))
    def pass_time(self, seconds: float) -> None:
        self.alive.clock.advance(seconds)

    @invariant()
    def account(self) -> None:
        if self.life:
            self.run_now(self.life.check())

    def teardown(self) -> None:
        try:
            if self.life:
                self.run_now(self.life.end_well())
        finally:
            if self.life:
                self.run_now(self.life.real.close())


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all lives: gRPC's poller may hear of a call that is over when its store is closed already."""
    with asyncio.Runner() as runner:
        yield runner
        runner.run(asyncio.sleep(0.2))


@pytest.mark.parametrize("kind", ["memory", "sqlite", POSTGRES, FIRESTORE])
def test_whatever_happens_the_account_is_right(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
):
    if kind == "firestore":
        for name, value in request.getfixturevalue("shared_firestore").environment.items():
            monkeypatch.setenv(name, value)
    place = {"kind": kind, "request": request, "folder": tmp_path, "runner": runner}
    machine = type("LivesOver" + kind.title(), (Lives,), place)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES or USUAL[kind],
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
            derandomize=not EXAMPLES,
            database=None,
        ),
    )


@pytest.mark.anyio
@pytest.mark.parametrize("what", ["deliver", "retire", "replay"])
async def test_what_is_wished_just_as_a_worker_lets_go_is_done(store: Store, what: str):
    """What the machine found to be the rarest meeting, in every run and over every store."""
    life = Life(store, publishing=False)
    life.say(1, "a")
    await life.deliver(-1)
    if what == "deliver":
        life.say(1, "b")
    await life.work_meanwhile(1, what)
    await life.check()
    await life.end_well()
