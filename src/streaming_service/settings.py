"""Every environment variable and what it means. How they are read, and what a role needs: `configuration.py`."""

from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import AliasGenerator, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.latency_window import LATENCY_BUCKETS_MS
from streaming_service.domain.probe_region import parse_regions
from streaming_service.domain.signing.keyring import KEY_ID, decode_secret, parse_retired
from streaming_service.domain.signing.scheme import Scheme
from streaming_service.domain.source import parse_mounts
from streaming_service.setting_values import local_mounts_of, parse_networks, revealed, valid
from streaming_service.tracing_settings import TracingSettings

__all__ = ["Settings", "parse_networks", "revealed"]


class Settings(TracingSettings):
    """The process's configuration. Names on the outside are these in upper case."""

    model_config = ConfigDict(
        frozen=True,
        hide_input_in_errors=True,
        alias_generator=AliasGenerator(validation_alias=str.upper),
        populate_by_name=True,
    )

    app_env: Literal["development", "test", "production"] = Field(
        "production", description="`production` refuses to start without its secrets; the others allow short cuts."
    )

    # -- HTTP
    http_host: str = Field("0.0.0.0", description="Address the API listens on.")  # noqa: S104 - a container's own
    http_port: int = Field(4900, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    http_idle_seconds: float = Field(
        620.0, ge=1, description="Idle connections close after this: longer than the load balancer's own 600 s."
    )
    http_linger_seconds: float = Field(
        1.0,
        ge=0,
        le=600,
        description="How long a stopping API still takes requests: as long as the load balancer needs to notice.",
    )
    trusted_proxies: str | None = Field(
        None,
        description="Networks of the load balancers whose X-Forwarded-For is believed, or none; unset: who asks through"
        " one is not limited.",
    )
    guesses_per_minute: int = Field(
        120,
        ge=0,
        description="Wrong tokens and unknown contents that an address may try before it gets 429; 0: any number.",
    )
    http_body_limit: int = Field(1_048_576, ge=1024, description="Largest request body, bytes.")
    service_auth_token: SecretStr | None = Field(
        None, description="Service tokens, comma separated while one is being rotated."
    )
    metrics_access_token: SecretStr | None = Field(None, description="Bearer token that may scrape /metrics.")
    openapi_enabled: bool | None = Field(None, description="Serve /openapi.json and /docs; off in production if unset.")
    worker_http_port: int | None = Field(
        None, ge=0, le=65535, description="Where a worker without the API serves /metrics and /livez; unset: nowhere."
    )
    shutdown_grace_seconds: float = Field(20.0, ge=0, le=600, description="How long a stopping process finishes work.")

    # -- logs
    log_level: Literal["debug", "info", "warn", "warning", "error"] = Field("info", description="Least severe line.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console in a terminal.")

    # -- the store
    channel_repository_backend: Literal["memory", "sqlite", "postgres", "firestore"] = Field(
        "sqlite", description="Where channels are kept."
    )
    sqlite_path: Path = Field(Path("var/streaming-service.sqlite"), description="File of the sqlite backend.")
    postgres_dsn: SecretStr | None = Field(None, description="postgresql://user:password@host/database")
    firestore_project_id: str | None = Field(
        None, pattern=r"^[a-z][a-z0-9.:-]*$", description="Google Cloud project of the Firestore database."
    )
    firestore_database: str = Field(
        "(default)", pattern=r"^(\(default\)|[a-z][a-z0-9-]*)$", description="Name of the Firestore database."
    )

    # -- events
    event_source: Literal["pubsub", "push", "embedded"] = Field(
        "pubsub", description="pubsub: the worker pulls; push: Pub/Sub posts to the API; embedded: inside one process."
    )
    pubsub_upload_subscription: str | None = Field(
        None, pattern=r"^projects/[^/]+/subscriptions/[^/]+$", description="Full resource path of the subscription."
    )
    upload_event_ack_deadline_seconds: int = Field(
        60, ge=10, le=600, description="The subscription's ack deadline, and how far each extension of a lease reaches."
    )
    pubsub_max_messages: int = Field(64, ge=1, le=10_000, description="Messages that one worker has in hand at most.")
    pubsub_max_bytes: int = Field(
        33_554_432, ge=1024, description="Bytes of messages that one worker has in hand, about."
    )
    pubsub_push_audience: str | None = Field(
        None, description="Audience that pushes are signed for; set: Google's tokens are accepted, too."
    )
    pubsub_push_service_account: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail of the service account that pushes are signed as."
    )
    pubsub_push_jwks_url: str = Field(
        "https://www.googleapis.com/oauth2/v3/certs", description="Where Google publishes the keys it signs with."
    )
    content_catalog_wait_seconds: float = Field(
        600.0, ge=0, description="How long an event waits for its content to appear in the catalog."
    )

    # -- OME
    ome_api_base_url: str | None = Field(None, description="OME's REST API, for example http://ome:8081")
    ome_api_key: SecretStr | None = Field(None, description="First half of OME's access token key:secret.")
    ome_api_secret: SecretStr | None = Field(None, description="Second half of OME's access token.")
    ome_vhost: str = Field("default", pattern=r"^[A-Za-z0-9_-]+$", description="OME's virtual host.")
    ome_playback_base_url: str | None = Field(None, description="Where the egress pool answers playback.")
    ome_reels_preset: str = Field(
        "720p|1280x720|2500,480p|854x480|1500,360p|640x360|900", description="Ladder of reels: name|size|kbit/s,…"
    )
    ome_series_preset: str = Field(
        "1080p|1920x1080|4500,720p|1280x720|2500,480p|854x480|1500", description="Ladder of series."
    )
    ome_reels_application: str = Field("reels", pattern=r"^[A-Za-z0-9_-]+$", description="Application in Server.xml.")
    ome_series_application: str = Field("series", pattern=r"^[A-Za-z0-9_-]+$", description="Application in Server.xml.")
    ome_reels_ingest_pool: str = Field(
        "ome-reels-ingest", description="Origins of reels: a pool's name, their API URLs, or dns:HOST."
    )
    ome_series_ingest_pool: str = Field("ome-series-ingest", description="Origins of series, likewise.")
    ome_reels_egress_pool: str = Field(
        "ome-reels-egress", description="Edges of reels: a pool's name, or the URL where they answer."
    )
    ome_series_egress_pool: str = Field("ome-series-egress", description="Edges of series, likewise.")
    ome_pools_file: Path | None = Field(None, description="JSON or TOML that lists the pools; read again on change.")
    ome_origin_capacity: int = Field(5, ge=1, le=10_000, description="Channels that an origin plays in real time.")
    origin_poll_seconds: float = Field(5.0, ge=0.1, description="Pause between two looks at the origins.")
    ome_media_mounts: str = Field("", description="gs://bucket=folder,…: mounts below OME's media root.")
    media_mounts: str = Field(
        "", description="gs://bucket=/folder,…: the same buckets as we see them; else Cloud Storage is read."
    )
    gcs_manifest_bucket: str | None = Field(None, description="Bucket of the VOD copies.")
    ome_manifest_mount: str | None = Field(
        None, pattern=r"^/", description="Where OME has that bucket mounted; unset: channels stay on OME and loop."
    )
    manifest_mount: Path | None = Field(
        None, description="Where we have it mounted; unset: it is read through Cloud Storage."
    )
    media_inspection: bool = Field(
        True, description="Look into an upload for its tracks before OME is asked to play it."
    )
    ome_playlist: str = Field("master", pattern=r"^[A-Za-z0-9_-]+$", description="Playlist of the full ladder.")
    ome_stream_prefix: str = Field(
        "ss-", pattern=r"^[A-Za-z0-9_-]{0,32}$", description="Start of our stream names: tells installations apart."
    )
    ome_webhook_secret: SecretStr | None = Field(
        None, description="OME signs its webhooks with it; comma separated while it is being rotated."
    )
    ome_playback_cdn_only: bool = Field(
        True,
        description="Playing directly from OME is for OME_EDGE_NETWORKS alone; otherwise also for ?token= of a viewer.",
    )
    ome_edge_networks: str = Field(
        "127.0.0.0/8,::1/128", description="Networks of the CDN and of ourselves, comma separated."
    )
    ome_ingest_base_url: str | None = Field(
        None,
        pattern=r"^rtmps?://",
        description="Where encoders reach OME: rtmp://ome:1935, perhaps with ,srt://ome:9999,https://ome:3334",
    )
    live_slate_uri: str | None = Field(
        None, pattern=r"^gs://", description="What live contents show while nobody pushes."
    )
    ingest_key_grace_seconds: float = Field(
        300.0, ge=0, description="How long the old ingest key is good after a rotation."
    )
    ome_timeout_ms: int = Field(5000, ge=100, description="Longest wait for an answer of OME.")
    dry_run_provisioning: bool = Field(False, description="Everything runs, but nothing is sent to OME.")

    # -- provisioning
    max_provision_retries: int = Field(5, ge=0, le=100, description="Quick retries before a channel rests as failed.")
    reconciliation_window_minutes: float = Field(
        60.0, gt=0, description="After this long a failed channel is taken up again."
    )
    reconcile_interval_seconds: float = Field(30.0, gt=0, description="Pause between two comparisons with OME.")
    playable_timeout_seconds: float = Field(60.0, gt=0, description="How long a new stream may take until it plays.")
    drain_seconds: float | None = Field(
        None, ge=0, description="How long a replaced stream stays; unset: as long as URLs signed for it live."
    )
    release_seconds: float = Field(
        30.0, ge=0, description="How long a stream stays on OME after its copy is published."
    )
    provision_concurrency: int = Field(64, ge=1, description="Channels converged side by side in one process.")
    delivery_concurrency: int = Field(32, ge=1, description="Deliveries side by side to one endpoint.")
    delivery_retention_days: float = Field(
        30.0, gt=0, description="How long the outbox keeps what is delivered or given up, to look at and to send again."
    )
    lease_seconds: float = Field(30.0, ge=1, description="After this long without a heartbeat, work is taken over.")
    stats_interval_seconds: float = Field(10.0, gt=0, description="Pause between two looks at OME's statistics.")
    poll_interval_ms: int = Field(500, ge=10, description="How often a worker asks the store for due work.")

    # -- failover
    failover_clear_seconds: float = Field(
        300.0, gt=0, description="How long the primary has to be well before viewers go back to it."
    )
    failover_ramp_seconds: float = Field(120.0, ge=0, description="Over so long they go back, a few more each second.")
    failover_dwell_seconds: float = Field(60.0, ge=0, description="Shortest stay on the failover.")
    failover_hold_down_seconds: float = Field(
        30.0, ge=0, description="No promotion for so long after a return, times the number of promotions; 300 at most."
    )
    failover_silence_seconds: float = Field(
        90.0, gt=0, description="A region that tells nothing for longer is unknown, not failed."
    )
    cdn_control_failback: bool = Field(
        False, description="CDN control understands target=primary: tell it at /failover when viewers go back, too."
    )

    # -- manifest latency
    manifest_latency_slo_ms: float = Field(
        25.0, description="What a manifest request should take at most; a bound of streaming_manifest_latency_ms."
    )
    manifest_latency_alert_share: float = Field(
        0.05, gt=0, lt=1, description="More of the requests than that over it is an alert: stream.manifest.latency."
    )
    manifest_latency_window_seconds: float = Field(
        300.0, ge=10, le=3600, description="The requests of the last so many seconds are what counts."
    )

    # -- CDN
    cdn_base_url: str | None = Field(None, description="Where viewers fetch manifests, for example https://cdn.example")
    cdn_allowed_hosts: str = Field("", description="Other hosts that an event may name as its CDN, comma separated.")
    cdn_signing_scheme: Scheme = Field(
        Scheme.CLOUD_CDN, description="How URLs are signed: cloud-cdn, cloud-cdn-cookie, media-cdn, ome or hmac."
    )
    cdn_signing_secret: SecretStr | None = Field(
        None, description="The active key, base64url: 16 bytes for Cloud CDN, otherwise 32; for ome OME's <SecretKey>."
    )
    cdn_signing_key_id: str = Field(
        "primary", pattern=KEY_ID, description="Its name at the CDN; for media-cdn the keyset's."
    )
    cdn_signing_next_key_id: str = Field("next", pattern=KEY_ID, description="Name of the key that will sign next.")
    cdn_signing_next_secret: SecretStr | None = Field(
        None, description="The key itself. It verifies already, so that edges can learn of it first."
    )
    cdn_signing_retired_keys: SecretStr | None = Field(
        None, description="Keys that only verify, id=secret@2026-01-02T03:04:05Z, comma separated."
    )
    cdn_cache_key_secret: SecretStr | None = Field(
        None, description="Cache keys are made with it; unset: with the active key, so that a rotation changes them."
    )
    cdn_cookie_domain: str = Field(
        "", pattern=r"^[A-Za-z0-9.-]*$", description="Parent domain that cloud-cdn-cookie sets; empty: the CDN's host."
    )
    cdn_media_algorithm: Literal["ed25519", "hmac-sha256"] = Field(
        "ed25519", description="How media-cdn signs; with ed25519 the secrets are private keys."
    )
    cdn_media_place: Literal["path", "query"] = Field(
        "path", description="Where media-cdn puts the grant; relative addresses inherit a path."
    )
    signed_url_ttl_seconds: int = Field(300, ge=10, le=86_400, description="How long a signed URL is good for.")
    cdn_failover_base_url: str | None = Field(
        None, description="Where the same manifests are served when the CDN fails; unset: only the primary is probed."
    )
    cdn_control_base_url: str | None = Field(None, description="CDN control plane: /purge, /warmup, /failover.")
    cdn_control_api_key: SecretStr | None = Field(None, description="Its bearer token.")
    cdn_warmup_segments: int = Field(
        2, ge=0, le=20, description="First segments of each variant that caches are warmed with; 0: playlists only."
    )
    cdn_warmup_concurrency: int = Field(
        8, ge=1, le=256, description="Warm-ups fetch, and tell CDN control, so many addresses at once in one process."
    )
    cdn_warmup_timeout_ms: int = Field(5000, ge=50, le=60_000, description="Longest wait for one of them.")

    # -- probes
    cdn_probe_regions: str = Field(
        "iad,sfo,ams", description="Where probes look from: name, name=https://edge or name=agent:https://agent, …"
    )
    probe_timeout_ms: int = Field(3000, ge=50, le=60_000, description="Longest wait for a playlist.")
    probes_per_second: float = Field(
        1.0, ge=0, le=1000, description="Probes of the schedule, all regions and targets together; 0: only on demand."
    )
    probe_again_seconds: float = Field(10.0, ge=1, description="How long the schedule leaves a content alone.")
    probe_agent_secret: SecretStr | None = Field(
        None, description="Standard Webhooks secret of the service and its probe agents; comma separated while rotated."
    )
    probe_agent_region: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="Which region a probe agent looks from."
    )

    # -- the platform
    auth_service_base_url: str | None = Field(None, description="Token introspection.")
    auth_service_introspection_path: str = Field("/api/v1/auth/introspect", pattern=r"^/", description="Its path.")
    auth_service_internal_token: SecretStr | None = Field(None, description="Its bearer token.")
    auth_service_timeout_ms: int = Field(2000, ge=50, description="Longest wait for its answer.")
    playback_require_entitlement: bool = Field(
        False, description="Refuse tokens that name no entitlements, instead of letting them watch everything."
    )
    content_service_base_url: str | None = Field(None, description="Catalog; unset: every content is in it.")
    content_service_internal_token: SecretStr | None = Field(None, description="Its bearer token.")
    content_service_timeout_ms: int = Field(2000, ge=50, description="Longest wait for its answer.")
    content_service_callback_url: str | None = Field(None, description="Told when a content is ready.")
    api_gateway_cache_warmup_url: str | None = Field(None, description="Told to warm its cache.")
    observability_export_url: str | None = Field(None, description="Receives events and alerts.")
    bigquery_export_url: str | None = Field(None, description="Receives analytics envelopes.")
    bigquery_export_batch: int = Field(
        1, ge=1, le=500, description="Above 1: up to so many envelopes in one request, one JSON object a line."
    )
    audit_log_topic: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/topics/[^/]+$",
        description="Full resource path of the Pub/Sub topic that every admin action and alert is published to.",
    )
    webhook_signing_secret: SecretStr | None = Field(None, description="Standard Webhooks secrets of deliveries.")
    webhook_timeout_ms: int = Field(5000, ge=50, description="Longest wait for a receiver's answer.")

    @field_validator("manifest_latency_slo_ms")
    @classmethod
    def _check_slo(cls, value: float) -> float:
        if value not in LATENCY_BUCKETS_MS:
            raise ValueError(f"must be one of {', '.join(f'{bound:g}' for bound in LATENCY_BUCKETS_MS)}")
        return value

    @field_validator("ome_reels_preset", "ome_series_preset")
    @classmethod
    def _check_preset(cls, value: str) -> str:
        return valid(value, parse_ladder)

    @field_validator("ome_media_mounts")
    @classmethod
    def _check_mounts(cls, value: str) -> str:
        return valid(value, parse_mounts)

    @field_validator("media_mounts")
    @classmethod
    def _check_local_mounts(cls, value: str) -> str:
        local_mounts_of(value)
        return value

    @field_validator("ome_edge_networks", "trusted_proxies")
    @classmethod
    def _check_networks(cls, value: str | None) -> str | None:
        parse_networks(value or "")
        return value

    @field_validator("cdn_probe_regions")
    @classmethod
    def _check_regions(cls, value: str) -> str:
        return valid(value, parse_regions)

    @field_validator("cdn_signing_secret", "cdn_signing_next_secret", "cdn_signing_retired_keys")
    @classmethod
    def _check_keys(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        scheme, name = info.data.get("cdn_signing_scheme"), info.field_name or ""
        text = revealed(value)
        if not text or scheme is None:  # a scheme that is wrong is named itself, and nobody knows what its keys are
            return value
        decode = partial(decode_secret, scheme)
        active, coming = (str(info.data.get(key)) for key in ("cdn_signing_key_id", "cdn_signing_next_key_id"))
        own_names = scheme is not Scheme.MEDIA_CDN  # whose keys all go by the name of their keyset
        if name == "cdn_signing_retired_keys":
            taken = {active, coming} if info.data.get("cdn_signing_next_secret") else {active}
            valid(text, lambda keys: parse_retired(keys, name, decode, taken if own_names else None))
        else:
            valid(text, lambda secret: decode(secret, name))
            if name == "cdn_signing_next_secret" and own_names and coming == active:
                raise ValueError("needs a name of its own: CDN_SIGNING_NEXT_KEY_ID is the active key's")
        return value

    @field_validator(
        "ome_api_base_url",
        "ome_playback_base_url",
        "cdn_base_url",
        "cdn_failover_base_url",
        "cdn_control_base_url",
        "auth_service_base_url",
        "content_service_base_url",
        "content_service_callback_url",
        "api_gateway_cache_warmup_url",
        "observability_export_url",
        "bigquery_export_url",
        "pubsub_push_jwks_url",
    )
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None or value == "":
            return None
        if not value.startswith(("http://", "https://")) or not value.partition("://")[2].strip("/"):
            raise ValueError("must be an http:// or https:// URL")
        return value.rstrip("/")

    @property
    def names_origin(self) -> bool:
        """The pools are mere names: the one origin is OME_API_BASE_URL's."""
        listed = all("://" in pool for pool in (self.ome_reels_ingest_pool, self.ome_series_ingest_pool))
        return self.ome_pools_file is None and not listed

    @property
    def local_mounts(self) -> dict[str, Path]:
        """`MEDIA_MOUNTS` as bucket → folder."""
        return local_mounts_of(self.media_mounts)
