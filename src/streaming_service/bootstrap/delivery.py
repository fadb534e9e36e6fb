"""The outbox: who is sent what, and how."""

import random
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from streaming_service.adapters.audit import Couriers
from streaming_service.adapters.batches import BatchCourier
from streaming_service.adapters.clock import SharedClock
from streaming_service.adapters.http import Transport
from streaming_service.adapters.purges import PurgeCourier
from streaming_service.adapters.webhooks import HttpCourier
from streaming_service.application.delivery import Bulk, DeliveryLoop
from streaming_service.application.dispatch import Bell
from streaming_service.application.election import Election
from streaming_service.application.issuing import ManifestIssuer
from streaming_service.application.ports import Courier, Meter, Store, WarmMeter
from streaming_service.bootstrap.plans import routes
from streaming_service.bootstrap.warming import SIDE_BY_SIDE, wire_warming
from streaming_service.context import correlation_id
from streaming_service.domain.notification import Endpoint, Notifier
from streaming_service.domain.rendering import render_body
from streaming_service.domain.signing.scheme import Signer
from streaming_service.setting_values import each_of
from streaming_service.settings import Settings
from streaming_service.tracing import Tracer

_LONGEST_TERM_S = 15.0


class DeliveryMeter(Meter, WarmMeter, Protocol):
    """Counts deliveries and warm-ups."""


def wire_delivery(
    settings: Settings,
    store: Store,
    transport: Transport,
    probing: Transport,
    *,
    audit: Courier | None,
    notifier: Notifier,
    signer: Signer,
    meter: DeliveryMeter,
    clock: SharedClock,
    bell: Bell,
    owner: str,
    tracer: Tracer,
) -> DeliveryLoop:
    """Receivers are reached through `transport`, the CDN through `probing`, the audit log through `audit`."""
    issuer = ManifestIssuer(
        signer, base_url=settings.cdn_base_url or "", ttl=settings.signed_url_ttl_seconds, time=clock.time
    )
    secrets = each_of(settings.webhook_signing_secret)
    http = HttpCourier(
        transport,
        routes(settings),
        clock=clock,
        secrets=secrets,
        timeout=settings.webhook_timeout_ms / 1000,
        context=context_headers,
    )
    own: dict[Endpoint, Courier] = {
        Endpoint.CDN_CONTROL: PurgeCourier(http, clock=clock, monotonic=time.monotonic),
        **wire_warming(
            settings,
            store,
            probing,
            http,
            signer=signer,
            notifier=notifier,
            meter=meter,
            clock=clock,
        ),
    }
    if audit:
        own[Endpoint.AUDIT] = audit
    # The CDN counts the purges of all of us together.
    term = timedelta(seconds=min(_LONGEST_TERM_S, settings.lease_seconds))
    election = Election(store, "cdn-control", owner, clock=clock, term=term)
    return DeliveryLoop(
        store=store,
        courier=Couriers(http, own),
        leads={Endpoint.CDN_CONTROL: election.won},
        narrow={Endpoint.CDN_WARMUP: SIDE_BY_SIDE},
        render=lambda notification: render_body(notification, issuer.issue),
        endpoints=tuple(sorted(notifier.endpoints)),
        clock=clock,
        jitter=random.random,
        meter=meter,
        bell=bell,
        owner=owner,
        concurrency=settings.delivery_concurrency,
        lease=timedelta(seconds=settings.lease_seconds),
        poll_interval=settings.poll_interval_ms / 1000,
        tracer=tracer,
        bulk=_bulk(settings, transport, secrets, clock),
    )


def _bulk(
    settings: Settings, transport: Transport, secrets: Sequence[str], clock: SharedClock
) -> Mapping[Endpoint, Bulk]:
    """Analytics alone, and only who asked for it: its receiver has to understand batches."""
    route = routes(settings).get(Endpoint.BIGQUERY)
    if route is None or settings.bigquery_export_batch == 1:
        return {}
    courier = BatchCourier(
        transport,
        route,
        clock=clock,
        monotonic=time.monotonic,
        secrets=secrets,
        timeout=settings.webhook_timeout_ms / 1000,
        context=context_headers,
    )
    return {Endpoint.BIGQUERY: Bulk(courier, settings.bigquery_export_batch)}


def context_headers() -> Mapping[str, str]:
    """What every outgoing call carries of the request or job at hand; its trace, the transport adds."""
    current = correlation_id.get()
    return {"x-correlation-id": current} if current else {}
