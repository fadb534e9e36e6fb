"""Google Pub/Sub by StreamingPull."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from structlog.typing import FilteringBoundLogger

from streaming_service.adapters.events.counting import SourceMeter, Uncounted
from streaming_service.adapters.events.dispatch import Dispatch
from streaming_service.adapters.events.stream import Limits, Stream
from streaming_service.application.ports import EventHandler

log: FilteringBoundLogger = structlog.get_logger(__name__)


# A handler may take as long as so many leases.
_LEASES = 10


def jittered_backoff(failures: int) -> float:
    """Seconds until the next try: doubling from 0.5 to 30; half of it is random so that pods do not march in step."""
    return min(30.0, 0.5 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - hides nothing


class _Away(ConnectionError):
    """Google's client still tries, but a new one looks addresses and credentials up again."""


class PubSubSource:
    """Pulls `subscription` (`projects/P/subscriptions/S`) from Google, or from `PUBSUB_EMULATOR_HOST`.

    `ack_deadline_seconds` (10 to 600 are usable) is how long Pub/Sub waits for a sign of life before it gives a
    message to somebody else; while a message is in hand the client keeps extending it, for ten times as long at most:
    then it is given back. At most `max_messages`, about `max_bytes` together, are in hand. Leaving the consume context
    stops pulling and waits up to `drain_seconds` for what is in hand.

    A stream that ends is logged and opened again after `backoff(failures)` seconds, and so is one that has had no
    connection for `max_away_seconds`. One that is silent for `max_silence_seconds` is replaced: streams are known to
    go quiet without an error, and an idle one costs nothing to replace.
    """

    def __init__(
        self,
        subscription: str,
        ack_deadline_seconds: int,
        max_messages: int = 64,
        *,
        max_bytes: int = 32 * 1024 * 1024,
        drain_seconds: float = 10.0,
        max_silence_seconds: float = 900.0,
        max_away_seconds: float = 60.0,
        backoff: Callable[[int], float] = jittered_backoff,
        meter: SourceMeter | None = None,
    ) -> None:
        self._subscription = subscription
        lease = min(600, max(10, ack_deadline_seconds))  # what Pub/Sub allows
        self._limits = Limits(max_messages, max_bytes, lease, float(_LEASES * lease))
        self._max_away_seconds = max_away_seconds
        self._meter = meter or Uncounted()
        self._drain_seconds = drain_seconds
        self._max_silence_seconds = max_silence_seconds
        self._backoff = backoff
        self._stream: Stream | None = None
        self._consuming = False

    @property
    def alive(self) -> bool:
        """A stream is open and connected; for `/readyz`."""
        return self._stream is not None and self._stream.alive

    @property
    def state(self) -> int:
        """0 nobody pulls, 1 a stream is wanted and not there, 2 it is."""
        return 2 if self.alive else int(self._consuming)

    def consume(self, handler: EventHandler) -> AbstractAsyncContextManager[None]:
        """See EventSource. One consumer at a time: a second one raises RuntimeError.

        Entering does not wait for the connection: a service that starts while Pub/Sub is away starts all the same.
        """
        return self._consume(handler)

    @asynccontextmanager
    async def _consume(self, handler: EventHandler) -> AsyncGenerator[None]:
        if self._consuming:
            raise RuntimeError("this source has a consumer already")
        self._consuming = True
        stopping = asyncio.Event()
        pulling = asyncio.create_task(self._keep_pulling(handler, stopping), name=f"pull {self._subscription}")
        try:
            yield
        finally:
            stopping.set()
            await pulling
            self._consuming = False

    async def _keep_pulling(self, handler: EventHandler, stopping: asyncio.Event) -> None:
        failures = 0
        while not stopping.is_set():
            dispatch = Dispatch(
                asyncio.get_running_loop(),
                handler,
                self._drain_seconds,
                handle_seconds=self._limits.handle_seconds,
                order_patience=self._limits.lease_seconds,
                meter=self._meter,
            )
            try:
                await self._pull(dispatch, stopping)
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, an upload may be waiting: open another
                failures = 0 if dispatch.taken else failures + 1
                delay = self._backoff(failures)
                self._meter.stream_reopened("away" if isinstance(error, _Away) else "ended")
                log.warning(
                    "event stream ended", subscription=self._subscription, error=str(error), retry_in_seconds=delay
                )
                await _set_within(stopping, delay)

    async def _pull(self, dispatch: Dispatch, stopping: asyncio.Event) -> None:
        """One stream from opening to closing. Raises what ended it; returns when it was we who ended it."""
        stream = Stream(self._subscription, dispatch, self._limits)
        try:
            await stream.open()
            self._stream = stream
            log.info("event stream open", subscription=self._subscription)
            while not stopping.is_set() and dispatch.silent_for() < self._max_silence_seconds:
                rest = max(0.0, self._max_silence_seconds - dispatch.silent_for())
                await stream.ended_or(stopping, timeout=min(rest, self._max_away_seconds / 4))
                if stream.away_for() >= self._max_away_seconds:
                    raise _Away(f"no connection for {self._max_away_seconds:g} s")
            if not stopping.is_set():
                self._meter.stream_reopened("silent")
                log.info("event stream silent, opening another", subscription=self._subscription)
        finally:
            self._stream = None
            await stream.close()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
