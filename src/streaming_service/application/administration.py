"""Everything behind the admin routes: channels, dead letters, deliveries."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from streaming_service.application.channel_operations import MAX_PAGE, ChannelOperations, check_limit
from streaming_service.application.intake import Intake
from streaming_service.application.ports import (
    ChannelQuery,
    Clock,
    DeadLetter,
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    ListedDeadLetter,
    Store,
)
from streaming_service.domain.audit import action
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.domain.state import Status
from streaming_service.domain.wish import SpecPolicy
from streaming_service.errors import NotFound

_FAILURES_SHOWN = 20


class Overview(Struct, frozen=True):
    """Figures for the people who run it: channels by status, deliveries that wait by endpoint, the newest failures."""

    channels: Mapping[str, int]
    pending: Mapping[str, int]
    dead: int
    oldest_seconds: float | None
    dead_letters: int
    failures: tuple[Channel, ...]


class Administration(ChannelOperations):
    """Adds what needs the whole store. Every method raises StoreUnavailable, and NotFound for what does not exist."""

    def __init__(
        self,
        *,
        store: Store,
        intake: Intake,
        notifier: Notifier,
        specs: SpecPolicy,
        clock: Clock,
        changed: Callable[[str], None],
        wake_delivery: Callable[[], None],
    ) -> None:
        super().__init__(store=store, notifier=notifier, specs=specs, clock=clock, changed=changed)
        self._everything = store
        self._intake = intake
        self._wake_delivery = wake_delivery

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[tuple[ListedDeadLetter, ...], str | None]:
        """Newest first, and the cursor of the next page."""
        check_limit(limit)
        return await self._everything.list_dead_letters(limit, cursor)

    async def dead_letter(self, letter_id: str) -> DeadLetter:
        """The whole message."""
        letter = await self._everything.get_dead_letter(letter_id)
        if letter is None:
            raise NotFound(f"dead letter {letter_id} does not exist")
        return letter

    async def replay_dead_letter(self, letter_id: str, cause: Cause) -> None:
        """Understand it now, and close it. Raises InvalidInput when it still cannot be."""
        letter = await self.dead_letter(letter_id)
        await self._put_on_record("dead-letter-replayed", f"dead-letter:{letter_id}", cause, letter.reason)
        await self._intake.replay_dead_letter(letter, cause)

    async def delete_dead_letter(self, letter_id: str, cause: Cause) -> None:
        """Give it up."""
        letter = await self.dead_letter(letter_id)
        await self._put_on_record("dead-letter-deleted", f"dead-letter:{letter_id}", cause, letter.reason)
        if not await self._everything.delete_dead_letter(letter_id):
            raise NotFound(f"dead letter {letter_id} does not exist")

    async def deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        """Newest first."""
        check_limit(query.limit)
        return await self._everything.list_deliveries(query)

    async def delivery(self, delivery_id: str) -> Delivery:
        """With its last attempts."""
        delivery = await self._everything.get_delivery(delivery_id)
        if delivery is None:
            raise NotFound(f"delivery {delivery_id} does not exist")
        return delivery

    async def resend(self, delivery_id: str, cause: Cause) -> Delivery:
        """Owe it again from now on."""
        if owed := await self._everything.get_delivery(delivery_id):
            reason = f"{owed.notification.topic} to {owed.notification.endpoint}, {owed.state} before"
            await self._put_on_record("delivery-resent", f"delivery:{delivery_id}", cause, reason)
        delivery = await self._everything.resend(delivery_id, self._clock.now())
        if delivery is None:
            raise NotFound(f"delivery {delivery_id} does not exist")
        self._wake_delivery()
        return delivery

    async def overview(self) -> Overview:
        """How the service is doing."""
        backlog = await self._everything.backlog()
        counts = await self._everything.count_by_status()
        failed = await self.list(ChannelQuery(status=Status.FAILED, limit=MAX_PAGE))
        newest = sorted(failed.items, key=lambda channel: channel.updated_at, reverse=True)
        return Overview(
            channels={status.value: counts.get(status, 0) for status in Status},
            pending=backlog.pending,
            dead=backlog.dead,
            oldest_seconds=(self._clock.now() - backlog.oldest).total_seconds() if backlog.oldest else None,
            dead_letters=await self._everything.count_dead_letters(),
            failures=tuple(newest[:_FAILURES_SHOWN]),
        )

    async def _put_on_record(self, name: str, about: str, cause: Cause, reason: str) -> None:
        """Before it is done: rather on record and not done than done off the record."""
        now = self._clock.now()
        await self._everything.owe(action(name, about, cause, reason, now, self._notifier.endpoints))
