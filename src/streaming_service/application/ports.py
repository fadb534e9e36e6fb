"""What the use cases need from the world. Adapters implement these; nothing here knows how."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from streaming_service.domain.access import Viewer
from streaming_service.domain.channel import Channel, Placement
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.domain.history import Change, HistoryEntry
from streaming_service.domain.notification import Endpoint, Notification

# -- the store --------------------------------------------------------------------------------------------------------


class ChannelQuery(Struct, frozen=True):
    """Filters of a listing; `q` matches content ids and sources. `cursor` is the last answer's `next`."""

    status: str | None = None
    classification: str | None = None
    tenant_id: str | None = None
    q: str | None = None
    limit: int = 50
    cursor: str | None = None


class ChannelPage(Struct, frozen=True):
    """One page in content id order; `next` is None on the last."""

    items: tuple[Channel, ...]
    next: str | None = None


class ChannelStore(Protocol):
    """Channels with their history; every write also stores the notifications it owes."""

    async def get(self, content_id: str) -> Channel | None:
        """The channel as last written."""
        ...

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        """Write channel, history and notifications in one transaction if nobody wrote since `change.channel.version`.

        Returns the channel with its new version. Raises Conflict, and then nothing was written.
        """
        ...

    async def list(self, query: ChannelQuery) -> ChannelPage:
        """A page of channels that match."""
        ...

    async def history(self, content_id: str, limit: int) -> tuple[HistoryEntry, ...]:
        """The newest entries first."""
        ...

    async def on_ome(self) -> tuple[Channel, ...]:
        """Every channel that has something on an OME now: serving, building or draining."""
        ...

    async def count_by_status(self) -> Mapping[str, int]:
        """How many channels there are of each status."""
        ...

    async def claim_due(self, now: datetime, owner: str, lease: timedelta, limit: int) -> tuple[Channel, ...]:
        """Lease up to `limit` channels that are due and that nobody holds, the longest due first."""
        ...

    async def extend_lease(self, content_id: str, owner: str, until: datetime) -> bool:
        """Heartbeat. False when somebody else holds the channel meanwhile."""
        ...

    async def release(self, content_id: str, owner: str, version: int, due_at: datetime | None) -> None:
        """Give a lease back and say when the channel is due next.

        `version` is the one that the holder saw last. When somebody wrote since then, their `due_at` stays: a wish
        that arrives while a worker is finishing is not forgotten. Nothing happens when `owner` lost the lease.
        """
        ...


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Attempt(Struct, frozen=True):
    """One try of a delivery. `status` is the HTTP status, None when there was no answer."""

    at: datetime
    status: int | None
    detail: str
    duration_ms: float


class Delivery(Struct, frozen=True):
    """A notification on its way.

    `attempts` are the last 20. `tries` counts those since it was owed, or owed again: the position in the schedule.
    `next_attempt_at` is None once it is settled; while it is claimed, it is when the claim runs out.
    """

    notification: Notification
    state: DeliveryState
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None
    tries: int = 0


class DeliveryQuery(Struct, frozen=True):
    """Filters of a listing, newest first."""

    state: str | None = None
    endpoint: str | None = None
    content_id: str | None = None
    limit: int = 50
    cursor: str | None = None


class DeliveryPage(Struct, frozen=True):
    """One page; `next` is None on the last."""

    items: tuple[Delivery, ...]
    next: str | None = None


class OutboxBacklog(Struct, frozen=True):
    """What waits: count per endpoint and when the oldest was owed."""

    pending: Mapping[str, int]
    oldest: datetime | None
    dead: int = 0


class OutboxStore(Protocol):
    """Debts. Per channel and endpoint only the oldest one is handed out, so order is kept."""

    async def claim_deliveries(
        self, now: datetime, owner: str, lease: timedelta, limit: int, endpoints: Sequence[Endpoint]
    ) -> tuple[Delivery, ...]:
        """Lease up to `limit` deliveries whose time has come."""
        ...

    async def record_attempt(
        self, delivery_id: str, attempt: Attempt, state: DeliveryState, next_attempt_at: datetime | None
    ) -> None:
        """Write down what came of a claimed delivery, and free it."""
        ...

    async def get_delivery(self, delivery_id: str) -> Delivery | None: ...

    async def list_deliveries(self, query: DeliveryQuery) -> DeliveryPage: ...

    async def resend(self, delivery_id: str, now: datetime) -> Delivery | None:
        """Owe it again from now, whatever became of it. None when there is no such delivery."""
        ...

    async def backlog(self) -> OutboxBacklog: ...


class DeadLetter(Struct, frozen=True):
    """A message that could not be understood, whole, with the reason."""

    id: str
    received_at: datetime
    source: str
    message_id: str
    reason: str
    field: str
    data: bytes
    attributes: Mapping[str, str]


