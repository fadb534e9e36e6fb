"""The services around us."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from streaming_service.domain.access import Viewer
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.domain.notification import Notification


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


# A notification, and its body.
Item: TypeAlias = tuple[Notification, Mapping[str, Any]]


class BulkCourier(Protocol):
    async def deliver_together(self, items: Sequence[Item]) -> Sequence[Receipt]:
        """Send many bodies to their one endpoint at once; a receipt for each, in their order. Never raises for what the
        receiver does."""
        ...


class ClusterReport(Struct, frozen=True):
    """What Traffic Director says of a cluster."""

    cluster: str
    healthy: bool
    validated_at: datetime


class ClusterControl(Protocol):
    async def validate(self) -> ClusterReport:
        """Look at the clusters behind the CDN. Raises UpstreamUnavailable or UpstreamRejected."""
        ...
