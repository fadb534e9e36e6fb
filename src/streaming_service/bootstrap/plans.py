"""Settings as the policies that the use cases understand."""

from collections.abc import Mapping

from streaming_service.adapters.webhooks import Route
from streaming_service.application.ome_hooks import HookPolicy
from streaming_service.application.patience import ConvergencePolicy
from streaming_service.domain.content import Classification
from streaming_service.domain.ladder import Ladder, parse_ladder
from streaming_service.domain.latency_window import LatencyPolicy
from streaming_service.domain.notification import Endpoint, Notifier
from streaming_service.domain.probe_region import Region, parse_regions
from streaming_service.domain.source import parse_mounts
from streaming_service.domain.wish import SpecPolicy
from streaming_service.setting_values import parse_networks
from streaming_service.settings import Settings, revealed


def spec_policy(settings: Settings) -> SpecPolicy:
    """Ladders, applications, mounts, and the hosts that an event may name as its CDN."""
    hosts = {(settings.cdn_base_url or "").partition("://")[2], *settings.cdn_allowed_hosts.split(",")}
    return SpecPolicy(
        ladders={
            Classification.REEL: parse_ladder(settings.ome_reels_preset, "OME_REELS_PRESET"),
            Classification.SERIES: parse_ladder(settings.ome_series_preset, "OME_SERIES_PRESET"),
        },
        applications={
            Classification.REEL: settings.ome_reels_application,
            Classification.SERIES: settings.ome_series_application,
        },
        mounts=parse_mounts(settings.ome_media_mounts),
        allowed_hosts=frozenset(filter(None, (host.strip().partition("/")[0] for host in hosts))),
    )


def ladders_by_application(policy: SpecPolicy) -> Mapping[str, Ladder]:
    """What each OME application plays."""
    return {policy.applications[item]: policy.ladders[item] for item in Classification}


def convergence_policy(settings: Settings) -> ConvergencePolicy:
    """How patient provisioning is."""
    drain = settings.drain_seconds
    return ConvergencePolicy(
        stream_prefix=settings.ome_stream_prefix,
        playlist=settings.ome_playlist,
        max_retries=settings.max_provision_retries,
        window=settings.reconciliation_window_minutes * 60,
        drain_after=settings.signed_url_ttl_seconds if drain is None else drain,
        playable_timeout=settings.playable_timeout_seconds,
        release_after=settings.release_seconds,
    )


def publishing(settings: Settings) -> bool:
    """Whether VOD copies are made: OME must have the manifest bucket mounted, and a dry run makes none."""
    return settings.ome_manifest_mount is not None and not settings.dry_run_provisioning


def latency_policy(settings: Settings) -> LatencyPolicy:
    """When slow manifests are told of."""
    return LatencyPolicy(
        slo=settings.manifest_latency_slo_ms,
        share=settings.manifest_latency_alert_share,
        window=settings.manifest_latency_window_seconds,
    )


def hook_policy(settings: Settings, specs: SpecPolicy, notifier: Notifier) -> HookPolicy:
    """How OME's webhooks are answered."""
    return HookPolicy(
        ladders=ladders_by_application(specs),
        stream_prefix=settings.ome_stream_prefix,
        playlist=settings.ome_playlist,
        cdn_only=settings.ome_playback_cdn_only,
        edges=parse_networks(settings.ome_edge_networks),
        alert_endpoints=notifier.endpoints,
        audit_topic=notifier.audit_topic,
    )


def notifier_of(settings: Settings) -> Notifier:
    """Only what is configured is owed anything."""
    audit = {Endpoint.AUDIT} if settings.audit_log_topic else set[Endpoint]()
    warms = settings.cdn_control_base_url or not all(map(_is_here, parse_regions(settings.cdn_probe_regions)))
    warmup = {Endpoint.CDN_WARMUP} if settings.cdn_base_url and warms else set[Endpoint]()
    return Notifier(frozenset(routes(settings)) | audit | warmup, settings.audit_log_topic)


def _is_here(region: Region) -> bool:
    return region.is_here


def routes(settings: Settings) -> dict[Endpoint, Route]:
    """Where deliveries over HTTP go."""
    routes = {
        Endpoint.CONTENT_CALLBACK: (settings.content_service_callback_url, settings.content_service_internal_token),
        Endpoint.GATEWAY_WARMUP: (settings.api_gateway_cache_warmup_url, None),
        Endpoint.CDN_CONTROL: (settings.cdn_control_base_url, settings.cdn_control_api_key),
        Endpoint.OBSERVABILITY: (settings.observability_export_url, None),
        Endpoint.BIGQUERY: (settings.bigquery_export_url, None),
    }
    return {endpoint: Route(url, revealed(token) or None) for endpoint, (url, token) in routes.items() if url}
