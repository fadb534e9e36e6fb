"""The way to one receiver: what is due for it is claimed, sent side by side or together, and written down together.

Claiming and writing down take turns, and all that ended meanwhile is one write. So the busier a lane is, the fewer its
questions to the store: written down one by one, deliveries of few channels were limited by the store's commits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog
from msgspec import Struct

from streaming_service.application.dispatch import Bell
from streaming_service.application.ports import Clock, Delivery, OutboxStore, Receipt, Tried
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.pacing import Pacing
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

# However large the batches are: what is claimed has to be sent before its claim runs out.
_MOST_CLAIMED = 2048


class Sent(Struct, frozen=True):
    """One try: what is to be written down of it, and what the receiver said. `receipt` None: it was not asked."""

    tried: Tried
    receipt: Receipt | None


class Lane:
    """Deliveries to one endpoint. `attempt` makes one try of each of up to `batch` deliveries, in one request; `bell`
    rings when there may be something new. Nothing waits for a batch to become full.

    `leads`: whether it is this process that serves the endpoint; without it every process does.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        store: OutboxStore,
        attempt: Callable[[Sequence[Delivery]], Awaitable[Sequence[Sent]]],
        clock: Clock,
        owner: str,
        concurrency: int,
        lease: timedelta,
        poll_interval: float,
        leads: Callable[[], Awaitable[bool]] | None = None,
        batch: int = 1,
    ) -> None:
        self._leads = leads
        self._batch = batch
        self._endpoint = endpoint
        self._store = store
        self._attempt = attempt
        self._clock = clock
        self._owner = owner
        self._lease = lease
        self._poll_interval = poll_interval
        self._pacing = Pacing(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._ended: list[Tried] = []
        self._stopping = False
        self.bell = Bell()

    async def run(self) -> None:
        """Until cancelled. What is in hand then is still sent and written down, so that no receiver is told twice."""
        work = asyncio.create_task(self._work(), name=f"lane to {self._endpoint}")
        try:
            await asyncio.shield(work)
        finally:
            self._stopping = True
            self.bell.ring()
            await work

    async def _work(self) -> None:
        while not self._stopping:
            await self._write_down()
            claimed = await self._claim()
            for first in range(0, len(claimed), self._batch):
                together = claimed[first : first + self._batch]
                task = asyncio.create_task(self._deliver(together), name=f"deliver {together[0].notification.id}")
                self._running.add(task)
                task.add_done_callback(self._over)
            if not claimed and not self._ended:
                await self.bell.wait(self._pause())
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._write_down()

    def _pause(self) -> float:
        """Seconds until it is worth looking again, unless the bell rings."""
        now = self._clock.now()
        rest = (self._pacing.open_at(now) - now).total_seconds()
        return min(rest, self._poll_interval) if rest else self._poll_interval

    async def _claim(self) -> tuple[Delivery, ...]:
        now = self._clock.now()
        room = self._pacing.room(len(self._running), now)
        if not room:
            return ()
        try:
            if self._leads and not await self._leads():
                return ()
            # Of a receiver that is ill one delivery at a time finds out, so that the others keep their attempts.
            limit = room if self._pacing.is_ill else min(room * self._batch, _MOST_CLAIMED)
            return await self._store.claim_deliveries(now, self._owner, self._lease, limit, (self._endpoint,))
        except StoreError as error:
            log.warning("store does not answer", job="delivery", reason=str(error))
            return ()

    async def _deliver(self, together: Sequence[Delivery]) -> None:
        try:
            sent = await self._attempt(together)
        except Exception:
            # Whatever it was must not end the lane for the others. Their claim runs out, and they go out again.
            log.exception("delivery interrupted", delivery_ids=[item.notification.id for item in together])
            return
        self._ended += [item.tried for item in sent]
        # However many were in it, a request is one word of the receiver's.
        for receipt in {item.receipt.status: item.receipt for item in sent if item.receipt}.values():
            self._heard(receipt)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.bell.ring()

    def _heard(self, receipt: Receipt) -> None:
        was_ill = self._pacing.is_ill
        self._pacing.heard(receipt.status, receipt.retry_after, self._clock.now())
        if self._pacing.is_ill and not was_ill:
            log.error("receiver does not answer", endpoint=self._endpoint, reason=receipt.detail)
        elif was_ill and not self._pacing.is_ill:
            log.warning("receiver answers again", endpoint=self._endpoint)

    async def _write_down(self) -> None:
        tried, self._ended = self._ended, []
        if tried:
            await write_down(self._store, tried)


async def write_down(store: OutboxStore, tried: Sequence[Tried]) -> None:
    """Keep what came of deliveries. What cannot be kept goes out again under its id when its claim has run out: at
    least once is what we promise."""
    try:
        await store.record(tried)
    except StoreError as error:
        log.warning("deliveries not recorded", delivery_ids=[item.delivery_id for item in tried], reason=str(error))
