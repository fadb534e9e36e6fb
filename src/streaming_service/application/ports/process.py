"""Time, chance, and what keeps a process going."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Clock(Protocol):
    def now(self) -> datetime:
        """UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Message(Struct, frozen=True):
    """An upload message as a source hands it over.

    `delivery_attempt` counts from 1; None when the source does not count.
    """

    data: bytes
    attributes: Mapping[str, str] = {}
    message_id: str = ""
    published_at: datetime | None = None
    delivery_attempt: int | None = None


class Ack(StrEnum):
    ACK = "ack"
    NACK = "nack"


class EventHandler(Protocol):
    async def __call__(self, message: Message) -> Ack: ...


class EventSource(Protocol):
    def consume(self, handler: EventHandler) -> AbstractAsyncContextManager[None]:
        """Hand every message to `handler` while the context is open; leaving it drains what is in hand."""
        ...


class Meter(Protocol):
    """Counts what happens. The null meter counts nothing."""

    def provisioned(self, result: str, seconds: float | None = None) -> None: ...

    def upload_event(self, result: str) -> None: ...

    def introspection(self, result: str) -> None: ...

    def delivery(self, endpoint: str, result: str) -> None: ...
