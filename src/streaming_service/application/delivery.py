"""Pay what the outbox owes.

Endpoints do not wait for each other, the deliveries of one channel to one endpoint keep their order, and nothing is
ever given up silently: a debt ends as delivered or as dead, visible and resendable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec import Struct

from streaming_service.application.dispatch import Bell
from streaming_service.application.lane import Lane, Sent
from streaming_service.application.ports import (
    Attempt,
    BulkCourier,
    Clock,
    Courier,
    Delivery,
    DeliveryState,
    Item,
    Meter,
    OutboxStore,
    Receipt,
    Tried,
)
from streaming_service.domain.notification import Endpoint, Notification, next_attempt
from streaming_service.domain.trace import Begun, Lineage, TraceContext, lineage
from streaming_service.tracing import NO_TRACER, Kind, Tracer, active

log = structlog.get_logger(__name__)

Render = Callable[[Notification], Mapping[str, Any]]
# Of a batch: OpenTelemetry keeps no more than 128.
_MOST_LINKS = 100
_GONE = "the receiver says it is gone for good (410)"


class Bulk(Struct, frozen=True):
    """Up to `size` deliveries go out in one request."""

    courier: BulkCourier
    size: int


class DeliveryLoop:
    """Sends what is due: a lane for each endpoint, so that a dead receiver slows nobody else, and in it up to
    `concurrency` deliveries side by side.

    `lease` is how long a claimed delivery may take before somebody else sends it, `poll_interval` seconds. `leads` says
    of endpoints that one process at a time serves whether it is this one, `narrow` has those that take fewer side by
    side. Endpoints in `bulk` get many deliveries in one request.
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
        narrow: Mapping[Endpoint, int] | None = None,
        tracer: Tracer = NO_TRACER,
        bulk: Mapping[Endpoint, Bulk] | None = None,
    ) -> None:
        self._courier = courier
        self._render = render
        self._clock = clock
        self._jitter = jitter
        self._meter = meter
        self._bell = bell
        self._poll_interval = poll_interval
        self._tracer = tracer
        self._bulk = bulk or {}
        self._lanes = {
            endpoint: Lane(
                endpoint,
                store=store,
                attempt=self._attempt_all,
                clock=clock,
                owner=owner,
                concurrency=min(concurrency, (narrow or {}).get(endpoint, concurrency)),
                lease=lease,
                poll_interval=poll_interval,
                leads=(leads or {}).get(endpoint),
                batch=self._bulk[endpoint].size if endpoint in self._bulk else 1,
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
        with active(
            self._tracer.begin(
                f"deliver {notification.endpoint}",
                Kind.INTERNAL,
                lineage(_begun(notification), self._clock.now()),
                {
                    "streaming.content_id": notification.content_id,
                    "streaming.event": notification.topic,
                    "streaming.delivery.id": notification.id,
                    "streaming.delivery.tries": delivery.tries,
                },
            )
        ) as span:
            sent = await self._attempt(delivery)
            span.note({"streaming.delivery.state": sent.tried.state})
            if sent.tried.state is not DeliveryState.DELIVERED:
                span.failed(str(sent.tried.attempt.status or "no answer"))
            return sent

    async def attempt_together(self, deliveries: Sequence[Delivery], courier: BulkCourier) -> Sequence[Sent]:
        """One try of each in one request, not written down yet."""
        endpoint, now = deliveries[0].notification.endpoint, self._clock.now()
        links = [link for item in deliveries for link in _traces_of(item, now)]
        about = {"streaming.delivery.batch": len(deliveries)}
        told = Lineage(links=tuple(dict.fromkeys(links))[:_MOST_LINKS])
        with active(self._tracer.begin(f"deliver {endpoint} together", Kind.INTERNAL, told, about)) as span:
            sent = await self._attempt_together(deliveries, courier)
            left = sum(item.tried.state is not DeliveryState.DELIVERED for item in sent)
            span.note({"streaming.delivery.failed": left})
            if left == len(sent):
                span.failed(str(sent[0].tried.attempt.status or "no answer"))
            return sent

    async def _attempt_all(self, deliveries: Sequence[Delivery]) -> Sequence[Sent]:
        bulk = self._bulk.get(deliveries[0].notification.endpoint)
        if bulk:
            return await self.attempt_together(deliveries, bulk.courier)
        return [await self.attempt(delivery) for delivery in deliveries]

    async def _attempt(self, delivery: Delivery) -> Sent:
        began, body = self._clock.now(), self._rendered(delivery.notification)
        if isinstance(body, Receipt):
            return self._ended(delivery, body, began, asked=False)
        return self._ended(delivery, await self._courier.deliver(delivery.notification, body), began)

    async def _attempt_together(self, deliveries: Sequence[Delivery], courier: BulkCourier) -> Sequence[Sent]:
        began = self._clock.now()
        bodies = [self._rendered(delivery.notification) for delivery in deliveries]
        items: list[Item] = [
            (delivery.notification, body)
            for delivery, body in zip(deliveries, bodies, strict=True)
            if not isinstance(body, Receipt)
        ]
        receipts = iter(await courier.deliver_together(items) if items else ())
        return [
            self._ended(delivery, body, began, asked=False)
            if isinstance(body, Receipt)
            else self._ended(delivery, next(receipts), began)
            for delivery, body in zip(deliveries, bodies, strict=True)
        ]

    def _rendered(self, notification: Notification) -> Mapping[str, Any] | Receipt:
        """Its body, or why there is none: a mistake of ours. The debt stays, visible, until a release that makes its
        body, or the schedule, ends."""
        try:
            return self._render(notification)
        except Exception as error:
            # A mistake of ours, whatever it is.
            log.exception("delivery has no body", delivery_id=notification.id)
            return Receipt(False, None, f"its body could not be made: {error!r}")

    def _ended(self, delivery: Delivery, receipt: Receipt, began: datetime, *, asked: bool = True) -> Sent:
        notification, ended = delivery.notification, self._clock.now()
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


def _begun(notification: Notification) -> Begun | None:
    """Where the debt was made."""
    return Begun(notification.trace, notification.occurred_at) if notification.trace else None


def _traces_of(delivery: Delivery, now: datetime) -> tuple[TraceContext, ...]:
    told = lineage(_begun(delivery.notification), now)
    return (told.parent,) if told.parent else told.links
