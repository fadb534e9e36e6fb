"""Ingest keys and the gate that asks for them."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from streaming_service.adapters.ome.fleet import OmeFleet
from streaming_service.application.ingest import Ingest, IngestKeys, IngestPolicy
from streaming_service.application.intake import Intake
from streaming_service.application.key_gate import KeyGate
from streaming_service.application.ports import Clock, Store
from streaming_service.application.publisher_log import PublisherLog
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.bootstrap.plans import notifier_of
from streaming_service.context import correlation_id
from streaming_service.domain.channel import Channel
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.settings import Settings
from streaming_service.tracing import traceparent

IngestBase = Callable[[Channel], str | None]


def open_ingest_keys(settings: Settings, store: Store, clock: Clock) -> IngestKeys:
    """For a command, which knows no origins: a worker and the outbox take over from the store."""
    return IngestKeys(
        store=store,
        notifier=notifier_of(settings),
        clock=clock,
        entropy=secrets.token_bytes,
        policy=_policy(settings, lambda _: settings.ome_ingest_base_url or _usual_base(settings.ome_api_base_url)),
        changed=lambda _: None,
    )


def ingest_base(settings: Settings, fleet: OmeFleet) -> IngestBase:
    """The RTMP address of the origin where a channel is, or where it would be placed now."""

    def base(channel: Channel) -> str | None:
        held = next((item.origin for item in (channel.building, channel.serving) if item and item.on_ome), None)
        spec = channel.spec
        chosen = fleet.candidates(spec.classification, spec.application, channel.content_id)
        name = held or (chosen[0].origin if chosen else "")
        origin = fleet.watch.topology.origins.get(name)
        told = (origin.ingest_url if origin else None) or settings.ome_ingest_base_url
        return told or _usual_base(origin.api_url if origin else settings.ome_api_base_url)

    return base


def _usual_base(api_url: str | None) -> str | None:
    """Nobody said where this OME takes publishers: its own default is RTMP's port on the host of its API."""
    host = urlsplit(api_url).hostname if api_url else None
    return f"rtmp://[{host}]:1935" if host and ":" in host else f"rtmp://{host}:1935" if host else None


def wire_ingest(
    settings: Settings,
    store: Store,
    *,
    intake: Intake,
    notifier: Notifier,
    clock: Clock,
    base: IngestBase,
    changed: Callable[[str], None],
) -> Ingest:
    """`base` says where OME takes publishers for a channel."""
    return Ingest(
        intake=intake,
        store=store,
        notifier=notifier,
        clock=clock,
        entropy=secrets.token_bytes,
        policy=_policy(settings, base),
        changed=changed,
    )


def wire_gate(
    settings: Settings, store: Store, directory: StreamDirectory, *, clock: Clock, changed: Callable[[str], None]
) -> KeyGate:
    """Lets in whoever has a key."""
    publishers = PublisherLog(
        store, clock=clock, cause=lambda: Cause("ome", correlation_id.get(), traceparent()), changed=changed
    )
    return KeyGate(directory.ingest, publishers, prefix=settings.ome_stream_prefix, clock=clock)


def _policy(settings: Settings, base: IngestBase) -> IngestPolicy:
    return IngestPolicy(
        stream_prefix=settings.ome_stream_prefix,
        vhost=settings.ome_vhost,
        grace=timedelta(seconds=settings.ingest_key_grace_seconds),
        base=base,
        slate=settings.live_slate_uri,
    )
