"""Google Pub/Sub: where upload events come from, where the audit log goes, and who may push."""

import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from streaming_service.adapters.events.embedded import EmbeddedSource
from streaming_service.adapters.http import Transport
from streaming_service.application.ports import Courier, EventSource
from streaming_service.settings import Settings
from streaming_service.telemetry import Metrics

if TYPE_CHECKING:
    from streaming_service.adapters.google_keys import GooglePushTokens


@contextmanager
def open_audit(settings: Settings) -> Generator[Courier | None]:
    """None when no audit log is kept."""
    if settings.audit_log_topic is None:
        yield None
        return
    from streaming_service.adapters.audit import AuditTopic, GoogleTopic

    path = settings.audit_log_topic
    with closing(AuditTopic(lambda: GoogleTopic(path), timeout=settings.webhook_timeout_ms / 1000)) as topic:
        yield topic


def push_tokens(settings: Settings, transport: Transport) -> "GooglePushTokens | None":
    """None when only service tokens may push."""
    if not settings.pubsub_push_audience or not settings.pubsub_push_service_account:
        return None
    from streaming_service.adapters.google_keys import GoogleKeys, GooglePushTokens
    from streaming_service.domain.push_token import Expected

    keys = GoogleKeys(transport, settings.pubsub_push_jwks_url, monotonic=time.monotonic)
    expected = Expected(settings.pubsub_push_audience, settings.pubsub_push_service_account)
    return GooglePushTokens(keys, expected, time=time.time)


def pull_source(settings: Settings, metrics: Metrics) -> EventSource | None:
    """The subscription; None when events come another way."""
    if settings.event_source != "pubsub" or not settings.pubsub_upload_subscription:
        return None
    from streaming_service.adapters.events.pubsub import PubSubSource

    source = PubSubSource(
        settings.pubsub_upload_subscription,
        settings.upload_event_ack_deadline_seconds,
        settings.pubsub_max_messages,
        max_bytes=settings.pubsub_max_bytes,
        drain_seconds=_drain_seconds(settings),
        meter=metrics,
    )
    metrics.watch_stream(lambda: source.state)
    return source


def embedded_source(settings: Settings) -> EmbeddedSource | None:
    """Inside one process; None when events come another way."""
    return EmbeddedSource(drain_seconds=_drain_seconds(settings)) if settings.event_source == "embedded" else None


def _drain_seconds(settings: Settings) -> float:
    """Half of the grace: what was taken in is finished, and the other half is for what comes after it."""
    return settings.shutdown_grace_seconds / 2
