"""Probes: who looks, at what, and who is told."""

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from streaming_service.adapters.clock import SharedClock, WallClock
from streaming_service.adapters.http import Transport
from streaming_service.adapters.probing.agent import ProbeAgent
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.probing.regions import RegionalProber
from streaming_service.adapters.sealing import Sealer
from streaming_service.adapters.tracing.transport import TracedTransport
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.adapters.warming.warmer import HttpWarmer
from streaming_service.application.ports import Failovers, ProbeMeter, Store
from streaming_service.application.probe_watch import ProbeWatch
from streaming_service.application.probing import ProbePlan, Probing
from streaming_service.bootstrap.tracing import open_tracing
from streaming_service.domain.notification import Notifier
from streaming_service.domain.probe import Target
from streaming_service.domain.probe_region import parse_regions
from streaming_service.domain.signing.scheme import Signer
from streaming_service.setting_values import each_of
from streaming_service.settings import Settings
from streaming_service.telemetry import Metrics
from streaming_service.tracing import NO_TRACER, Tracer

# A probe takes four requests, one after the other, and one patient look at a playlist more.
_SHORTEST_GRANT = 60
_FEWEST = 8


@dataclass(frozen=True)
class Probes:
    """On demand, and in turn where that is wanted."""

    on_demand: Probing
    watch: ProbeWatch | None


def wire_probes(
    settings: Settings,
    store: Store,
    transport: Transport,
    *,
    signer: Signer,
    notifier: Notifier,
    meter: ProbeMeter,
    clock: SharedClock,
    watched: Callable[[], Iterable[str]],
    failovers: Failovers,
    urgent: Callable[[], Iterable[str]],
    tracer: Tracer = NO_TRACER,
) -> Probes:
    """`watched` gives the contents that have viewers, `urgent` those that whoever takes over has to probe first.

    In a dry run nothing plays, so that there is no schedule.
    """
    probing = Probing(
        store=store,
        prober=RegionalProber(
            HttpProber(transport, clock=clock, monotonic=time.monotonic),
            transport,
            sealer=sealer_of(settings),
            clock=clock,
            monotonic=time.monotonic,
        ),
        failovers=failovers,
        signer=signer,
        plan=_plan(settings, notifier),
        meter=meter,
        clock=clock,
        time=clock.time,
    )
    if not settings.probes_per_second or not probing.plan.cost or settings.dry_run_provisioning:
        return Probes(probing, None)
    watch = ProbeWatch(
        store=store,
        probing=probing,
        watched=watched,
        urgent=urgent,
        clock=clock,
        budget=settings.probes_per_second,
        again_after=settings.probe_again_seconds,
        # As many as there are when everything takes as long as it may, so that the pace stays what it is.
        concurrency=max(_FEWEST, round(settings.probes_per_second * settings.probe_timeout_ms / 1000)),
        tracer=tracer,
    )
    return Probes(probing, watch)


@dataclass(frozen=True)
class AgentProcess:
    """What a probe agent runs."""

    settings: Settings
    metrics: Metrics
    agent: ProbeAgent
    tracer: Tracer


@asynccontextmanager
async def open_probe_agent(settings: Settings) -> AsyncGenerator[AgentProcess]:
    """No store, no OME, no CDN keys: what is looked at comes with the question. Raises ConfigurationError."""
    metrics, clock = Metrics(), WallClock()
    sealer = sealer_of(settings)
    async with open_tracing(settings, metrics) as tracer, AiohttpTransport() as plain:
        transport = TracedTransport(plain)
        prober = HttpProber(transport, clock=clock, monotonic=time.monotonic)
        warmer = HttpWarmer(transport, monotonic=time.monotonic, concurrency=settings.cdn_warmup_concurrency)
        agent = ProbeAgent(
            region=settings.probe_agent_region or "",
            prober=prober,
            warmer=warmer,
            sealer=sealer,
            clock=clock,
            meter=metrics,
        )
        yield AgentProcess(settings, metrics, agent, tracer)


def _plan(settings: Settings, notifier: Notifier) -> ProbePlan:
    bases = {Target.PRIMARY: settings.cdn_base_url, Target.FAILOVER: settings.cdn_failover_base_url}
    return ProbePlan(
        regions=parse_regions(settings.cdn_probe_regions),
        bases={target: base for target, base in bases.items() if base},
        playlist=settings.ome_playlist,
        ttl=max(settings.signed_url_ttl_seconds, _SHORTEST_GRANT),
        timeout=settings.probe_timeout_ms / 1000,
        endpoints=notifier.endpoints,
        audit_topic=notifier.audit_topic,
    )


def sealer_of(settings: Settings) -> Sealer:
    """What the service and its agents sign with."""
    return Sealer(each_of(settings.probe_agent_secret), "PROBE_AGENT_SECRET")