class DeadLetterStore(Protocol):
    async def add_dead_letter(self, letter: DeadLetter) -> None:
        """Keep it; adding the same id again changes nothing."""
        ...

    async def get_dead_letter(self, letter_id: str) -> DeadLetter | None: ...

    async def list_dead_letters(self, limit: int, cursor: str | None) -> tuple[tuple[DeadLetter, ...], str | None]:
        """Newest first, with the cursor of the next page."""
        ...

    async def delete_dead_letter(self, letter_id: str) -> bool:
        """False when it was not there."""
        ...

    async def count_dead_letters(self) -> int: ...


class IdempotencyStore(Protocol):
    async def remember(self, key: str, fingerprint: str, now: datetime, keep: timedelta) -> str:
        """The fingerprint first seen with this key: the given one when the key is new (or was forgotten)."""
        ...


class LeaseStore(Protocol):
    async def acquire(self, name: str, owner: str, now: datetime, ttl: timedelta) -> bool:
        """Take or keep a named lease, so that one process at a time does a job. False: another process has it."""
        ...


class Store(ChannelStore, OutboxStore, DeadLetterStore, IdempotencyStore, LeaseStore, Protocol):
    """Everything that must survive."""

    async def check(self) -> None:
        """Raises StoreUnavailable when the store does not answer."""
        ...

    async def close(self) -> None: ...


# -- OME --------------------------------------------------------------------------------------------------------------


class Playability(StrEnum):
    """What a look at a manifest found."""

    PLAYABLE = "playable"
    NOT_YET = "not_yet"
    INCOMPLETE = "incomplete"
    MALFORMED = "malformed"
    NO_MEDIA = "no_media"


class PlayabilityReport(Struct, frozen=True):
    """The verdict and, for a person, what was seen."""

    verdict: Playability
    detail: str = ""


class Origin(Protocol):
    """One OME. Unreachable: UpstreamUnavailable; a refusal that stays: UpstreamRejected."""

    name: str

    async def start(self, placement: Placement, now: datetime) -> None:
        """Make OME hold exactly this scheduled channel. Repeating it is safe."""
        ...

    async def stop(self, application: str, stream: str) -> bool:
        """Remove it. True once OME no longer knows it; False while it is still going away."""
        ...

    async def streams(self, application: str) -> frozenset[str]:
        """Names of all scheduled channels of an application."""
        ...

    async def playability(self, placement: Placement) -> PlayabilityReport:
        """Does the manifest list every rung, and does the first media segment download?"""
        ...

    async def starved_of_audio(self, placement: Placement) -> bool:
        """True when the channel is on air and yet stands at its beginning: its source lacks the audio we asked for."""
        ...


class Fleet(Protocol):
    """The origins there are."""

    def choose(self, channel: Channel) -> str:
        """Name of the origin that a new incarnation of this channel goes to."""
        ...

    def origin(self, name: str) -> Origin:
        """The origin of that name. Raises NotFound when it is no longer part of the fleet."""
        ...

    def names(self) -> tuple[str, ...]: ...


class MediaFacts(Struct, frozen=True):
    """What an upload holds. Sides in pixels, duration in seconds; None: the container does not say."""

    video: bool
    audio: bool
    width: int | None = None
    height: int | None = None
    duration: float | None = None


class MediaLibrary(Protocol):
    """Reads uploads."""

    async def inspect(self, source_uri: str) -> MediaFacts | None:
        """What the file holds; None when this container cannot be read by us. Raises NotFound when it is not there."""
        ...


# -- the platform -----------------------------------------------------------------------------------------------------


class TokenService(Protocol):
    async def introspect(self, token: str, correlation_id: str) -> Viewer | None:
        """Who holds the token; None when it is not active. Raises UpstreamUnavailable or UpstreamRejected."""
        ...


class CatalogEntry(Struct, frozen=True):
    """What the content service knows about a content."""

    id: str
    slug: str | None = None
    availability: AvailabilityWindow | None = None


class Catalog(Protocol):
    async def find(self, content_id: str, correlation_id: str) -> CatalogEntry | None:
        """None when it is not in the catalog (yet). Raises UpstreamUnavailable or UpstreamRejected."""
        ...


class Receipt(Struct, frozen=True):
    """A receiver's answer. `status` None: no answer. `retry_after` in seconds."""

    ok: bool
    status: int | None
    detail: str
    retry_after: float | None = None
    gone: bool = False


class Courier(Protocol):
    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        """Send one body to the notification's endpoint. Never raises for what the receiver does."""
        ...


# -- time, chance, and what keeps a process going ---------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime:
        """UTC."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Message(Struct, frozen=True):
    """An upload message as a source hands it over."""

    data: bytes
    attributes: Mapping[str, str] = {}
    message_id: str = ""
    published_at: datetime | None = None


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
