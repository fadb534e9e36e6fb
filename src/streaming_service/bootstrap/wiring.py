"""The one place where things are wired: settings in, a working service out.

Slow imports (Google's libraries, Alembic) happen here inside the branch that needs them: a start must be quick.
"""

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from streaming_service.adapters.auth_service import HttpTokenService
from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.caller import ResilientCaller
from streaming_service.adapters.clock import SharedClock
from streaming_service.adapters.http import Transport
from streaming_service.adapters.ome import OmeFleet
from streaming_service.adapters.tracing.transport import TracedTransport
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.application.administration import Administration
from streaming_service.application.dispatch import Bell, ConvergenceLoop
from streaming_service.application.ingest import Ingest
from streaming_service.application.intake import Intake
from streaming_service.application.introspection import Introspector
from streaming_service.application.latency_watch import LatencyWatch
from streaming_service.application.monitoring import Monitoring
from streaming_service.application.origins import OriginOperations
from streaming_service.application.playback import Playback, PlaybackPolicy
from streaming_service.application.ports import Courier, ManifestBucket, MediaLibrary, Store
from streaming_service.application.progress_watch import ProgressWatch
from streaming_service.application.provisioning import Provisioning
from streaming_service.application.reconciliation import Reconciliation
from streaming_service.application.retention import Retention
from streaming_service.application.seating import Seating
from streaming_service.application.statistics import Statistics
from streaming_service.bootstrap.administration import catalog_of
from streaming_service.bootstrap.bucket import open_bucket
from streaming_service.bootstrap.clock import open_clock, stop_task
from streaming_service.bootstrap.clusters import wire_clusters
from streaming_service.bootstrap.delivery import context_headers, wire_delivery
from streaming_service.bootstrap.failover import following, wire_failover
from streaming_service.bootstrap.fleet import wire_fleet
from streaming_service.bootstrap.hooks import wire_hooks
from streaming_service.bootstrap.ingest import ingest_base, wire_ingest
from streaming_service.bootstrap.media import open_media
from streaming_service.bootstrap.plans import (
    convergence_policy,
    latency_policy,
    notifier_of,
    spec_policy,
)
from streaming_service.bootstrap.probing import Probes, wire_probes
from streaming_service.bootstrap.pubsub import embedded_source, open_audit, pull_source, push_tokens
from streaming_service.bootstrap.service import Service
from streaming_service.bootstrap.signing import cache_secret, open_signer
from streaming_service.bootstrap.stores import open_store
from streaming_service.bootstrap.tracing import open_tracing
from streaming_service.domain.signing.keyring import cache_key
from streaming_service.settings import Settings, revealed
from streaming_service.telemetry import Metrics
from streaming_service.tracing import NO_TRACER, Tracer


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncGenerator[Service]:
    """Build everything for these settings, and take it down again. The caller decides what of it runs."""
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        tracer = await stack.enter_async_context(open_tracing(settings, metrics))
        transport = await stack.enter_async_context(AiohttpTransport())
        # Sockets of their own, and no limit but the lanes': receivers on one host do not wait for each other.
        deliveries = await stack.enter_async_context(AiohttpTransport(connections=0, per_host=0))
        probing = await stack.enter_async_context(AiohttpTransport(connections=64))
        media = stack.enter_context(open_media(settings))
        store = await stack.enter_async_context(open_store(settings))
        bucket = stack.enter_context(open_bucket(settings))
        audit = stack.enter_context(open_audit(settings))
        clock = await open_clock(store)
        stack.push_async_callback(stop_task, asyncio.create_task(clock.keep_right(), name="clock"))
        service = wire(
            settings, store, transport, media, bucket, clock, audit, deliveries, probing, metrics=metrics, tracer=tracer
        )
        await stack.enter_async_context(following(service.failover, clock))
        if service.clusters:
            stack.push_async_callback(service.clusters.close)
        yield service


def wire(
    settings: Settings,
    store: Store,
    transport: Transport,
    media: MediaLibrary,
    bucket: ManifestBucket | None = None,
    clock: SharedClock | None = None,
    audit: Courier | None = None,
    deliveries: Transport | None = None,
    probing: Transport | None = None,
    *,
    metrics: Metrics | None = None,
    tracer: Tracer = NO_TRACER,
) -> Service:
    """A service over this store, which reaches the world only through this transport, receivers through `deliveries`
    and the CDN through `probing` if those are given, uploads through `media`, VOD copies in `bucket`, and the audit log
    through `audit`. Without a `clock` that was compared with the store's it goes by this machine's."""
    clock = clock or SharedClock(store.time)
    return _Wiring(
        settings,
        store,
        TracedTransport(transport),
        media,
        bucket,
        clock,
        audit,
        TracedTransport(deliveries or transport),
        TracedTransport(probing or transport),
        metrics or Metrics(),
        tracer,
    ).build()


