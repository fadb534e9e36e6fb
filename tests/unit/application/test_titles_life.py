"""Whatever is heard, missed or late: nothing that counts is older than a second."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.contract.store.builders import content_id
from tests.unit.application.shelf import Shelf, changes_of

_NUMBERS = strategies.sampled_from((1, 2, 3))


class TitlesLife(RuleBasedStateMachine):
    """`_history` is the truth: since when a content has been changed how often."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._shelf = Shelf(1, 2, 3)
        self._titles = self._shelf.titles()
        self._history = {number: [(0.0, 1)] for number in (1, 2, 3)}
        self._since: float | None = 0.0
        self._unheard = set[str]()

    def teardown(self) -> None:
        self._let_go()
        self._loop.close()

    @rule(number=_NUMBERS)
    def change(self, number: int) -> None:
        self._shelf.change(number)
        self._history[number].append((self._shelf.now, self._history[number][-1][1] + 1))
        if self._since is not None:
            self._unheard.add(content_id(number))

    @rule()
    @precondition(lambda self: self._since is None)
    def listen(self) -> None:
        self._since = self._shelf.now

    @rule()
    @precondition(lambda self: self._since is not None)
    def hear(self) -> None:
        self._titles.hear(self._unheard, since=self._since or 0.0, until=self._shelf.now)
        self._unheard = set()

    @rule()
    def go_deaf(self) -> None:
        self._since = None
        self._unheard = set()

    @rule(seconds=strategies.sampled_from((0.1, 0.85, 0.95, 1.0, 400.0)), attentive=strategies.booleans())
    def pass_time(self, seconds: float, *, attentive: bool) -> None:
        self._shelf.now += seconds
        if attentive and self._since is not None:
            self.hear()

    @rule(number=_NUMBERS, late=strategies.booleans())
    @precondition(lambda self: self._shelf.held is None)
    def change_while_it_is_read(self, number: int, *, late: bool) -> None:
        self.hold(late=late)
        self.ask_a_slow_store(number)
        self.change(number)
        if self._since is not None:
            self.hear()
        self._let_go()

    @rule(number=_NUMBERS)
    def forget(self, number: int) -> None:
        self._titles.forget(content_id(number))

    @rule(number=_NUMBERS)
    @precondition(lambda self: self._shelf.held is None)
    def ask(self, number: int) -> None:
        title = self._run(self._titles.get(content_id(number)))
        self._check(number, changes_of(title))

    @rule(late=strategies.booleans())
    @precondition(lambda self: self._shelf.held is None)
    def hold(self, *, late: bool) -> None:
        self._shelf.held, self._shelf.late = asyncio.Event(), late

    @rule(number=_NUMBERS)
    @precondition(lambda self: self._shelf.held is not None)
    def ask_a_slow_store(self, number: int) -> None:
        self._loop.create_task(self._titles.get(content_id(number)))
        self._turn()

    @rule()
    @precondition(lambda self: self._shelf.held is not None)
    def let_go(self) -> None:
        self._let_go()

    @invariant()
    def nothing_counts_that_is_older_than_a_second(self) -> None:
        for number in (1, 2, 3):
            title = self._run(self._at_once(number))
            if title is not None:
                self._check(number, title)

    async def _at_once(self, number: int) -> int | None:
        return changes_of(self._titles.at_once(content_id(number)))

    def _check(self, number: int, said: int | None) -> None:
        until = [moment for moment, changes in self._history[number] if changes == (said or 0) + 1]
        assert said is not None
        assert not until or self._shelf.now - until[0] <= 1.0, f"{number}: change {said} ended at {until}"

    def _let_go(self) -> None:
        if self._shelf.held:
            self._shelf.held.set()
            self._shelf.held, self._shelf.late = None, False
        while pending := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(pending))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def _turn(self) -> None:
        for _ in range(4):  # until the question has reached the store
            self._run(asyncio.sleep(0))


TitlesLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_titles_life = TitlesLife.TestCase
