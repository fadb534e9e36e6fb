"""Warm-up of a content: its manifest, its variants and their first segments, in every region.

What is owed says which content; what is served and how it is signed is looked up when it is paid, so that a warm-up
that comes late is never one of what nobody is sent to any more.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from streaming_service.application.ports import (
    ChannelStore,
    Clock,
    OutboxStore,
    Receipt,
    WarmControl,
    Warmer,
    WarmMeter,
)
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.notification import Cause, Notification, Notifier
from streaming_service.domain.placement import Placement
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import Region
from streaming_service.domain.signing.scheme import SignedCookie, Signer, on_the_wire
from streaming_service.domain.state import Status
from streaming_service.domain.warming import (
    Errand,
    Missed,
    WarmedRegion,
    envelope,
    segments_of,
    signed_errand,
    summary,
    to_be_warmed,
    worth_repeating,
)

log = structlog.get_logger(__name__)

ACTOR = "warm-up"
_REMEMBERED = 10_000
_ALL = "all"
_HERE = "here"
_SOME = 207  # what HTTP calls Multi-Status


class WarmPlan(Struct, frozen=True):
    """Where, and how much.

    bases     where each target is reached; a target without one is not warmed
    ttl       seconds that a grant is good for
    segments  the first so many of each variant; 0: playlists only
    timeout   seconds for each address
    seconds   for one content in all regions together
    """

    regions: tuple[Region, ...]
    bases: Mapping[Target, str]
    playlist: str
    ttl: int
    segments: int
    timeout: float
    seconds: float

    def fetched(self, target: Target) -> tuple[Region, ...]:
        """Regions that have a way of their own to that target: there it is fetched."""
        return tuple(region for region in self.regions if region.agent or region.edge(target))

    @property
    def told(self) -> tuple[str | None, ...]:
        """Regions that CDN control is told of; None: it is told once, for all."""
        return tuple(region.name for region in self.regions if region.is_here) or (None,)


class WarmStore(ChannelStore, OutboxStore, Protocol):
    """What is needed of the store."""


class Warming:
    """The courier of warm-ups. `control` None: there is no CDN control service. `time` gives Unix seconds."""

    def __init__(
        self,
        *,
        store: WarmStore,
        warmer: Warmer,
        control: WarmControl | None,
        signer: Signer,
        plan: WarmPlan,
        notifier: Notifier,
        meter: WarmMeter,
        clock: Clock,
        time: Callable[[], float],
    ) -> None:
        self._store = store
        self._warmer = warmer
        self._control = control
        self._signer = signer
        self._plan = plan
        self._notifier = notifier
        self._meter = meter
        self._clock = clock
        self._time = time
        self._done: OrderedDict[tuple[str, Target], tuple[str, datetime]] = OrderedDict()

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        """Pay one. Not ok: it is worth repeating, as the outbox does. Raises StoreError."""
        target = Target(body["target"])
        channel = await self._store.get(notification.content_id)
        serving = to_be_warmed(channel, body["manifestPath"], self._plan.playlist)
        if channel is None or isinstance(serving, str):
            return Receipt(True, None, f"nothing to warm: {serving}")
        if target not in self._plan.bases:
            return Receipt(True, None, f"nothing to warm: there is no {target}")
        key, began_at = (notification.content_id, target), self._clock.now()
        path, done_at = self._done.get(key, ("", began_at))
        if path == serving.path and done_at > notification.occurred_at:
            return Receipt(True, None, "a later warm-up has done it")
        results = await self._warm(notification, channel, serving, target)
        await self._tell(notification, serving, target, results)
        again = worth_repeating(results, notification.occurred_at, self._clock.now())
        if not again:
            self._remember(key, serving.path, began_at)
        return _receipt(results, ok=not again)

    async def _warm(
        self, owed: Notification, channel: Channel, serving: Placement, target: Target
    ) -> tuple[WarmedRegion, ...]:
        plan = self._plan
        own = channel.spec.base_url if target is Target.PRIMARY else None
        expires = int(self._time()) + plan.ttl
        grant = self._signer.sign(f"{own or plan.bases[target]}{serving.path}", expires)
        errand = signed_errand(
            grant,
            f"{plan.playlist}.m3u8",
            target,
            segments=segments_of(channel, plan.segments),
            timeout=plan.timeout,
            seconds=plan.seconds,
        )
        work = [self._fetch(region, errand) for region in plan.fetched(target)]
        # CDN control is in charge of the primary's caches. The failover's are filled from here, if from nowhere else.
        if target is Target.PRIMARY and self._control:
            cookies = on_the_wire(grant.cookies, to_wire(datetime.fromtimestamp(expires, UTC)))
            work.append(self._have_told(self._control, owed, errand, cookies))
        elif target is Target.FAILOVER and not work:
            work.append(self._fetch(Region(_HERE), errand))
        return tuple(item for items in await asyncio.gather(*work) for item in items)

    async def _fetch(self, region: Region, errand: Errand) -> tuple[WarmedRegion, ...]:
        way = "agent" if region.agent else "edge"
        found = await self._warmer.warm(region, errand)
        if found is None:
            return (WarmedRegion(region.name, way, missed=(Missed("*", "the agent does not answer"),)),)
        return (WarmedRegion(region.name, way, found.warmed, found.missed),)

    async def _have_told(
        self, control: WarmControl, owed: Notification, errand: Errand, cookies: tuple[SignedCookie, ...]
    ) -> tuple[WarmedRegion, ...]:
        began = self._time()
        listed = await self._warmer.list(replace(errand, seconds=errand.seconds / 2))
        left = max(errand.seconds / 2, errand.seconds - (self._time() - began))
        told = await asyncio.gather(*(control.tell(owed, region, listed, cookies, left) for region in self._plan.told))
        return tuple(told)

    async def _tell(
        self, owed: Notification, serving: Placement, target: Target, results: Sequence[WarmedRegion]
    ) -> None:
        for item in results:
            region = item.region or _ALL
            self._meter.warmed(region, "warmed", len(item.warmed))
            self._meter.warmed(region, "failed", len(item.missed))
        missed = sum(len(item.missed) for item in results)
        write = log.warning if missed else log.info
        write("warmed", content_id=owed.content_id, target=target, result=summary(results))
        now = self._clock.now()
        manifest_path = f"{serving.path}{self._plan.playlist}.m3u8"
        told = envelope(owed, manifest_path, target, results, now, self._notifier.endpoints)
        await self._store.owe((*told, *await self._purged(owed, serving)))

    async def _purged(self, owed: Notification, serving: Placement) -> tuple[Notification, ...]:
        """What was retired while it was warmed is in caches that had been purged already: once more."""
        channel = await self._store.get(owed.content_id)
        if channel is None or channel.status is not Status.RETIRED:
            return ()
        cause = Cause(ACTOR, owed.correlation_id or "")
        return self._notifier.purge(channel, (f"{serving.path}*",), cause, f"warmed/{owed.id}")

    def _remember(self, key: tuple[str, Target], path: str, began_at: datetime) -> None:
        self._done[key] = (path, began_at)
        self._done.move_to_end(key)
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)


def _receipt(results: Sequence[WarmedRegion], *, ok: bool) -> Receipt:
    """Its status is what receivers are paced by: None only when nobody answered at all."""
    if ok:
        return Receipt(True, _SOME, summary(results))
    missed = [item for result in results for item in result.missed]
    answered = any(result.warmed for result in results)
    status = _SOME if answered else next((item.status for item in missed if item.status), None)
    waits = [result.retry_after for result in results if result.retry_after]
    return Receipt(False, status, summary(results), retry_after=max(waits, default=None))
