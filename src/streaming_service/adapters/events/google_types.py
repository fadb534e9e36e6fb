"""The parts of `google.cloud.pubsub_v1` that we use, typed: the library ships no types of its own.

Everything untyped of Google's stays behind these protocols.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Protocol


class PulledMessage(Protocol):
    """google.cloud.pubsub_v1.subscriber.message.Message."""

    message_id: str

    @property
    def data(self) -> bytes: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def publish_time(self) -> datetime: ...
    @property
    def ordering_key(self) -> str: ...
    @property
    def delivery_attempt(self) -> int | None:
        """1 for the first; None when the subscription has no dead-letter policy."""
        ...

    def nack(self) -> None: ...

    def ack_with_response(self) -> "Future[Any]":
        """Done at once unless the subscription is exactly-once: then done when Pub/Sub took the ack, or failed."""
        ...

    def nack_with_response(self) -> "Future[Any]": ...


class Channel(Protocol):
    """grpc.Channel: its connectivity has a `name`, `READY` when the connection stands."""

    def subscribe(self, callback: Callable[[Any], None], *, try_to_connect: bool) -> None: ...
    def unsubscribe(self, callback: Callable[[Any], None]) -> None: ...


class Transport(Protocol):
    @property
    def grpc_channel(self) -> Channel: ...


class Subscriber(Protocol):
    """google.cloud.pubsub_v1.SubscriberClient."""

    @property
    def transport(self) -> Transport: ...

    def subscribe(
        self,
        subscription: str,
        callback: Callable[[PulledMessage], None],
        *,
        flow_control: Any,
        scheduler: Any,
        await_callbacks_on_shutdown: bool,
    ) -> "Future[Any]": ...

    def close(self) -> None: ...
