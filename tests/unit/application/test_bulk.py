"""Deliveries that go out together: each keeps its own state, order and schedule."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.delivery import Bulk, DeliveryLoop
from streaming_service.application.dispatch import Bell
from streaming_service.application.ports import Delivery, DeliveryState, Item, Receipt
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.pacing import ILL_AFTER
from tests.fakes import NOW, CountingMeter, FakeClock, KeepingTracer, RecordingCourier, until

pytestmark = pytest.mark.anyio
BIGQUERY = Endpoint.BIGQUERY


def debt(name: str, content: str | None = None, **changes: Any) -> Notification:
    made = Notification(name, BIGQUERY, "cdn.purge", content or f"content of {name}", NOW, {"path": "/p"})
    return replace(made, **changes)


class Bus:
    """Takes everything but what is named here. `let`: nothing is answered before."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.away = False
        self.rides: list[list[str]] = []
        self.let = asyncio.Event()
        self.let.set()

    async def deliver_together(self, items: Sequence[Item]) -> Sequence[Receipt]:
        self.rides.append([notification.id for notification, _ in items])
        await self.let.wait()
        if self.away:
            return [Receipt(False, None, "away")] * len(items)
        return [Receipt(notification.id not in self.refused, 200, "answered 200") for notification, _ in items]


class Station:
    """A delivery loop for analytics in batches of `size`, and for warm-ups as ever."""

    def __init__(self, size: int = 3, concurrency: int = 2) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.bus = Bus()
        self.courier = RecordingCourier()
        self.bell = Bell()
        self.tracer = KeepingTracer()
        self.loop = DeliveryLoop(
            store=self.store,
            courier=self.courier,
            render=self.render,
            endpoints=(BIGQUERY, Endpoint.GATEWAY_WARMUP),
            clock=self.clock,
            jitter=lambda: 0.5,
            meter=CountingMeter(),
            bell=self.bell,
            owner="me",
            concurrency=concurrency,
            lease=timedelta(seconds=30),
            poll_interval=60.0,
            tracer=self.tracer,
            bulk={BIGQUERY: Bulk(self.bus, size)},
        )

    def render(self, notification: Notification) -> Mapping[str, Any]:
        if notification.topic == "broken":
            raise KeyError("path")
        return {"id": notification.id}

    async def state(self, name: str) -> Delivery:
        delivery = await self.store.get_delivery(name)
        assert delivery is not None
        return delivery

    async def run_until_sent(self, *names: str, state: DeliveryState = DeliveryState.DELIVERED) -> None:
        task = asyncio.create_task(self.loop.run())

        async def settled() -> bool:
            found = [await self.state(name) for name in names]
            return all(item.state is state and item.attempts for item in found)

        async with asyncio.timeout(5):
            while not await settled():
                await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_is_due_goes_out_together_in_requests_of_the_right_size() -> None:
    station = Station(size=3, concurrency=2)
    names = [f"d-{number}" for number in range(8)]
    station.store.add_debts([debt(name) for name in names])
    await station.run_until_sent(*names)
    assert [len(ride) for ride in station.bus.rides[:2]] == [3, 3]
    assert sorted(name for ride in station.bus.rides for name in ride) == names
    assert station.courier.ids() == []


async def test_a_single_one_does_not_wait_for_company() -> None:
    station = Station()
    station.store.add_debts([debt("alone"), replace(debt("warm"), endpoint=Endpoint.GATEWAY_WARMUP)])
    await station.run_until_sent("alone", "warm")
    assert station.bus.rides == [["alone"]]
    assert station.courier.ids() == ["warm"]


async def test_those_of_one_channel_never_share_a_request_and_keep_their_order() -> None:
    station = Station(size=10)
    station.store.add_debts([debt("first", "c"), debt("second", "c"), debt("other", "d")])
    await station.run_until_sent("first", "second", "other")
    assert station.bus.rides == [["first", "other"], ["second"]]


async def test_one_that_is_refused_or_cannot_be_made_is_tried_again_alone_in_its_own_time() -> None:
    station = Station(size=5)
    station.bus.refused = {"bad"}
    station.store.add_debts([debt("good"), debt("bad"), debt("unmade", topic="broken"), debt("fine")])
    await station.run_until_sent("good", "fine")
    assert station.bus.rides == [["good", "bad", "fine"]]
    for name, why in (("bad", "answered 200"), ("unmade", "its body could not be made")):
        left = await station.state(name)
        assert (left.state, left.tries) == (DeliveryState.PENDING, 1)
        assert left.attempts[0].detail.startswith(why)
        assert left.next_attempt_at is not None
        assert left.next_attempt_at > station.clock.now()


async def test_a_batch_that_gets_no_answer_counts_once_and_one_alone_finds_out_whether_it_is_back() -> None:
    station = Station(size=4, concurrency=1)
    station.bus.away = True
    names = [f"d-{number:03}" for number in range(4 * ILL_AFTER + 40)]
    station.store.add_debts([debt(name) for name in names])
    task = asyncio.create_task(station.loop.run())
    await until(lambda: len(station.bus.rides) == ILL_AFTER)
    for _ in range(50):
        await asyncio.sleep(0)
    assert [len(ride) for ride in station.bus.rides] == [4] * ILL_AFTER
    station.clock.advance(6)
    station.bell.ring()
    await until(lambda: len(station.bus.rides) > ILL_AFTER)
    assert len(station.bus.rides[ILL_AFTER]) == 1
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_is_under_way_when_the_process_stops_is_still_written_down() -> None:
    station = Station(size=5)
    station.bus.let.clear()
    station.store.add_debts([debt("a"), debt("b")])
    task = asyncio.create_task(station.loop.run())
    await until(lambda: bool(station.bus.rides))
    task.cancel()
    await asyncio.sleep(0)
    station.bus.let.set()
    with suppress(asyncio.CancelledError):
        await task
    assert {(await station.state(name)).state for name in ("a", "b")} == {DeliveryState.DELIVERED}


async def test_a_batch_is_one_span_that_names_the_traces_of_what_is_in_it() -> None:
    station = Station(size=5)
    station.bus.refused = {"b"}
    ids = ["1" * 32, "2" * 32, "1" * 32]
    traced = [debt(name, trace=f"00-{trace}-{'3' * 16}-01") for name, trace in zip("abc", ids, strict=True)]
    station.store.add_debts([*traced, debt("untraced")])
    await station.run_until_sent("a", "c", "untraced")
    span = station.tracer.named("deliver bigquery together")
    assert span.lineage.parent is None
    assert [link.trace_id for link in span.lineage.links] == ["1" * 32, "2" * 32]
    assert span.attributes == {"streaming.delivery.batch": 4, "streaming.delivery.failed": 1}
    assert span.failure is None
