"""What is over is kept for a while."""

from datetime import timedelta

import pytest

from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.ports import Attempt, DeliveryQuery, DeliveryState, Tried
from streaming_service.application.retention import Retention
from streaming_service.domain.notification import Endpoint, Notification
from tests.fakes import NOW, FakeClock

pytestmark = pytest.mark.anyio


async def test_what_is_settled_goes_when_its_time_is_over_and_what_is_owed_stays() -> None:
    store, clock = MemoryStore(), FakeClock()
    names = [f"d-{number}" for number in range(1001)]
    store.add_debts([Notification(name, Endpoint.BIGQUERY, "t", name, NOW, {}) for name in names])
    done = Attempt(NOW, 204, "", 1.0)
    await store.record([Tried(name, done, DeliveryState.DELIVERED) for name in names[:-1]])
    retention = Retention(store=store, clock=clock, kept=timedelta(days=30))

    clock.advance(30 * 86400)
    assert await retention.run() == 0
    clock.advance(1)
    assert await retention.run() == 1000
    assert [item.notification.id for item in (await store.list_deliveries(DeliveryQuery())).items] == ["d-1000"]
