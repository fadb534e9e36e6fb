"""Warm-ups: where caches are filled, and by whom."""

import time
from collections.abc import Mapping

from streaming_service.adapters.clock import SharedClock
from streaming_service.adapters.http import Transport
from streaming_service.adapters.probing.line import AgentLine
from streaming_service.adapters.warming.control import CourierWarmControl
from streaming_service.adapters.warming.regions import RegionalWarmer
from streaming_service.adapters.warming.warmer import HttpWarmer
from streaming_service.application.ports import Courier, Store, WarmMeter
from streaming_service.application.warming import Warming, WarmPlan
from streaming_service.bootstrap.probing import sealer_of
from streaming_service.domain.notification import Endpoint, Notifier
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import parse_regions
from streaming_service.domain.signing.scheme import Signer
from streaming_service.settings import Settings

# The grant has to outlive the slowest warm-up, and a CDN control service that fetches a little later.
_SHORTEST_GRANT = 120
# Seconds for one content: a process that is to stop finishes what it delivers.
_LONGEST = 15.0
# Contents that are warmed side by side in one process.
SIDE_BY_SIDE = 4


def wire_warming(
    settings: Settings,
    store: Store,
    transport: Transport,
    courier: Courier,
    *,
    signer: Signer,
    notifier: Notifier,
    meter: WarmMeter,
    clock: SharedClock,
) -> Mapping[Endpoint, Courier]:
    """Edges and agents are reached through `transport`, CDN control through `courier`. Empty when there is neither."""
    if Endpoint.CDN_WARMUP not in notifier.endpoints:
        return {}
    concurrency = settings.cdn_warmup_concurrency
    own = HttpWarmer(transport, monotonic=time.monotonic, concurrency=concurrency)
    line = AgentLine(transport, sealer=sealer_of(settings), clock=clock, monotonic=time.monotonic)
    has_control = Endpoint.CDN_CONTROL in notifier.endpoints
    warming = Warming(
        store=store,
        warmer=RegionalWarmer(own, line),
        control=CourierWarmControl(courier, concurrency=concurrency) if has_control else None,
        signer=signer,
        plan=_plan(settings),
        notifier=notifier,
        meter=meter,
        clock=clock,
        time=clock.time,
    )
    return {Endpoint.CDN_WARMUP: warming}


def _plan(settings: Settings) -> WarmPlan:
    bases = {Target.PRIMARY: settings.cdn_base_url, Target.FAILOVER: settings.cdn_failover_base_url}
    return WarmPlan(
        regions=parse_regions(settings.cdn_probe_regions),
        bases={target: base for target, base in bases.items() if base},
        playlist=settings.ome_playlist,
        ttl=max(settings.signed_url_ttl_seconds, _SHORTEST_GRANT),
        segments=settings.cdn_warmup_segments,
        timeout=settings.cdn_warmup_timeout_ms / 1000,
        # The claim on what is owed must not run out under it: another process would begin again.
        seconds=min(settings.lease_seconds / 2, _LONGEST),
    )
