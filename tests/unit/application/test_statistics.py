"""Figures of what plays, from origins that answer and from some that do not."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from streaming_service.application.ports import StreamFigures
from streaming_service.application.statistics import Statistics
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause, Endpoint
from streaming_service.domain.statistics import OriginReading
from streaming_service.errors import StoreUnavailable, UpstreamRejected
from tests.fakes import unreachable, until
from tests.unit.application.world import World, content_id, request

pytestmark = pytest.mark.anyio


class Shown:
    """What the gauges show."""

    def __init__(self) -> None:
        self.readings: dict[str, OriginReading] = {}

    def statistics(self, readings: Sequence[OriginReading]) -> None:
        self.readings = {reading.origin: reading for reading in readings}

    def viewers(self, origin: str = "default") -> dict[str, int]:
        return {channel.content_id: channel.viewers for channel in self.readings[origin].channels}


class Board:
    """A world and the statistics of it."""

    def __init__(
        self,
        *origins: str,
        world: World | None = None,
        endpoints: frozenset[Endpoint] = frozenset(Endpoint),
        concurrency: int = 8,
        timeout: float = 10.0,
    ) -> None:
        self.world = world or World(origins or ("default",))
        self.clock = self.world.clock
        self.shown = Shown()
        self.statistics = Statistics(
            store=self.world.store,
            fleet=self.world.fleet,
            gauges=self.shown,
            endpoints=endpoints,
            clock=self.clock,
            concurrency=concurrency,
            timeout=timeout,
        )

    async def watched(self, number: int, viewers: int, origin: str = "default") -> Channel:
        """A content that plays on this origin and has viewers."""
        self.world.fleet.preferred = origin
        channel = await self.world.playing(number)
        assert channel.serving
        ome = next(ome for ome in self.world.origins if ome.name == origin)
        ome.counted[channel.serving.stream] = StreamFigures(viewers, 2500.0, 1000)
        return channel

    async def run(self) -> list[str]:
        """Gives the origins that were complained about."""
        with capture_logs() as lines:
            await self.statistics.run()
        complaints = [line for line in lines if line["log_level"] == "warning"]
        assert all(line["event"] == "Failed to collect OME stats" and line["reason"] for line in complaints)
        return [line["origin"] for line in complaints]

    def told(self) -> list[dict[str, object]]:
        return [dict(item.facts) for item in self.world.owed("ome.realtime.stats")]


async def test_each_channel_with_its_origin() -> None:
    board = Board("ome-1", "ome-2")
    await board.watched(1, 3, "ome-1")
    await board.watched(2, 4, "ome-2")

    assert await board.run() == []
    assert board.shown.viewers("ome-1") == {content_id(1): 3}
    assert board.shown.viewers("ome-2") == {content_id(2): 4}
    reading = board.shown.readings["ome-1"]
    assert (reading.up, reading.read_at, reading.channels[0].bitrate_kbps) == (True, board.clock.now(), 2500.0)


async def test_what_is_replaced_is_not_counted_beside_its_successor() -> None:
    board = Board()
    first = await board.watched(1, 3)
    await board.world.accept(request(1, checksum="sum-2", said_at=board.clock.now()))
    await board.world.settle(within=60)
    second = await board.world.channel(1)
    assert first.serving
    assert second.serving
    assert first.serving.stream in board.world.origin.names()

    await board.run()
    assert [channel.stream for channel in board.shown.readings["default"].channels] == [second.serving.stream]


async def test_a_failure_keeps_the_last_figures_which_grow_old() -> None:
    board = Board()
    await board.watched(1, 3)
    await board.run()
    read_at = board.clock.now()
    board.world.origin.down = unreachable()
    board.clock.advance(30)

    assert await board.run() == ["default"]
    reading = board.shown.readings["default"]
    assert (reading.up, reading.as_of, board.shown.viewers()) == (False, read_at, {content_id(1): 3})

    board.world.origin.down = None
    assert await board.run() == []
    assert (board.shown.readings["default"].up, board.shown.readings["default"].as_of) == (True, board.clock.now())


async def test_one_that_refuses_us_tells_nothing_either() -> None:
    board = Board()
    await board.watched(1, 3)
    board.world.origin.down = UpstreamRejected("ome", "401", status=401)

    assert await board.run() == ["default"]


async def test_one_that_never_answered_has_been_asked_for_so_long() -> None:
    board = Board()
    began = board.clock.now()
    board.world.origin.down = unreachable()
    await board.run()
    board.clock.advance(30)
    await board.run()

    reading = board.shown.readings["default"]
    assert (reading.up, reading.as_of, reading.channels) == (False, began, ())
    assert board.told() == []


async def test_an_idle_origin_is_asked_too() -> None:
    board = Board()

    assert await board.run() == []
    assert board.shown.readings["default"].up
    board.world.origin.down = unreachable()
    assert await board.run() == ["default"]


async def test_one_that_fails_does_not_hide_the_others() -> None:
    board = Board("ome-1", "ome-2")
    await board.watched(1, 3, "ome-1")
    await board.watched(2, 4, "ome-2")
    board.world.origins[0].down = unreachable()

    assert await board.run() == ["ome-1"]
    assert board.shown.viewers("ome-2") == {content_id(2): 4}


@pytest.mark.parametrize("down", [False, True])
async def test_a_channel_that_left_is_gone_at_the_next_look(down: bool) -> None:
    board = Board()
    await board.watched(1, 3)
    await board.watched(2, 4)
    await board.run()
    await board.world.operations.retire(content_id(1), Cause("test", "correlation-1"))
    await board.world.settle(within=1)
    board.world.origin.down = unreachable() if down else None

    await board.run()
    assert board.shown.viewers() == {content_id(2): 4}


async def test_a_stream_that_ome_lost_has_no_figures() -> None:
    board = Board()
    await board.watched(1, 3)
    await board.run()
    board.world.origin.wipe()

    assert await board.run() == []
    assert (board.shown.readings["default"].up, board.shown.viewers()) == (True, {})


async def test_an_origin_that_left_the_fleet_is_gone() -> None:
    board = Board("ome-1", "ome-2")
    await board.watched(1, 3, "ome-1")
    await board.run()
    del board.world.fleet.origins["ome-1"]

    await board.run()
    assert set(board.shown.readings) == {"ome-2"}


async def test_what_is_watched_is_known_the_most_watched_first() -> None:
    board = Board("ome-1", "ome-2")
    await board.watched(1, 3, "ome-1")
    await board.watched(2, 7, "ome-2")
    await board.watched(3, 0, "ome-2")
    assert board.statistics.watched() == ()
    await board.run()

    assert board.statistics.watched() == (content_id(2), content_id(1))
    board.statistics.resign()
    assert board.statistics.watched() == ()


async def test_who_resigns_shows_nothing() -> None:
    board = Board()
    await board.watched(1, 3)
    await board.run()
    board.statistics.resign()

    assert board.shown.readings == {}


async def test_no_more_origins_are_asked_at_once_than_may_be() -> None:
    board = Board("ome-1", "ome-2", "ome-3", concurrency=2)
    gate = asyncio.Event()
    for number, origin in enumerate(board.world.origins, 1):
        await board.watched(number, 1, origin.name)
        await board.watched(number + 10, 1, origin.name)
        origin.gate = gate
    calls = board.world.faults.calls
    run = asyncio.create_task(board.statistics.run())
    await until(lambda: calls.count("ome.figures") >= 2)
    await asyncio.sleep(0)

    assert calls.count("ome.figures") == 2, "two origins, and of each one channel after the other"
    gate.set()
    await run
    assert [len(board.shown.viewers(origin.name)) for origin in board.world.origins] == [2, 2, 2]


async def test_an_answer_that_does_not_come_is_a_failure() -> None:
    board = Board(timeout=0.01)
    await board.watched(1, 3)
    board.world.origin.gate = asyncio.Event()

    assert await board.run() == ["default"]


async def test_analytics_is_told_once_in_an_interval() -> None:
    board = Board("ome-1", "ome-2")
    await board.watched(1, 3, "ome-1")
    for _ in range(13):
        await board.run()
        board.clock.advance(10)

    told = board.told()
    assert [fact["origin"] for fact in told] == ["ome-1", "ome-2"] * 3
    assert board.world.faults.calls.count("store.owe") == 3
    assert told[0]["totals"] == {"channels": 1, "viewers": 3, "bitrateKbps": 2500.0, "bytesOut": 1000}


async def test_a_successor_tells_nothing_twice() -> None:
    board = Board()
    await board.run()
    await Board(world=board.world).run()

    assert len(board.told()) == 1


async def test_analytics_that_is_not_configured_is_not_told() -> None:
    board = Board(endpoints=frozenset({Endpoint.OBSERVABILITY}))
    await board.run()

    assert board.told() == []


async def test_what_the_store_did_not_take_is_told_by_the_next_pass() -> None:
    board = Board()
    board.world.store.down = StoreUnavailable("it is down")
    with pytest.raises(StoreUnavailable):
        await board.statistics.run()
    board.world.store.down = None
    await board.run()

    assert len(board.told()) == 1
