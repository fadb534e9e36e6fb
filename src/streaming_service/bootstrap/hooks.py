"""Answers to OME's webhooks, where there is a secret that they are signed with."""

import time
from collections.abc import Callable

from streaming_service.adapters.clock import SharedClock
from streaming_service.application.ome_hooks import OmeHooks
from streaming_service.application.playback import Playback
from streaming_service.application.ports import Store
from streaming_service.application.stream_directory import StreamDirectory
from streaming_service.application.viewer_gate import ViewerGate
from streaming_service.bootstrap.ingest import wire_gate
from streaming_service.bootstrap.plans import hook_policy
from streaming_service.domain.notification import Notifier
from streaming_service.domain.wish import SpecPolicy
from streaming_service.setting_values import each_of
from streaming_service.settings import Settings
from streaming_service.telemetry import Metrics


def wire_hooks(
    settings: Settings,
    store: Store,
    playback: Playback,
    *,
    specs: SpecPolicy,
    notifier: Notifier,
    clock: SharedClock,
    meter: Metrics,
    changed: Callable[[str], None],
) -> OmeHooks | None:
    """None without a secret. `changed` hears of contents that were written."""
    secrets = each_of(settings.ome_webhook_secret)
    if not secrets:
        return None
    policy = hook_policy(settings, specs, notifier)
    directory = StreamDirectory(store, policy.stream_prefix, monotonic=time.monotonic)
    return OmeHooks(
        secrets=secrets,
        directory=directory,
        store=store,
        policy=policy,
        viewers=ViewerGate(playback, prefix=policy.stream_prefix),
        gate=wire_gate(settings, store, directory, clock=clock, changed=changed),
        clock=clock,
        meter=meter,
        changed=changed,
    )
