"""Between Google's threads and our event loop.

Google's client hands messages to a scheduler that has a thread pool by default. This one makes each message a task on
the event loop instead: the handler never runs on Google's threads, and no thread waits for a handler.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.adapters.events.answering import answer
from streaming_service.adapters.events.counting import SourceMeter, Uncounted
from streaming_service.adapters.events.google_types import PulledMessage
from streaming_service.adapters.events.ordering import KeyOrder
from streaming_service.application.ports import Ack, EventHandler, Message

log: FilteringBoundLogger = structlog.get_logger(__name__)


class Dispatch:
    """Implements google.cloud.pubsub_v1.subscriber.scheduler.Scheduler for one stream.

    A message is in hand from `take` until Pub/Sub confirmed its ack or nack; meanwhile Google's client extends its
    lease. `drain_seconds` is how long a closing stream waits for what is in hand. A handler that takes longer than
    `handle_seconds` is cancelled and its message given back: it must not hold a place and a lease for ever.
    `order_patience`: see KeyOrder.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: EventHandler,
        drain_seconds: float,
        *,
        handle_seconds: float = 600.0,
        order_patience: float = 60.0,
        meter: SourceMeter | None = None,
    ) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()  # Google's dispatcher reads acks and nacks from it
        self._loop = loop
        self._handler = handler
        self._drain_seconds = drain_seconds
        self._handle_seconds = handle_seconds
        self._order = KeyOrder(order_patience)  # touched on the event loop only
        self._meter = meter or Uncounted()
        self._lock = threading.Lock()
        self._in_hand: dict[futures.Future[None], PulledMessage] = {}
        self.closed = False
        self._last_sign = time.monotonic()
        self.taken = 0

    # -- called on Google's threads -------------------------------------------------------------------------------

    def schedule(self, callback: Callable[[PulledMessage], None], message: PulledMessage) -> None:
        """Google's side calls this for each message; `callback` ends in `take`."""
        callback(message)

    def take(self, message: PulledMessage) -> None:
        """The callback given to `subscribe`. Never blocks."""
        with self._lock:
            if not self.closed:
                self.taken += 1
                self._last_sign = time.monotonic()
                future = asyncio.run_coroutine_threadsafe(self._handle(message), self._loop)
                self._in_hand[future] = message
            else:
                future = None
        if future is None:
            message.nack()  # while we close, acks can still release messages that the client held back
        else:
            future.add_done_callback(self._put_down)

    def shutdown(self, await_msg_callbacks: bool = False) -> list[PulledMessage]:  # noqa: ARG002 - Google's name for it
        """Take nothing more and wait for what is in hand, so that its acks are queued before Google stops sending acks.

        Blocks up to `drain_seconds`; what is not done by then is cancelled and given back. Calling it twice is fine.
        """
        self.refuse()
        with self._lock:
            waiting = dict(self._in_hand)
        _, late = futures.wait(waiting, timeout=self._drain_seconds)
        for future in late:
            if future.cancel():
                waiting[future].nack()
        if late:
            log.warning("events cut off by shutdown", count=len(late), waited_seconds=self._drain_seconds)
        return []

    # -- called on the event loop ---------------------------------------------------------------------------------

    def refuse(self) -> None:
        """From now on messages go straight back."""
        with self._lock:
            self.closed = True

    @property
    def in_hand(self) -> int:
        return len(self._in_hand)

    def silent_for(self) -> float:
        """Seconds since a message came or went; 0 while one is in hand."""
        return 0.0 if self._in_hand else time.monotonic() - self._last_sign

    async def _handle(self, pulled: PulledMessage) -> None:
        message = Message(
            data=pulled.data,
            attributes=dict(pulled.attributes),
            message_id=pulled.message_id,
            published_at=pulled.publish_time,
            delivery_attempt=pulled.delivery_attempt,
        )
        verdict = await self._verdict(message, pulled.ordering_key)
        confirmed = pulled.ack_with_response() if verdict is Ack.ACK else pulled.nack_with_response()
        try:
            await asyncio.wrap_future(confirmed)
        except Exception as error:  # noqa: BLE001 - Google's AcknowledgeError and whatever its retries end in
            # Not our loss: the message comes again, and handling it again changes nothing.
            self._meter.answer_lost(verdict)
            log.warning("answer not taken", message_id=pulled.message_id, answer=str(verdict), error=str(error))

    async def _verdict(self, message: Message, key: str) -> Ack:
        if not self._order.admits(key, message.message_id, time.monotonic()):
            log.info("event goes back behind an earlier one", message_id=message.message_id, ordering_key=key)
            return Ack.NACK
        verdict = Ack.NACK
        try:
            async with asyncio.timeout(self._handle_seconds):
                verdict = await answer(self._handler, message)
        except TimeoutError:
            log.error("event given back: it took too long", message_id=message.message_id, seconds=self._handle_seconds)
        if verdict is Ack.NACK:
            self._order.given_back(key, message.message_id, time.monotonic())
        return verdict

    def _put_down(self, future: "futures.Future[None]") -> None:
        with self._lock:
            self._in_hand.pop(future, None)
            self._last_sign = time.monotonic()
