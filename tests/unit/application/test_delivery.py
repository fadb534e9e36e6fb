"""Debts are paid in order, retried for days, and never given up silently."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.delivery import DeliveryLoop
from streaming_service.application.dispatch import Bell
from streaming_service.application.lane import write_down
from streaming_service.application.ports import Delivery, DeliveryState, Receipt, Tried
from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import RETRY_SCHEDULE, Endpoint, Notification
from streaming_service.domain.pacing import ILL_AFTER, SHORTEST_REST
from streaming_service.errors import StoreUnavailable
from tests.fakes import NOW, CountingMeter, FakeClock, KeepingTracer, RecordingCourier, until

pytestmark = pytest.mark.anyio
LEASE = timedelta(seconds=30)
FAILED = Receipt(ok=False, status=503, detail="answered 503")


def debt(name: str, endpoint: Endpoint = Endpoint.CONTENT_CALLBACK, content: str = "content-1") -> Notification:
    return Notification(name, endpoint, "stream.provisioned", content, NOW, {"manifestPath": "/m"})


class Office:
    """A delivery loop with all that it needs."""

    def __init__(self, *endpoints: Endpoint, concurrency: int = 4) -> None:
        self.clock = FakeClock()
        self.store = ForgetfulStore()
        self.courier = RecordingCourier()
        self.meter = CountingMeter()
        self.bell = Bell()
        self.tracer = KeepingTracer()
        self.loop = DeliveryLoop(
            store=self.store,
            courier=self.courier,
            render=self.render,
            endpoints=endpoints or (Endpoint.CONTENT_CALLBACK,),
            clock=self.clock,
            jitter=lambda: 0.5,
            meter=self.meter,
            bell=self.bell,
            owner="me",
            concurrency=concurrency,
            lease=LEASE,
            poll_interval=60.0,
            tracer=self.tracer,
        )

    def render(self, notification: Notification) -> Mapping[str, Any]:
        if notification.topic == "broken":
            raise KeyError("manifestPath")
        return {"url": f"signed at {to_wire(self.clock.now())}"}

    async def claim(self, endpoint: Endpoint = Endpoint.CONTENT_CALLBACK, limit: int = 10) -> tuple[Delivery, ...]:
        return await self.store.claim_deliveries(self.clock.now(), "me", LEASE, limit, (endpoint,))

    async def attempt(self, receipt: Receipt | None = None) -> DeliveryState:
        """Claim the only debt that is due, and try once."""
        if receipt:
            self.courier.receipts.append(receipt)
        (delivery,) = await self.claim()
        sent = await self.loop.attempt(delivery)
        await write_down(self.store, [sent.tried])
        return sent.tried.state

    async def stored(self, name: str = "d-1") -> Delivery:
        delivery = await self.store.get_delivery(name)
        assert delivery is not None
        return delivery

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """The loop runs."""
        task = asyncio.create_task(self.loop.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class ForgetfulStore(MemoryStore):
    """Can refuse to write an attempt down, or to hand anything out."""

    forgets = 0
    down = 0

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []

    async def record(self, tried: Sequence[Tried]) -> None:
        if self.forgets:
            self.forgets -= 1
            raise StoreUnavailable("down")
        await super().record(tried)
        self.written.append(len(tried))

    async def claim_deliveries(self, *args: Any, **kwargs: Any) -> tuple[Delivery, ...]:
        if self.down:
            self.down -= 1
            raise StoreUnavailable("down")
        return await super().claim_deliveries(*args, **kwargs)


@pytest.fixture
def office() -> Office:
    office = Office()
    office.store.add_debts([debt("d-1")])
    return office


# -- one attempt ------------------------------------------------------------------------------------------------------


async def test_what_is_received_is_settled(office: Office) -> None:
    assert await office.attempt() is DeliveryState.DELIVERED

    delivery = await office.stored()
    assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.DELIVERED, None)
    assert [(item.status, item.at) for item in delivery.attempts] == [(204, NOW)]
    assert office.meter.counts["content-callback delivered"] == 1


async def test_what_fails_is_tried_again_on_the_schedule_and_is_dead_after_it(office: Office) -> None:
    pauses: list[timedelta] = []
    while await office.attempt(FAILED) is DeliveryState.PENDING:
        again = (await office.stored()).next_attempt_at
        assert again is not None
        pauses.append(again - office.clock.now())
        office.clock.moment = again

    assert tuple(pauses) == RETRY_SCHEDULE[1:]
    assert (await office.stored()).state is DeliveryState.DEAD
    assert office.meter.counts == {"content-callback pending": 9, "content-callback dead": 1}


async def test_nothing_is_sent_before_its_time(office: Office) -> None:
    await office.attempt(FAILED)
    office.clock.advance(4.9)

    assert await office.claim() == ()


async def test_a_receiver_that_asks_for_more_time_gets_it(office: Office) -> None:
    await office.attempt(Receipt(ok=False, status=429, detail="slow down", retry_after=120.0))

    assert (await office.stored()).next_attempt_at == NOW + timedelta(seconds=120)


async def test_a_receiver_that_is_gone_is_not_asked_again(office: Office) -> None:
    state = await office.attempt(Receipt(ok=False, status=410, detail="answered 410", gone=True))

    assert state is DeliveryState.DEAD
    assert (await office.stored()).next_attempt_at is None


async def test_an_attempt_that_was_not_written_down_is_made_again_under_the_same_id(office: Office) -> None:
    office.store.forgets = 1
    await office.attempt()
    assert (await office.stored()).state is DeliveryState.PENDING
    assert await office.claim() == ()

    office.clock.advance(LEASE.total_seconds())
    await office.attempt()

    assert office.courier.ids() == ["d-1", "d-1"]
    assert (await office.stored()).state is DeliveryState.DELIVERED


async def test_a_url_is_signed_when_it_is_sent(office: Office) -> None:
    await office.attempt(FAILED)
    office.clock.advance(5)
    await office.attempt()

    assert [body["url"] for _, body in office.courier.sent] == [
        "signed at 2026-11-22T12:00:00.000Z",
        "signed at 2026-11-22T12:00:05.000Z",
    ]


async def test_what_has_no_body_is_a_failed_attempt_and_not_a_dead_loop() -> None:
    office = Office()
    office.store.add_debts([Notification("d-1", Endpoint.CONTENT_CALLBACK, "broken", "content-1", NOW, {})])

    assert await office.attempt() is DeliveryState.PENDING
    (attempt,) = (await office.stored()).attempts
    assert "manifestPath" in attempt.detail
    assert office.courier.sent == []


async def test_resending_begins_the_schedule_again(office: Office) -> None:
    await office.attempt(Receipt(ok=False, status=410, detail="answered 410", gone=True))
    await office.store.resend("d-1", office.clock.now())

    assert await office.attempt(FAILED) is DeliveryState.PENDING


# -- the loop ---------------------------------------------------------------------------------------------------------


async def test_deliveries_of_one_channel_keep_their_order(office: Office) -> None:
    office.store.add_debts([debt("d-2"), debt("d-3")])
    async with office.open():
        await until(lambda: len(office.courier.sent) == 3)

    assert office.courier.ids() == ["d-1", "d-2", "d-3"]


async def test_a_failed_delivery_holds_back_those_behind_it(office: Office) -> None:
    office.store.add_debts([debt("d-2")])
    office.courier.receipts.append(FAILED)
    async with office.open():
        await until(lambda: office.meter.counts["content-callback pending"] == 1)
        office.bell.ring()
        await asyncio.sleep(0)
        assert office.courier.ids() == ["d-1"]

        office.clock.advance(5)
        office.bell.ring()
        await until(lambda: office.courier.ids() == ["d-1", "d-1", "d-2"])


async def test_channels_do_not_wait_for_each_other(office: Office) -> None:
    office.store.add_debts([debt("other", content="content-2")])
    office.courier.receipts.append(FAILED)
    async with office.open():
        await until(lambda: office.courier.ids() == ["d-1", "other"])


async def test_a_dead_receiver_delays_no_other() -> None:
    office = Office(Endpoint.CONTENT_CALLBACK, Endpoint.BIGQUERY, concurrency=2)
    gate = office.courier.gates["content-callback"] = asyncio.Event()
    stuck = [debt(f"stuck-{number}", content=f"content-{number}") for number in range(5)]
    quick = [debt(f"quick-{number}", Endpoint.BIGQUERY, f"content-{number}") for number in range(5)]
    office.store.add_debts([*stuck, *quick])
    async with office.open():
        await until(lambda: office.meter.counts["bigquery delivered"] == 5)
        assert office.meter.counts["content-callback delivered"] == 0
        assert sum(name.startswith("stuck") for name in office.courier.ids()) == 2
        gate.set()
        await until(lambda: office.meter.counts["content-callback delivered"] == 5)


async def test_a_bell_wakes_the_lanes() -> None:
    office = Office()
    async with office.open():
        await until(lambda: office.store.down == 0)
        await asyncio.sleep(0)
        office.store.add_debts([debt("d-1")])
        office.bell.ring()
        await until(lambda: office.courier.ids() == ["d-1"])


async def test_a_store_that_was_down_is_asked_again(office: Office) -> None:
    office.store.down = 1
    async with office.open():
        await until(lambda: office.store.down == 0)
        office.bell.ring()
        await until(lambda: office.courier.ids() == ["d-1"])


async def test_stopping_lets_what_is_in_hand_end(office: Office) -> None:
    gate = office.courier.gates["content-callback"] = asyncio.Event()
    task = asyncio.create_task(office.loop.run())
    await until(lambda: office.courier.ids() == ["d-1"])
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await office.stored()).state is DeliveryState.DELIVERED


async def test_what_ended_together_is_written_down_together() -> None:
    office = Office(concurrency=8)
    gate = office.courier.gates["content-callback"] = asyncio.Event()
    office.store.add_debts([debt(f"d-{number}", content=f"content-{number}") for number in range(8)])
    async with office.open():
        await until(lambda: len(office.courier.sent) == 8)
        gate.set()
        await until(lambda: sum(office.store.written) == 8)

    assert office.store.written == [8]


async def test_a_receiver_that_does_not_answer_is_asked_now_and_then_and_costs_nobody_an_attempt() -> None:
    office = Office(concurrency=ILL_AFTER)
    lines = 3 * ILL_AFTER
    office.store.add_debts([debt(f"d-{number}", content=f"content-{number}") for number in range(lines)])
    office.courier.receipts += [Receipt(ok=False, status=None, detail="cannot be reached")] * (ILL_AFTER + 1)
    async with office.open():
        await until(lambda: len(office.courier.sent) == ILL_AFTER)
        for _ in range(5):
            office.bell.ring()
            await asyncio.sleep(0)
        assert len(office.courier.sent) == ILL_AFTER

        office.clock.advance(SHORTEST_REST.total_seconds())
        office.bell.ring()
        await until(lambda: len(office.courier.sent) == ILL_AFTER + 1)
        office.clock.advance(2 * SHORTEST_REST.total_seconds())
        office.bell.ring()
        await until(lambda: office.meter.counts["content-callback delivered"] == lines)

    tries = [(await office.stored(f"d-{number}")).tries for number in range(lines)]
    assert sorted(tries) == [1] * (lines - ILL_AFTER - 1) + [2] * (ILL_AFTER + 1)


async def test_a_receiver_that_is_asked_too_much_says_for_how_long_nobody_may_ask() -> None:
    office = Office(concurrency=1)
    office.store.add_debts([debt(f"d-{number}", content=f"content-{number}") for number in range(3)])
    office.courier.receipts.append(Receipt(ok=False, status=429, detail="slow down", retry_after=120.0))
    async with office.open():
        await until(lambda: office.meter.counts["content-callback pending"] == 1)
        office.clock.advance(119)
        for _ in range(5):
            office.bell.ring()
            await asyncio.sleep(0)
        assert office.courier.ids() == ["d-0"]
        office.clock.advance(1)
        office.bell.ring()
        await until(lambda: office.meter.counts["content-callback delivered"] == 3)


async def test_a_body_that_cannot_be_made_says_nothing_of_the_receiver() -> None:
    office = Office(concurrency=4)
    broken = [
        Notification(f"b-{number}", Endpoint.CONTENT_CALLBACK, "broken", f"content-{number}", NOW, {})
        for number in range(2 * ILL_AFTER)
    ]
    office.store.add_debts([*broken, debt("good", content="other")])
    async with office.open():
        await until(lambda: office.courier.ids() == ["good"])


async def test_a_delivery_that_breaks_in_us_is_made_again_when_its_claim_runs_out(office: Office) -> None:
    nonsense: Any = None
    office.courier.receipts.append(nonsense)
    async with office.open():
        await until(lambda: len(office.courier.sent) == 1)
        office.clock.advance(LEASE.total_seconds())
        office.bell.ring()
        await until(lambda: office.meter.counts["content-callback delivered"] == 1)


async def test_an_endpoint_that_one_process_serves_is_left_alone_by_the_others() -> None:
    office = Office()
    leads = False

    async def won() -> bool:
        return leads

    loop = DeliveryLoop(
        store=office.store,
        courier=office.courier,
        render=office.render,
        endpoints=(Endpoint.CDN_CONTROL, Endpoint.BIGQUERY),
        clock=office.clock,
        jitter=lambda: 0.5,
        meter=office.meter,
        bell=office.bell,
        owner="me",
        concurrency=4,
        lease=LEASE,
        poll_interval=60.0,
        leads={Endpoint.CDN_CONTROL: won},
    )
    office.store.add_debts([debt("purge", Endpoint.CDN_CONTROL), debt("row", Endpoint.BIGQUERY)])
    task = asyncio.create_task(loop.run())
    await until(lambda: office.courier.ids() == ["row"])
    leads = True
    office.bell.ring()
    await until(lambda: office.courier.ids() == ["row", "purge"])
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
