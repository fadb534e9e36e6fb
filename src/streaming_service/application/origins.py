"""What operators may ask of origins: how they fare, empty one, use it again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from streaming_service.application.fleet_watch import OriginView
from streaming_service.application.ports import Clock, Store
from streaming_service.domain.audit import action
from streaming_service.domain.content import Classification
from streaming_service.domain.notification import Cause, Notifier, about_origin
from streaming_service.errors import NotFound

log = structlog.get_logger(__name__)

GONE = "gone"


class KnownFleet(Protocol):
    """What this process knows of its origins."""

    async def refresh(self) -> None:
        """Look at every origin once."""
        ...

    def views(self) -> tuple[OriginView, ...]:
        """Every origin, in name order."""
        ...


class OriginStatus(Struct, frozen=True, kw_only=True):
    """One origin for a person to look at.

    state      its health; `gone`: not part of the fleet any more, though channels were placed there
    channels   places that are taken there, by what serves, is being built or drains
    capacity   how many it holds when all is well; `allowed`: how many it may hold now
    drained    it is to be emptied
    reason     what is wrong with it; empty when nothing is
    """

    name: str
    pools: tuple[str, ...] = ()
    state: str = GONE
    since: datetime | None = None
    channels: int
    capacity: int = 0
    allowed: int = 0
    drained: bool
    overloaded: bool = False
    reason: str = ""


class OriginOperations:
    """Every method raises StoreUnavailable. A process that does not look at its fleet by itself does so here, at most
    every `fresh` seconds."""

    def __init__(
        self, *, store: Store, fleet: KnownFleet, notifier: Notifier, clock: Clock, fresh: float = 10.0
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._fleet = fleet
        self._clock = clock
        self._fresh = fresh
        self._looked_at: datetime | None = None

    async def list(self) -> tuple[OriginStatus, ...]:
        """All of them by name, with those that left and still have channels."""
        await self._look()
        taken = {name: len(numbers) for name, numbers in (await self._store.seats()).items()}
        drained = await self._store.drained()
        views = {view.name: view for view in self._fleet.views()}
        return tuple(
            _status(name, views.get(name), taken.get(name, 0), drained=name in drained)
            for name in sorted(views.keys() | taken.keys() | drained)
        )

    async def get(self, name: str) -> OriginStatus:
        """Raises NotFound."""
        for status in await self.list():
            if status.name == name:
                return status
        raise NotFound(f"origin {name} does not exist")

    async def waiting(self) -> Mapping[Classification, int]:
        """How many channels wait for a place."""
        found = await self._store.waiting(self._clock.now())
        return {item: found.get(item, 0) for item in Classification}

    async def drain(self, name: str, cause: Cause) -> OriginStatus:
        """Empty it, without a gap for viewers; nothing new is placed there. Raises NotFound."""
        return await self._want(name, cause, drained=True)

    async def undrain(self, name: str, cause: Cause) -> OriginStatus:
        """Use it again. What left it does not come back by itself. Raises NotFound."""
        return await self._want(name, cause, drained=False)

    async def _want(self, name: str, cause: Cause, *, drained: bool) -> OriginStatus:
        before = await self.get(name)
        done, now = "drain" if drained else "undrain", self._clock.now()
        owed = action(done, about_origin(name), cause, before.reason, now, self._notifier.endpoints)
        await self._store.owe(owed)  # first: rather on record and not done than done off the record
        await self._store.set_drained(name, drained, cause.actor, now)
        log.info("admin action", action=done, origin=name, actor=cause.actor)
        try:
            return await self.get(name)
        except NotFound:  # it had left the fleet, and was only remembered for this
            return replace(before, drained=drained)

    async def _look(self) -> None:
        now = self._clock.now()
        if self._looked_at is None or (now - self._looked_at).total_seconds() >= self._fresh:
            self._looked_at = now
            await self._fleet.refresh()


def _status(name: str, view: OriginView | None, channels: int, *, drained: bool) -> OriginStatus:
    if view is None:
        return OriginStatus(name=name, channels=channels, drained=drained, reason="is not part of the fleet")
    return OriginStatus(
        name=name,
        pools=view.pools,
        state=view.state.value,
        since=view.since,
        channels=channels,
        capacity=view.capacity,
        allowed=0 if drained else view.allowed,
        drained=drained,
        overloaded=view.overloaded,
        reason=view.reason,
    )
