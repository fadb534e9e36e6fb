"""Taking requests in, without a server."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from streaming_service.entrypoints.http.dispatcher import Dispatcher

pytestmark = pytest.mark.anyio

current: ContextVar[str] = ContextVar("current", default="none")


class Request:
    """A watcher that notes that it was told."""

    def __init__(self, name: str) -> None:
        self.scope: Any = name
        self.proto: Any = None
        self.told = asyncio.Event()

    def done(self) -> None:
        assert not self.told.is_set()
        self.told.set()


class App:
    """Answers by a function of the request's name."""

    def __init__(self, respond: Callable[[str], Coroutine[Any, Any, None]], *, alone: bool = True) -> None:
        self._respond = respond
        self._alone = alone

    def answer(self, scope: Any, _: Any) -> tuple[Coroutine[Any, Any, None], bool]:
        return self._respond(scope), self._alone


def dispatcher(respond: Callable[[str], Coroutine[Any, Any, None]], *, alone: bool = True) -> Dispatcher:
    app: Any = App(respond, alone=alone)
    return Dispatcher(asyncio.get_running_loop(), app)


async def arrive(made: Dispatcher, *requests: Request) -> None:
    """As from Granian's thread."""
    await asyncio.to_thread(lambda: [made.arrive(request) for request in requests])


@pytest.mark.parametrize("alone", [True, False])
async def test_what_waits_for_nothing_is_answered_at_once(alone: bool) -> None:
    async def respond(_: str) -> None: ...

    made, requests = dispatcher(respond, alone=alone), [Request(str(number)) for number in range(50)]
    await arrive(made, *requests)
    async with asyncio.timeout(1):
        await asyncio.gather(*(request.told.wait() for request in requests))
    assert not made.tasks


async def test_a_request_that_waits_gives_others_their_turn_and_goes_on() -> None:
    let = asyncio.get_running_loop().create_future()
    steps: list[str] = []

    async def respond(name: str) -> None:
        steps.append(f"{name} begins")
        if name == "slow":
            await asyncio.sleep(0)
            steps.append(await let)
            await asyncio.sleep(0)
        steps.append(f"{name} ends")

    made, slow, quick = dispatcher(respond), Request("slow"), Request("quick")
    await arrive(made, slow, quick)
    await asyncio.wait_for(quick.told.wait(), 1)
    assert not slow.told.is_set()
    let.set_result("let")
    await asyncio.wait_for(slow.told.wait(), 1)
    assert steps == ["slow begins", "quick begins", "quick ends", "let", "slow ends"]


async def test_each_request_keeps_its_own_context() -> None:
    seen: dict[str, str] = {}

    async def respond(name: str) -> None:
        current.set(name)
        await asyncio.sleep(0.01)
        seen[name] = current.get()

    made, requests = dispatcher(respond), [Request("a"), Request("b")]
    await arrive(made, *requests)
    await asyncio.gather(*(request.told.wait() for request in requests))
    assert seen == {"a": "a", "b": "b"}
    assert current.get() == "none"


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("waits", [True, False])
async def test_a_fault_is_told_to_the_connection(alone: bool, waits: bool) -> None:
    async def respond(_: str) -> None:
        if waits:
            await asyncio.sleep(0)
        raise ValueError("broken on purpose")

    made, request = dispatcher(respond, alone=alone), Request("x")
    await arrive(made, request)
    await asyncio.wait_for(request.told.wait(), 1)


@pytest.mark.parametrize("alone", [True, False])
async def test_a_cancelled_request_hears_of_it(alone: bool) -> None:
    heard: list[str] = []

    async def respond(name: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append(name)
            raise

    made, request = dispatcher(respond, alone=alone), Request("x")
    await arrive(made, request)
    await asyncio.sleep(0.01)
    (task,) = made.tasks
    task.cancel()
    await asyncio.wait_for(request.told.wait(), 1)
    await asyncio.gather(task, return_exceptions=True)
    assert heard == ["x"]
    assert task.cancelled()


async def test_a_closed_loop_is_no_error_in_granians_thread() -> None:
    async def respond(_: str) -> None: ...

    other = asyncio.new_event_loop()
    other.close()
    app: Any = App(respond)
    await asyncio.to_thread(Dispatcher(other, app).arrive, Request("late"))
