"""Pay what the outbox owes.

Endpoints do not wait for each other, the deliveries of one channel to one endpoint keep their order, and nothing is
ever given up silently: a debt ends as delivered or as dead, visible and resendable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from streaming_service.application.dispatch import Bell
from streaming_service.application.lane import Lane, Sent
from streaming_service.application.ports import (
    Attempt,
    Clock,
    Courier,
    Delivery,
    DeliveryState,
    Meter,
    OutboxStore,
    Receipt,
    Tried,
)
from streaming_service.domain.notification import Endpoint, Notification, next_attempt

log = structlog.get_logger(__name__)

Render = Callable[[Notification], Mapping[str, Any]]
_GONE = "the receiver says it is gone for good (410)"


class DeliveryLoop:
    """Sends what is due: a lane for each endpoint, so that a dead receiver slows nobody else, and in it up to
    `concurrency` deliveries side by side.

    `lease` is how long a claimed delivery may take before somebody else sends it, `poll_interval` seconds. `leads` says
    of endpoints that one process at a time serves whether it is this one.
    """

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
        leads: Mapping[Endpoint, Callable[[], Awaitable[bool]]] | None = None,
    ) -> None:
        self._courier = courier
        self._render = render
        self._clock = clock
        self._jitter = jitter
        self._meter = meter
        self._bell = bell
        self._poll_interval = poll_interval
        self._lanes = {
            endpoint: Lane(
                endpoint,
                store=store,
                attempt=self.attempt,
                clock=clock,
                owner=owner,
                concurrency=concurrency,
                lease=lease,
                poll_interval=poll_interval,
                leads=(leads or {}).get(endpoint),
            )
            for endpoint in endpoints
        }

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            for endpoint, lane in self._lanes.items():
                lanes.create_task(lane.run(), name=f"deliver to {endpoint}")
            while True:
                await self._bell.wait(self._poll_interval)
                for lane in self._lanes.values():
                    lane.bell.ring()

    async def attempt(self, delivery: Delivery) -> Sent:
        """One try, not written down yet."""
        notification = delivery.notification
        began = self._clock.now()
        try:
            body = self._render(notification)
        except Exception as error:
            # A mistake of ours, whatever it is. The debt stays, visible, until a release that makes its body, or the
            # schedule, ends.
            log.exception("delivery has no body", delivery_id=notification.id)
            receipt, asked = Receipt(False, None, f"its body could not be made: {error!r}"), False
        else:
            receipt, asked = await self._courier.deliver(notification, body), True
        ended = self._clock.now()
        attempt = Attempt(ended, receipt.status, receipt.detail, (ended - began).total_seconds() * 1000)
        retry_at = None if receipt.ok else self._retry_at(delivery, receipt)
        state = DeliveryState.DELIVERED if receipt.ok else DeliveryState.PENDING if retry_at else DeliveryState.DEAD
        self._report(notification, receipt, state)
        return Sent(Tried(notification.id, attempt, state, retry_at), receipt if asked else None)

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
