"""One StreamingPull connection of Google's client."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, cast

from msgspec import Struct

from streaming_service.adapters.events.dispatch import Dispatch
from streaming_service.adapters.events.google_types import Subscriber

_SETTLE_SECONDS = 1.0  # a refusal (no such subscription, no permission) arrives well within this
# Sending the last acks and joining Google's threads takes milliseconds when Pub/Sub is there. When it is away one of
# the threads may sleep 10 s before it reconnects, and there is nothing to wait for.
_CLOSE_SECONDS = 5.0
_CLOSE_SECONDS_WHEN_AWAY = 1.0


class Limits(Struct, frozen=True):
    """How much of a stream is taken on at once, and for how long.

    Each extension of a lease reaches `lease_seconds` (10 to 600) ahead; a handler gets `handle_seconds`.
    """

    max_messages: int
    max_bytes: int
    lease_seconds: int
    handle_seconds: float


class Stream:
    """Opens once, closes once. What blocks runs on a thread: importing, finding credentials, joining threads."""

    def __init__(self, subscription: str, dispatch: Dispatch, limits: Limits) -> None:
        self._subscription = subscription
        self._dispatch = dispatch
        self._limits = limits
        self._client: Subscriber | None = None
        self._pulling: Future[Any] | None = None
        self._ended = asyncio.Event()
        self._connected = False
        self._opened_at = 0.0
        self._away_since = 0.0

    @property
    def alive(self) -> bool:
        """Connected, and not refused: a message came, or it stands long enough for a refusal to have arrived."""
        settled = self._dispatch.taken > 0 or time.monotonic() - self._opened_at >= _SETTLE_SECONDS
        return self._connected and settled and not self._ended.is_set()

    def away_for(self) -> float:
        """Seconds without a connection; 0 while there is one, or something is in hand and must be let end."""
        return 0.0 if self._connected or self._dispatch.in_hand else time.monotonic() - self._away_since

    async def open(self) -> None:
        """Start pulling. Raises what Google's client raises, for example when there are no credentials."""
        loop = asyncio.get_running_loop()
        self._client, flow_control = await asyncio.to_thread(self._connect)
        self._opened_at = self._away_since = time.monotonic()
        self._pulling = self._client.subscribe(
            self._subscription,
            self._dispatch.take,
            flow_control=flow_control,
            scheduler=self._dispatch,
            await_callbacks_on_shutdown=True,
        )
        self._pulling.add_done_callback(lambda _: loop.call_soon_threadsafe(self._ended.set))
        self._client.transport.grpc_channel.subscribe(self._on_connectivity, try_to_connect=True)

    async def ended_or(self, stopping: asyncio.Event, *, timeout: float) -> None:
        """Wait until the stream ends, `stopping` is set or the time is over. Raises what ended the stream."""
        waits = [asyncio.create_task(event.wait()) for event in (self._ended, stopping)]
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._ended.is_set() and self._pulling is not None:
            self._pulling.result()
            raise ConnectionError("the stream ended without a reason")

    async def close(self) -> None:
        """Stop pulling, wait for what is in hand (at most the dispatch's drain time), close the connection."""
        if self._client is None:
            return
        patience = _CLOSE_SECONDS if self._connected else _CLOSE_SECONDS_WHEN_AWAY
        self._client.transport.grpc_channel.unsubscribe(self._on_connectivity)
        if self._pulling is not None:
            self._dispatch.refuse()
            self._pulling.cancel()
            await asyncio.to_thread(self._dispatch.shutdown)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._ended.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await asyncio.wrap_future(_on_a_thread_of_its_own(self._client.close))

    def _connect(self) -> tuple[Subscriber, Any]:
        from google.cloud import pubsub_v1  # noqa: PLC0415 - half a second that start-up need not wait for

        client = cast("Subscriber", pubsub_v1.SubscriberClient())
        flow_control = pubsub_v1.types.FlowControl(
            max_messages=self._limits.max_messages,
            max_bytes=self._limits.max_bytes,
            # Longer than any handler may take: a lease is never given up under one.
            max_lease_duration=self._limits.handle_seconds + self._limits.lease_seconds,
            min_duration_per_lease_extension=self._limits.lease_seconds,
            max_duration_per_lease_extension=self._limits.lease_seconds,
        )
        return client, flow_control

    def _on_connectivity(self, state: Any) -> None:
        connected = state.name == "READY"
        if self._connected and not connected:
            self._away_since = time.monotonic()
        self._connected = connected


def _on_a_thread_of_its_own(function: Callable[[], None]) -> "Future[None]":
    """A daemon, unlike a thread of the loop's pool: the process can end while it still waits."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()  # nobody can cancel it any more, only stop waiting for it

    def run() -> None:
        try:
            future.set_result(function())
        except Exception as error:  # noqa: BLE001 - handed on, not swallowed
            future.set_exception(error)

    threading.Thread(target=run, name="pubsub-close", daemon=True).start()
    return future
