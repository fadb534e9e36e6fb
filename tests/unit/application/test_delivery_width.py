"""How many deliveries an endpoint is given side by side."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from streaming_service.application.delivery import DeliveryLoop
from streaming_service.application.ports import Receipt
from streaming_service.domain.notification import Endpoint, Notification
from tests.unit.application.test_delivery import LEASE, Office, debt, until

pytestmark = pytest.mark.anyio


async def test_an_endpoint_may_take_fewer_side_by_side_than_the_others() -> None:
    office, held = Office(), asyncio.Event()
    begun: dict[Endpoint, int] = {Endpoint.CDN_WARMUP: 0, Endpoint.BIGQUERY: 0}

    class Slow:
        async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
            begun[notification.endpoint] += 1
            await held.wait()
            return Receipt(True, 207, "")

    loop = DeliveryLoop(
        store=office.store,
        courier=Slow(),
        render=office.render,
        endpoints=tuple(begun),
        clock=office.clock,
        jitter=lambda: 0.5,
        meter=office.meter,
        bell=office.bell,
        owner="me",
        concurrency=8,
        lease=LEASE,
        poll_interval=60.0,
        narrow={Endpoint.CDN_WARMUP: 2},
    )
    office.store.add_debts([debt(f"{item}-{n}", item, f"content-{n}") for item in begun for n in range(6)])
    task = asyncio.create_task(loop.run())
    await until(lambda: begun[Endpoint.BIGQUERY] == 6)
    assert begun[Endpoint.CDN_WARMUP] == 2
    held.set()
    await until(lambda: begun[Endpoint.CDN_WARMUP] == 6)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