class _Wiring:
    """One wiring of one process: what several parts share is made once, in the constructor."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        transport: Transport,
        media: MediaLibrary,
        bucket: ManifestBucket | None,
        clock: SharedClock,
        audit: Courier | None,
        deliveries: Transport,
        probing: Transport,
        metrics: Metrics,
        tracer: Tracer,
    ) -> None:
        self.settings = settings
        self.media = media
        self.deliveries = deliveries
        self.probing = probing
        self.bucket = bucket
        self.store = store
        self.transport = transport
        self.clock = clock
        self.metrics = metrics
        self.tracer = tracer
        self.owner = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:8]}"
        self.worker_bell = Bell()
        self.delivery_bell = Bell()
        self.cache_secret = cache_secret(settings)
        self.signer = open_signer(settings)
        self.base_url = settings.cdn_base_url or ""
        self.specs = spec_policy(settings)
        self.notifier = notifier_of(settings)
        self.audit = audit
        self.probes: Probes | None = None
        wired = wire_failover(settings, store, clock, self.metrics, self.delivery_bell.ring, self._probe_soon)
        self.failover, self.failover_operations = wired.failover, wired.operations

    def build(self) -> Service:
        settings, store, clock = self.settings, self.store, self.clock
        fleet = wire_fleet(settings, self.specs, store, clock, self._ome_caller)
        seating = Seating(store, fleet, self.specs.applications.__getitem__, pick=random.randrange)
        provisioning = Provisioning(
            store=store,
            fleet=fleet,
            seating=seating,
            bucket=self.bucket,
            media=self.media,
            notifier=self.notifier,
            specs=self.specs,
            policy=convergence_policy(settings),
            cache_key=self.cache_key,
            clock=clock,
            jitter=random.random,
            meter=self.metrics,
            wake_delivery=self.delivery_bell.ring,
        )
        intake = Intake(
            store=store,
            wishes=provisioning,
            catalog=catalog_of(settings, lambda: self._caller("content"), clock),
            catalog_patience=timedelta(seconds=settings.content_catalog_wait_seconds),
            clock=clock,
            meter=self.metrics,
            wake_worker=self.worker_bell.ring,
        )
        playback = self._playback()

        def changed(content_id: str) -> None:
            playback.titles.forget(content_id)
            self.worker_bell.ring()
            self.delivery_bell.ring()

        embedded = embedded_source(settings)
        statistics = Statistics(
            store=store, fleet=fleet, gauges=self.metrics, endpoints=self.notifier.endpoints, clock=clock
        )
        self.probes = wire_probes(
            settings,
            store,
            self.probing,
            signer=self.signer,
            notifier=self.notifier,
            meter=self.metrics,
            clock=clock,
            watched=statistics.watched,
            failovers=self.failover,
            urgent=lambda: [item.content_id for item in self.failover.reprobes()],
            tracer=self.tracer,
        )
        return Service(
            settings=settings,
            metrics=self.metrics,
            clock=clock,
            owner=self.owner,
            store=store,
            fleet=fleet,
            bucket=self.bucket,
            provisioning=provisioning,
            intake=intake,
            ingest=self._ingest(intake, fleet, changed),
            administration=Administration(
                store=store,
                intake=intake,
                notifier=self.notifier,
                specs=self.specs,
                clock=clock,
                changed=changed,
                wake_delivery=self.delivery_bell.ring,
            ),
            origins=OriginOperations(store=store, fleet=fleet, notifier=self.notifier, clock=clock),
            failover=self.failover,
            failover_operations=self.failover_operations,
            playback=playback,
            hooks=wire_hooks(
                settings,
                store,
                playback,
                specs=self.specs,
                notifier=self.notifier,
                clock=clock,
                meter=self.metrics,
                changed=changed,
            ),
            reconciliation=Reconciliation(
                store=store,
                fleet=fleet,
                applications=fleet.watch.applications_of,
                specs=self.specs,
                notifier=self.notifier,
                stream_prefix=settings.ome_stream_prefix,
                clock=clock,
            ),
            convergence=ConvergenceLoop(
                store=store,
                provisioning=provisioning,
                seating=seating,
                clock=clock,
                bell=self.worker_bell,
                owner=self.owner,
                concurrency=settings.provision_concurrency,
                lease=timedelta(seconds=settings.lease_seconds),
                poll_interval=settings.poll_interval_ms / 1000,
                tracer=self.tracer,
            ),
            delivery=wire_delivery(
                settings,
                store,
                self.deliveries,
                self.probing,
                audit=self.audit,
                notifier=self.notifier,
                signer=self.signer,
                meter=self.metrics,
                clock=clock,
                bell=self.delivery_bell,
                owner=self.owner,
                tracer=self.tracer,
            ),
            retention=Retention(store=store, clock=clock, kept=timedelta(days=settings.delivery_retention_days)),
            monitoring=Monitoring(
                store=store,
                gauges=self.metrics,
                endpoints=self.notifier.endpoints,
                capacities=lambda: {view.name: view.capacity for view in fleet.views()},
                clock=clock,
            ),
            statistics=statistics,
            probes=self.probes,
            progress=ProgressWatch(store=store, fleet=fleet, observe=fleet.watch.observe_progress, clock=clock),
            events=embedded or pull_source(settings, self.metrics),
            embedded=embedded,
            push_tokens=push_tokens(settings, self.transport),
            cache_key=self.cache_key,
            worker_bell=self.worker_bell,
            clusters=wire_clusters(
                settings,
                store,
                lambda: self._caller("cdn-control"),
                notifier=self.notifier,
                metrics=self.metrics,
                clock=clock,
            ),
            tracer=self.tracer,
            latency=LatencyWatch(
                counts=self.metrics.manifest.counts,
                policy=latency_policy(settings),
                store=store,
                endpoints=self.notifier.endpoints,
                audit_topic=self.notifier.audit_topic,
                instance=self.owner,
                clock=clock,
                monotonic=time.monotonic,
            ),
        )

    def _probe_soon(self, content_id: str, seconds: float) -> None:
        """The failover is wired before the probes."""
        if self.probes and self.probes.watch:
            self.probes.watch.soon(content_id, seconds)

    def cache_key(self, content_id: str, checksum: str) -> str:
        return cache_key(self.cache_secret, content_id, checksum)

    def _caller(
        self,
        service: str,
        transport: Transport | None = None,
        *,
        tolerated: frozenset[int] = frozenset(),
        patience: float = 8.0,
    ) -> ResilientCaller:
        breaker = Breaker(service, time.monotonic)
        self.metrics.watch_breaker(service, lambda: breaker.state)
        return ResilientCaller(
            service,
            transport or self.transport,
            breaker,
            clock=self.clock,
            monotonic=time.monotonic,
            jitter=random.random,
            context=context_headers,
            tolerated=tolerated,
            patience=patience,
        )

    def _ome_caller(self, service: str, transport: Transport | None, tolerated: frozenset[int]) -> ResilientCaller:
        return self._caller(service, transport, tolerated=tolerated)

    def _playback(self) -> Playback:
        settings = self.settings
        tokens = HttpTokenService(
            self._caller("auth", patience=3.0),  # a viewer waits for it
            settings.auth_service_base_url or "",
            settings.auth_service_introspection_path,
            revealed(settings.auth_service_internal_token) or None,
            timeout=settings.auth_service_timeout_ms / 1000,
            clock=self.clock,
        )
        return Playback(
            store=self.store,
            viewers=Introspector(tokens, time=self.clock.time, meter=self.metrics),
            signer=self.signer,
            policy=PlaybackPolicy(
                base_url=self.base_url,
                ttl=settings.signed_url_ttl_seconds,
                playlist=settings.ome_playlist,
                failover_base_url=settings.cdn_failover_base_url,
                entitlement_required=settings.playback_require_entitlement,
            ),
            time=self.clock.time,
            running=time.monotonic,
            leads_away=self.failover.leads_away,
        )

    def _ingest(self, intake: Intake, fleet: OmeFleet, changed: Callable[[str], None]) -> Ingest:
        return wire_ingest(
            self.settings,
            self.store,
            intake=intake,
            notifier=self.notifier,
            clock=self.clock,
            base=ingest_base(self.settings, fleet),
            changed=changed,
        )
