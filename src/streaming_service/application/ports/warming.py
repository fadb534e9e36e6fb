"""Filling a CDN's caches."""

from typing import Protocol

from msgspec import Struct

from streaming_service.domain.notification import Notification
from streaming_service.domain.probe_region import Region
from streaming_service.domain.signing.scheme import SignedCookie
from streaming_service.domain.warming import Errand, Missed, Warmed, WarmedRegion


class Listed(Struct, frozen=True):
    """What an errand would fetch: signed addresses, and what of it could not be found out."""

    addresses: tuple[str, ...]
    missed: tuple[Missed, ...] = ()


class Warmer(Protocol):
    """Fetches, so that caches on the way keep it. Raises nothing for what the other side does."""

    async def warm(self, region: Region, errand: Errand) -> Warmed | None:
        """Through that region's edge, or by its agent. None: the agent does not answer."""
        ...

    async def list(self, errand: Errand) -> Listed:
        """Read the playlists from here, and say what the rest is."""
        ...


class WarmControl(Protocol):
    """The CDN control service, which fetches for us what it is told."""

    async def tell(
        self, owed: Notification, region: str | None, listed: Listed, cookies: tuple[SignedCookie, ...], seconds: float
    ) -> WarmedRegion:
        """Tell it each address, for that region or for all, within so many seconds. It is left alone from the first
        time it does not answer. Raises nothing for what it does."""
        ...


class WarmMeter(Protocol):
    """Counts warm-ups."""

    def warmed(self, region: str, result: str, count: int) -> None:
        """`count` addresses were `warmed` or `failed` there."""
        ...
