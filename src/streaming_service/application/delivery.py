"""Pay what the outbox owes.

Endpoints do not wait for each other, the deliveries of one channel to one endpoint keep their order, and nothing is
ever given up silently: a debt ends as delivered or as dead, visible and resendable.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from streaming_service.application.dispatch import Bell
from streaming_service.application.ports import (
    Attempt,
    Clock,
    Courier,
    Delivery,
    DeliveryState,
    Meter,
    OutboxStore,
    Receipt,
)
from streaming_service.domain.notification import Endpoint, Notification, next_attempt
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

Render = Callable[[Notification], Mapping[str, Any]]
_GONE = "the receiver says it is gone for good (410)"


class DeliveryLoop:
    """Claims due deliveries and sends them, `concurrency` at a time."""

    def __init__(
        self,
        *,
        store: OutboxStore,
        courier: Courier,
        render: Render,
        endpoints: tuple[Endpoint, ...],
        clock: Clock,
        jitter: Callable[[], float],
        meter: Meter,
        bell: Bell,
        owner: str,
        concurrency: int,
        lease: timedelta,
        poll_interval: float,
    ) -> None:
        self._store = store
        self._courier = courier
        self._render = render
        self._endpoints = endpoints
        self._clock = clock
        self._jitter = jitter
        self._meter = meter
        self._bell = bell
        self._owner = owner
        self._concurrency = concurrency
        self._lease = lease
        self._poll_interval = poll_interval

    async def run(self) -> None:
        """Until cancelled. One lane per endpoint, so that a dead receiver slows nobody else."""
        async with asyncio.TaskGroup() as lanes:
            bells = [Bell() for _ in self._endpoints]
            for endpoint, bell in zip(self._endpoints, bells, strict=True):
                lanes.create_task(self._lane(endpoint, bell), name=f"deliver to {endpoint}")
            while True:
                await self._bell.wait(self._poll_interval)
                for bell in bells:
                    bell.ring()

    async def _lane(self, endpoint: Endpoint, bell: Bell) -> None:
        running: set[asyncio.Task[DeliveryState]] = set()
        try:
            while True:
                claimed = await self._claim(endpoint, self._concurrency - len(running))
                for delivery in claimed:
                    task = asyncio.create_task(self.deliver(delivery), name=f"deliver {delivery.notification.id}")
                    running.add(task)
                    task.add_done_callback(running.discard)
                    task.add_done_callback(lambda _: bell.ring())
                if not claimed:
                    await bell.wait(self._poll_interval)
        finally:
            # A delivery in hand is short; letting it end avoids telling a receiver twice.
            await asyncio.gather(*running, return_exceptions=True)

    async def _claim(self, endpoint: Endpoint, room: int) -> tuple[Delivery, ...]:
        if room <= 0:
            return ()
        try:
            return await self._store.claim_deliveries(self._clock.now(), self._owner, self._lease, room, (endpoint,))
        except StoreError as error:
            log.warning("store does not answer", job="delivery", reason=str(error))
            return ()

    async def deliver(self, delivery: Delivery) -> DeliveryState:
        """One attempt, written down."""
        notification = delivery.notification
        began = self._clock.now()
        receipt = await self._send(notification)
        ended = self._clock.now()
        attempt = Attempt(ended, receipt.status, receipt.detail, (ended - began).total_seconds() * 1000)
        retry_at = None if receipt.ok else self._retry_at(delivery, receipt)
        state = DeliveryState.DELIVERED if receipt.ok else DeliveryState.PENDING if retry_at else DeliveryState.DEAD
        self._report(notification, receipt, state)
        try:
            await self._store.record_attempt(notification.id, attempt, state, retry_at)
        except StoreError as error:
            # It stays pending and goes out again under the same id: at least once is what we promise.
            log.warning("delivery not recorded", delivery_id=notification.id, reason=str(error))
        return state

    async def _send(self, notification: Notification) -> Receipt:
        try:
            body = self._render(notification)
        except Exception as error:
            # A mistake of ours. The debt stays, visible, until a release that makes its body, or the schedule, ends.
            log.exception("delivery has no body", delivery_id=notification.id)
            return Receipt(ok=False, status=None, detail=f"its body could not be made: {error!r}")
        return await self._courier.deliver(notification, body)

    def _retry_at(self, delivery: Delivery, receipt: Receipt) -> datetime | None:
        if receipt.gone:
            return None
        return next_attempt(delivery.tries + 1, self._clock.now(), self._jitter(), receipt.retry_after)

    def _report(self, notification: Notification, receipt: Receipt, state: DeliveryState) -> None:
        self._meter.delivery(notification.endpoint, state)
        if receipt.ok:
            return
        write = log.error if state is DeliveryState.DEAD else log.warning
        write(
            "delivery dead" if state is DeliveryState.DEAD else "delivery failed",
            delivery_id=notification.id,
            endpoint=notification.endpoint,
            content_id=notification.content_id,
            reason=_GONE if receipt.gone else receipt.detail,
        )
