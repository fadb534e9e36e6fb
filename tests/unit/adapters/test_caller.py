"""Retries, context headers and the breaker, against real servers and a clock that only tests move."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import pytest
from aiohttp import web

from streaming_service.adapters.breaker import Breaker, BreakerState
from streaming_service.adapters.caller import ResilientCaller, with_context
from streaming_service.adapters.http import Request, Response, Transport
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.errors import UpstreamUnavailable
from tests.unit.adapters.servers import ManualClock, Serve

pytestmark = pytest.mark.anyio


class Script:
    """A service that answers statuses in turn, the last one for ever; remembers what it was asked."""

    def __init__(self, *answers: int | tuple[int, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.requests: list[web.Request] = []

    async def __call__(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=headers)


class Unreachable:
    """A transport without a network; counts what it was asked and the timeouts it was given."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    async def send(self, request: Request) -> Response:
        self.timeouts.append(request.timeout)
        raise UpstreamUnavailable("host:1", "cannot be reached")


class Hanging:
    """A transport whose answers never come."""

    async def send(self, request: Request) -> Response:
        return await asyncio.Event().wait()  # pyright: ignore[reportReturnType]


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker("auth", clock.monotonic, failures=5, open_seconds=10)


class Make(Protocol):
    def __call__(
        self,
        carrier: Transport | None = None,
        *,
        context: Mapping[str, str] | None = None,
        patience: float = 8.0,
        tolerated: frozenset[int] = frozenset(),
    ) -> ResilientCaller: ...


@pytest.fixture
def make(transport: AiohttpTransport, clock: ManualClock, breaker: Breaker) -> Make:
    def _make(
        carrier: Transport | None = None,
        *,
        context: Mapping[str, str] | None = None,
        patience: float = 8.0,
        tolerated: frozenset[int] = frozenset(),
    ) -> ResilientCaller:
        return ResilientCaller(
            "auth",
            carrier or transport,
            breaker,
            clock=clock,
            monotonic=clock.monotonic,
            jitter=lambda: 0.5,
            context=lambda: context or {},
            patience=patience,
            tolerated=tolerated,
        )

    return _make


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_be_repeated_is_repeated(make: Make, serve: Serve, clock: ManualClock, status: int) -> None:
    script = Script(status, status, 200)

    response = await make().call(Request("GET", await serve(script)), retry=True)

    assert response.status == 200
    assert len(script.requests) == 3
    assert clock.pauses == pytest.approx([0.1, 0.2])


async def test_tries_are_limited_and_the_last_answer_is_returned(make: Make, serve: Serve) -> None:
    script = Script(503)

    response = await make().call(Request("GET", await serve(script)), retry=True)

    assert response.status == 503
    assert len(script.requests) == 3


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 409, 500])
async def test_other_answers_are_returned_at_once(make: Make, serve: Serve, status: int) -> None:
    script = Script(status)

    assert (await make().call(Request("GET", await serve(script)), retry=True)).status == status
    assert len(script.requests) == 1


async def test_without_leave_nothing_is_repeated(make: Make, serve: Serve) -> None:
    script = Script(503)

    assert (await make().call(Request("POST", await serve(script)))).status == 503
    assert len(script.requests) == 1


async def test_no_answer_is_repeated_and_names_the_service_in_the_end(make: Make) -> None:
    network = Unreachable()

    with pytest.raises(UpstreamUnavailable, match="auth: cannot be reached"):
        await make(network).call(Request("GET", "http://host:1/"), retry=True)

    assert len(network.timeouts) == 3


async def test_a_short_retry_after_is_waited_for(make: Make, serve: Serve, clock: ManualClock) -> None:
    script = Script((503, {"Retry-After": "2"}), 200)

    assert (await make().call(Request("GET", await serve(script)), retry=True)).status == 200
    assert clock.pauses == [2]


async def test_a_long_retry_after_ends_the_tries(make: Make, serve: Serve, clock: ManualClock) -> None:
    script = Script((429, {"Retry-After": "60"}), 200)

    response = await make().call(Request("GET", await serve(script)), retry=True)

    assert (response.status, response.headers["retry-after"]) == (429, "60")
    assert clock.pauses == []


async def test_patience_shortens_the_last_tries(make: Make, clock: ManualClock) -> None:
    network = Unreachable()

    with pytest.raises(UpstreamUnavailable):
        await make(network, patience=0.25).call(Request("GET", "http://host:1/", timeout=5), retry=True)

    assert network.timeouts == pytest.approx([5, 0.15])


async def test_no_answers_and_5xx_open_the_breaker(make: Make, serve: Serve, breaker: Breaker) -> None:
    base = await serve(Script(500))
    for _ in range(4):
        await make().call(Request("GET", base))
    assert breaker.state is BreakerState.CLOSED

    with pytest.raises(UpstreamUnavailable):
        await make(Unreachable()).call(Request("GET", base))

    assert breaker.state is BreakerState.OPEN


async def test_an_open_breaker_asks_nobody_until_its_pause_is_over(
    make: Make, serve: Serve, breaker: Breaker, clock: ManualClock
) -> None:
    script = Script(500, 500, 500, 500, 500, 200)
    base = await serve(script)
    for _ in range(5):
        await make().call(Request("GET", base))

    with pytest.raises(UpstreamUnavailable) as caught:
        await make().call(Request("GET", base), retry=True)
    assert caught.value.retry_after == pytest.approx(10)
    assert len(script.requests) == 5

    clock.advance(10)
    assert (await make().call(Request("GET", base))).status == 200
    assert breaker.state is BreakerState.CLOSED


async def test_the_tries_end_when_the_breaker_opens(make: Make, breaker: Breaker) -> None:
    network = Unreachable()
    for _ in range(3):
        breaker.failed(breaker.admit())

    with pytest.raises(UpstreamUnavailable, match="cannot be reached"):
        await make(network).call(Request("GET", "http://host:1/"), retry=True)

    assert len(network.timeouts) == 2


async def test_refusals_and_tolerated_statuses_do_not_open_the_breaker(
    make: Make, serve: Serve, breaker: Breaker
) -> None:
    refusing, odd = await serve(Script(404)), await serve(Script(500))
    for _ in range(6):
        await make().call(Request("GET", refusing))
        await make(tolerated=frozenset({500})).call(Request("GET", odd))

    assert breaker.state is BreakerState.CLOSED


async def test_a_cancelled_trial_does_not_block_the_breaker(
    make: Make, serve: Serve, breaker: Breaker, clock: ManualClock
) -> None:
    for _ in range(5):
        breaker.failed(breaker.admit())
    clock.advance(10)

    task = asyncio.ensure_future(make(Hanging()).call(Request("GET", "http://host:1/")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await make().call(Request("GET", await serve(Script(200))))).status == 200


async def test_context_headers_are_added_and_never_replace_the_requests_own(make: Make, serve: Serve) -> None:
    script = Script(200)
    base = await serve(script)
    caller = make(context={"x-correlation-id": "c-1", "traceparent": "00-a-b-01"})

    await caller.call(Request("GET", base))
    await caller.call(Request("GET", base, {"X-Correlation-Id": "own"}))

    first, second = (request.headers for request in script.requests)
    assert (first["x-correlation-id"], first["traceparent"]) == ("c-1", "00-a-b-01")
    assert second.getall("x-correlation-id") == ["own"]


def test_a_context_value_that_would_break_out_of_its_header_is_left_out() -> None:
    context = {"x-correlation-id": "a\r\nauthorization: b", "traceparent": "ü", "x-ok": "c"}

    assert with_context({}, context) == {"x-ok": "c"}
