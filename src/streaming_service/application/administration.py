"""Everything behind the admin routes: channels, dead letters, deliveries."""

from collections.abc import Callable

from streaming_service.application.channel_operations import ChannelOperations, check_limit
from streaming_service.application.intake import Intake
from streaming_service.application.ports import Clock, DeadLetter, Delivery, DeliveryPage, DeliveryQuery, Store
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.errors import NotFound


class Administration(ChannelOperations):
    """Adds what needs the whole store. Every method raises StoreUnavailable, and NotFound for what does not exist."""

    def __init__(
        self,
        *,
        store: Store,
        intake: Intake,
        notifier: Notifier,
        clock: Clock,
        changed: Callable[[str], None],
        wake_delivery: Callable[[], None],
    ) -> None:
        super().__init__(store=store, notifier=notifier, clock=clock, changed=changed)
        self._everything = store
        self._intake = intake
        self._wake_delivery = wake_delivery

    async def dead_letters(self, limit: int, cursor: str | None) -> tuple[tuple[DeadLetter, ...], str | None]:
        """Newest first, and the cursor of the next page."""
        check_limit(limit)
        return await self._everything.list_dead_letters(limit, cursor)

    async def replay_dead_letter(self, letter_id: str, cause: Cause) -> None:
        """Understand it now, and close it. Raises InvalidInput when it still cannot be."""
        letter = await self._everything.get_dead_letter(letter_id)
        if letter is None:
            raise NotFound(f"dead letter {letter_id} does not exist")
        await self._intake.replay_dead_letter(letter, cause)

    async def delete_dead_letter(self, letter_id: str) -> None:
        """Give it up."""
        if not await self._everything.delete_dead_letter(letter_id):
            raise NotFound(f"dead letter {letter_id} does not exist")

    async def deliveries(self, query: DeliveryQuery) -> DeliveryPage:
        """Newest first."""
        check_limit(query.limit)
        return await self._everything.list_deliveries(query)

    async def resend(self, delivery_id: str) -> Delivery:
        """Owe it again from now on."""
        delivery = await self._everything.resend(delivery_id, self._clock.now())
        if delivery is None:
            raise NotFound(f"delivery {delivery_id} does not exist")
        self._wake_delivery()
        return delivery
