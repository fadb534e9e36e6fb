"""Who holds a token: asked once, remembered by hash, never open."""

import asyncio
import gc
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from streaming_service.application.introspection import Introspector
from streaming_service.errors import UpstreamRejected, UpstreamUnavailable
from tests.fakes import NOW, CountingMeter, FakeClock, FakeTokenService, until

pytestmark = pytest.mark.anyio
TOKEN = "planted-secret-token"
DOWN = UpstreamUnavailable("auth", "does not answer")


class Desk:
    """An introspector and what it asks."""

    def __init__(self, capacity: int = 100) -> None:
        self.clock = FakeClock()
        self.service = FakeTokenService()
        self.meter = CountingMeter()
        self.introspector = Introspector(
            self.service,
            time=self.clock.time,
            meter=self.meter,
            soft_ttl=60.0,
            inactive_ttl=5.0,
            capacity=capacity,
        )

    async def ask(self, token: str = TOKEN) -> str | None:
        viewer = await self.introspector.viewer(token, "correlation-1")
        return viewer.user_id if viewer else None

    def knows(self, token: str = TOKEN, expires_in: float | None = 3600.0) -> None:
        expires = None if expires_in is None else NOW + timedelta(seconds=expires_in)
        self.service.knows(token, expires_at=expires)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_an_answer_is_remembered(desk: Desk) -> None:
    desk.knows()
    assert [await desk.ask() for _ in range(3)] == ["user-1"] * 3

    assert desk.service.asked == [TOKEN]
    assert desk.meter.counts == {"introspection active": 1, "introspection cached": 2}


async def test_each_token_has_its_own_answer(desk: Desk) -> None:
    desk.knows()

    assert await desk.ask() == "user-1"
    assert await desk.ask("another") is None


async def test_an_answer_is_not_used_past_the_tokens_expiry(desk: Desk) -> None:
    desk.knows(expires_in=10)
    await desk.ask()
    desk.clock.advance(10)
    await desk.ask()

    assert len(desk.service.asked) == 2


async def test_after_a_while_it_is_asked_again_so_that_a_revocation_is_noticed(desk: Desk) -> None:
    desk.knows()
    await desk.ask()
    desk.service.viewers.clear()
    desk.clock.advance(59)
    assert await desk.ask() == "user-1"
    desk.clock.advance(1)

    assert await desk.ask() is None


@pytest.mark.parametrize("error", [DOWN, UpstreamRejected("auth", "refuses us", status=403)])
async def test_what_is_known_counts_until_it_expires_when_the_service_fails(desk: Desk, error: Exception) -> None:
    desk.knows(expires_in=600)
    await desk.ask()
    desk.service.error = error
    desk.clock.advance(599)
    assert await desk.ask() == "user-1"
    desk.clock.advance(1)

    with pytest.raises(type(error)):
        await desk.ask()


async def test_a_service_that_fails_is_not_asked_for_every_viewer(desk: Desk) -> None:
    desk.knows()
    await desk.ask()
    desk.service.error = DOWN
    desk.clock.advance(60)
    for _ in range(10):
        await desk.ask()

    assert len(desk.service.asked) == 2
    assert desk.meter.counts["introspection stale"] == 1
    assert desk.meter.counts["introspection cached"] == 9


async def test_a_token_without_expiry_is_known_for_the_soft_time_only(desk: Desk) -> None:
    desk.knows(expires_in=None)
    await desk.ask()
    desk.service.error = DOWN
    desk.clock.advance(60)

    with pytest.raises(UpstreamUnavailable):
        await desk.ask()


async def test_nothing_known_and_no_answer_is_an_error_and_never_open(desk: Desk) -> None:
    desk.service.error = DOWN

    with pytest.raises(UpstreamUnavailable):
        await desk.ask()
    assert desk.meter.counts["introspection failed"] == 1


async def test_an_inactive_token_is_remembered_shortly(desk: Desk) -> None:
    assert await desk.ask() is None
    desk.knows()
    assert await desk.ask() is None
    desk.clock.advance(5)

    assert await desk.ask() == "user-1"
    assert len(desk.service.asked) == 2


async def test_an_inactive_token_is_not_let_in_when_the_service_fails(desk: Desk) -> None:
    await desk.ask()
    desk.service.error = DOWN
    desk.clock.advance(5)

    with pytest.raises(UpstreamUnavailable):
        await desk.ask()


async def test_callers_of_the_same_moment_share_one_question(desk: Desk) -> None:
    desk.knows()
    gate = desk.service.gate = asyncio.Event()
    callers = [asyncio.create_task(desk.ask()) for _ in range(50)]
    await until(lambda: len(desk.service.asked) == 1)
    gate.set()

    assert await asyncio.gather(*callers) == ["user-1"] * 50
    assert desk.service.asked == [TOKEN]


async def test_callers_of_the_same_moment_share_a_failure_and_the_next_asks_again(desk: Desk) -> None:
    gate = desk.service.gate = asyncio.Event()
    desk.service.error = DOWN
    callers = [asyncio.create_task(desk.ask()) for _ in range(5)]
    await until(lambda: len(desk.service.asked) == 1)
    gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert results == [DOWN] * 5

    desk.service.error = None
    desk.knows()
    assert await desk.ask() == "user-1"


async def test_a_caller_that_goes_away_does_not_take_the_answer_from_the_others(desk: Desk) -> None:
    desk.knows()
    gate = desk.service.gate = asyncio.Event()
    first, second = (asyncio.create_task(desk.ask()) for _ in range(2))
    await until(lambda: len(desk.service.asked) == 1)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    gate.set()

    assert await second == "user-1"
    assert desk.service.asked == [TOKEN]


async def test_a_failure_nobody_waits_for_any_more_is_no_noise(desk: Desk) -> None:
    gate = desk.service.gate = asyncio.Event()
    desk.service.error = DOWN
    noise: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    caller = asyncio.create_task(desk.ask())
    await until(lambda: len(desk.service.asked) == 1)
    caller.cancel()
    with suppress(asyncio.CancelledError):
        await caller
    gate.set()
    await until(lambda: not desk.introspector._asking)
    gc.collect()

    assert noise == []


async def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    desk = Desk(capacity=3)
    for number in range(4):
        desk.knows(f"token-{number}")
        await desk.ask(f"token-{number}")
    desk.service.asked.clear()
    await desk.ask("token-3")
    await desk.ask("token-0")

    assert desk.service.asked == ["token-0"]
    assert len(desk.introspector._known) == 3


async def test_the_token_itself_is_neither_kept_nor_logged(desk: Desk) -> None:
    desk.knows()
    with structlog.testing.capture_logs() as lines:
        await desk.ask()
        desk.service.error = DOWN
        desk.clock.advance(60)
        await desk.ask()

    assert lines
    assert TOKEN not in str(lines)
    assert TOKEN not in str(vars(desk.introspector)["_known"])
    assert desk.introspector._asking == {}


async def test_expiries_in_any_zone_are_the_same_moment(desk: Desk) -> None:
    expires = datetime.fromtimestamp(desk.clock.time() + 10, UTC).astimezone()
    desk.service.knows(TOKEN, expires_at=expires)
    await desk.ask()
    desk.clock.advance(9)
    await desk.ask()

    assert len(desk.service.asked) == 1
