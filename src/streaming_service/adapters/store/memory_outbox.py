"""The outbox in memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from msgspec.structs import replace

from streaming_service.adapters.store.codec import KEPT_ATTEMPTS
from streaming_service.adapters.store.paging import BeforeDelivery, from_cursor, to_cursor
from streaming_service.application.ports import (
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
    OutboxBacklog,
    Tried,
)
from streaming_service.domain.notification import Endpoint, Notification


class MemoryOutbox:
    """Implements `ports.OutboxStore`."""

    def __init__(self) -> None:
        # Numbered in the order in which they were owed.
        self._deliveries: dict[int, Delivery] = {}
        self._next = 0
        self._numbers: dict[str, int] = {}
        self._pending: set[int] = set()

    async def owe(self, notifications: Sequence[Notification]) -> None:
        self.add_debts(notifications)

    def add_debts(self, notifications: Sequence[Notification]) -> None:
        """One whose id is there already is the same debt."""
        for notification in notifications:
            if notification.id in self._numbers:
                continue
            number = self._numbers[notification.id] = self._next
            self._next += 1
            self._deliveries[number] = Delivery(notification, DeliveryState.PENDING, (), notification.occurred_at)
            self._pending.add(number)

    async def claim_deliveries(
        self,
        now: datetime,
        owner: str,  # noqa: ARG002 - nobody can look at who holds a claim in here
        lease: timedelta,
        limit: int,
        endpoints: Sequence[Endpoint],
    ) -> tuple[Delivery, ...]:
        due = [
            (moment, number)
            for moment, number in self._heads()
            if moment <= now and self._deliveries[number].notification.endpoint in endpoints
        ]
        oldest = sorted(number for _, number in sorted(due)[:limit])
        return tuple(self._change(number, next_attempt_at=now + lease) for number in oldest)

    async def record(self, tried: Sequence[Tried]) -> None:
        for item in tried:
            number = self._numbers.get(item.delivery_id)
            if number is not None:
                self._record(number, item)

    def _record(self, number: int, tried: Tried) -> None:
        delivery = self._deliveries[number]
        attempts = (*delivery.attempts, tried.attempt)[-KEPT_ATTEMPTS:]
        self._change(number, attempts=attempts, tries=delivery.tries + 1)
        # A late report of a claim that ran out may settle a delivery, but never reopens one.
        if delivery.state is DeliveryState.PENDING or tried.state is DeliveryState.DELIVERED:
            due = tried.next_attempt_at or tried.attempt.at if tried.state is DeliveryState.PENDING else None
            self._change(number, state=tried.state, next_attempt_at=due)

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        number = self._numbers.get(delivery_id)
        return None if number is None else self._deliveries[number]

    async def list_deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        end = self._next if query.cursor is None else from_cursor(query.cursor, BeforeDelivery).sequence
        newest_first = ((number, item) for number, item in reversed(self._deliveries.items()) if number < end)
        matching = (number for number, item in newest_first if _matches(item, query))
        numbers = list(islice(matching, query.limit + 1))
        page = numbers[: query.limit]
        more = len(numbers) > query.limit
        items = tuple(self._deliveries[number] for number in page)
        return DeliveryPage(items, to_cursor(BeforeDelivery(page[-1])) if more else None)

    async def resend(self, delivery_id: str, now: datetime) -> Delivery | None:
        number = self._numbers.get(delivery_id)
        if number is None:
            return None
        return self._change(number, state=DeliveryState.PENDING, next_attempt_at=now, tries=0)

    async def backlog(self) -> OutboxBacklog:
        waiting = [self._deliveries[number].notification for number in sorted(self._pending)]
        dead = sum(delivery.state is DeliveryState.DEAD for delivery in self._deliveries.values())
        counts = Counter(notification.endpoint.value for notification in waiting)
        return OutboxBacklog(counts, waiting[0].occurred_at if waiting else None, dead)

    async def forget_deliveries(self, owed_before: datetime, limit: int) -> int:
        old = (
            number
            for number, item in self._deliveries.items()
            if number not in self._pending and item.notification.occurred_at < owed_before
        )
        gone = list(islice(old, limit))
        for number in gone:
            del self._numbers[self._deliveries.pop(number).notification.id]
        return len(gone)

    def _heads(self) -> Iterator[tuple[datetime, int]]:
        """The oldest pending delivery of each channel and endpoint: when it is due, and its number."""
        lines: set[tuple[str, Endpoint]] = set()
        for number in sorted(self._pending):
            delivery = self._deliveries[number]
            line = delivery.notification.content_id, delivery.notification.endpoint
            if line not in lines:
                lines.add(line)
                if delivery.next_attempt_at:
                    yield delivery.next_attempt_at, number

    def _change(self, number: int, **changes: object) -> Delivery:
        delivery = self._deliveries[number] = replace(self._deliveries[number], **changes)
        if delivery.state is DeliveryState.PENDING:
            self._pending.add(number)
        else:
            self._pending.discard(number)
        return delivery


def _matches(delivery: Delivery, query: DeliveryQuery) -> bool:
    notification = delivery.notification
    pairs = (
        (query.state, delivery.state),
        (query.endpoint, notification.endpoint),
        (query.content_id, notification.content_id),
    )
    return all(wanted is None or wanted == value for wanted, value in pairs)
