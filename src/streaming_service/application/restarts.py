"""What follows from an OME that was restarted under channels that it still holds.

Segment URLs depend on names alone, so the same URLs now give other bytes than the CDN has cached. Moments are all by
OME's own clock and never compared with ours.
"""

from collections.abc import Collection
from datetime import datetime

from streaming_service.application.mending import Mender
from streaming_service.application.ports import Origin
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, change
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.errors import NotFound, UpstreamRejected


class Restarts:
    """Remembers when each origin came up. In a new process every origin counts as restarted once."""

    def __init__(self, mender: Mender, notifier: Notifier) -> None:
        self._mender = mender
        self._notifier = notifier
        self._seen: dict[str, datetime] = {}

    async def since_last_look(self, origin: Origin) -> datetime | None:
        """When it came up, if that is news; it stays news until `note`. Raises UpstreamUnavailable."""
        try:
            booted = await origin.booted_at()
        except (UpstreamRejected, NotFound):
            return None  # it keeps no statistics for us
        return booted if booted != self._seen.get(origin.name) else None

    def note(self, origin: str, booted: datetime) -> None:
        """Everything that follows from it was done."""
        self._seen[origin] = booted

    async def replace(self, content_ids: Collection[str], origin: str, booted: datetime, cause: Cause) -> int:
        """Replace what began before, and have the CDN forget it. Raises StoreUnavailable."""

        def decide(channel: Channel, now: datetime) -> Change | None:
            serving = channel.serving
            if serving is None or serving.origin != origin or not channel.up_to_date or not serving.on_ome:
                return None
            if serving.appeared is None or serving.appeared >= booted:
                return None
            renewed = channel.renewed(f"{origin} was restarted under {serving.stream}", now)
            owed = self._notifier.purge(renewed, (f"{serving.path}*",), cause, f"restart/{serving.stream}/{booted}")
            return change(renewed, "restarted", cause, owed)

        return sum([await self._mender.mend(content_id, decide) for content_id in content_ids])
