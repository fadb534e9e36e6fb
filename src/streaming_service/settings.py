"""Every environment variable, what it means, and what is wrong with it.

Read from the environment, then `.env`; `FOO_FILE` names a file that holds the value of `FOO`. All problems are
reported at once. What a role needs beyond valid values is asked for by `require`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, NamedTuple, Self

from dotenv import dotenv_values
from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails

from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.signing.cloud_cdn import KEY_BYTES
from streaming_service.domain.signing.keyring import decode_key
from streaming_service.domain.source import parse_mounts
from streaming_service.errors import ConfigurationError, InvalidInput

Role = Literal["api", "worker", "store"]


_OR_DRY_RUN = "(or set DRY_RUN_PROVISIONING=true)"


class Settings(BaseModel):
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
    http_body_limit: int = Field(1_048_576, ge=1024, description="Largest request body, bytes.")
    service_auth_token: SecretStr | None = Field(
        None, description="Service tokens, comma separated while one is being rotated."
    )
    metrics_access_token: SecretStr | None = Field(None, description="Bearer token that may scrape /metrics.")
    openapi_enabled: bool | None = Field(None, description="Serve /openapi.json and /docs; off in production if unset.")
    shutdown_grace_seconds: float = Field(20.0, ge=0, le=600, description="How long a stopping process finishes work.")

    # -- logs
    log_level: Literal["debug", "info", "warn", "warning", "error"] = Field("info", description="Least severe line.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console in a terminal.")

    # -- the store
    channel_repository_backend: Literal["memory", "sqlite", "postgres"] = Field(
        "sqlite", description="Where channels are kept."
    )
    sqlite_path: Path = Field(Path("var/streaming-service.sqlite"), description="File of the sqlite backend.")
    postgres_dsn: SecretStr | None = Field(None, description="postgresql://user:password@host/database")

    # -- events
    event_source: Literal["pubsub", "push", "embedded"] = Field(
        "pubsub", description="pubsub: the worker pulls; push: Pub/Sub posts to the API; embedded: inside one process."
    )
    pubsub_upload_subscription: str | None = Field(
        None, pattern=r"^projects/[^/]+/subscriptions/[^/]+$", description="Full resource path of the subscription."
    )
    upload_event_ack_deadline_seconds: int = Field(60, ge=10, le=600, description="The subscription's ack deadline.")
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
    ome_reels_ingest_pool: str = Field("ome-reels-ingest", description="Origins of reels.")
    ome_series_ingest_pool: str = Field("ome-series-ingest", description="Origins of series.")
    ome_reels_egress_pool: str = Field("ome-reels-egress", description="Edges of reels.")
    ome_series_egress_pool: str = Field("ome-series-egress", description="Edges of series.")
    ome_media_mounts: str = Field("", description="gs://bucket=folder,…: mounts below OME's media root.")
    media_mounts: str = Field(
        "", description="gs://bucket=/folder,…: the same buckets as we see them; else Cloud Storage is read."
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
        True, description="Playing directly from OME is for OME_EDGE_NETWORKS only, where OME asks about it."
    )
    ome_edge_networks: str = Field(
        "127.0.0.0/8,::1/128", description="Networks of the CDN and of ourselves, comma separated."
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
    provision_concurrency: int = Field(64, ge=1, description="Channels converged side by side in one process.")
    delivery_concurrency: int = Field(32, ge=1, description="Deliveries side by side to one endpoint.")
    lease_seconds: float = Field(30.0, ge=1, description="After this long without a heartbeat, work is taken over.")
    poll_interval_ms: int = Field(500, ge=10, description="How often a worker asks the store for due work.")

    # -- CDN
    cdn_base_url: str | None = Field(None, description="Where viewers fetch manifests, for example https://cdn.example")
    cdn_allowed_hosts: str = Field("", description="Other hosts that an event may name as its CDN, comma separated.")
    cdn_signing_scheme: Literal["cloud-cdn"] = Field("cloud-cdn", description="How manifest URLs are signed.")
    cdn_signing_secret: SecretStr | None = Field(None, description="128-bit key, base64url: the active signing key.")
    cdn_signing_key_id: str = Field("primary", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="Its name at the CDN.")
    signed_url_ttl_seconds: int = Field(300, ge=10, le=86_400, description="How long a signed URL is good for.")
    cdn_control_base_url: str | None = Field(None, description="CDN control plane: /purge, /warmup, /failover.")
    cdn_control_api_key: SecretStr | None = Field(None, description="Its bearer token.")

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
    audit_log_topic: str | None = Field(None, description="Named in alerts as the topic of the audit log.")
    webhook_signing_secret: SecretStr | None = Field(None, description="Standard Webhooks secret of deliveries.")
    webhook_timeout_ms: int = Field(5000, ge=50, description="Longest wait for a receiver's answer.")

    @field_validator("ome_reels_preset", "ome_series_preset")
    @classmethod
    def _check_preset(cls, value: str) -> str:
        return _valid(value, parse_ladder)

    @field_validator("ome_media_mounts")
    @classmethod
    def _check_mounts(cls, value: str) -> str:
        return _valid(value, parse_mounts)

    @field_validator("media_mounts")
    @classmethod
    def _check_local_mounts(cls, value: str) -> str:
        _local_mounts(value)
        return value

    @field_validator("ome_edge_networks")
    @classmethod
    def _check_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("cdn_signing_secret")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            _valid(value.get_secret_value(), lambda text: decode_key(text, "CDN_SIGNING_SECRET", KEY_BYTES))
        return value

    @field_validator(
        "ome_api_base_url",
        "ome_playback_base_url",
        "cdn_base_url",
        "cdn_control_base_url",
        "auth_service_base_url",
        "content_service_base_url",
        "content_service_callback_url",
        "api_gateway_cache_warmup_url",
        "observability_export_url",
        "bigquery_export_url",
    )
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None or value == "":
            return None
        if not value.startswith(("http://", "https://")) or not value.partition("://")[2].strip("/"):
            raise ValueError("must be an http:// or https:// URL")
        return value.rstrip("/")

    @property
    def local_mounts(self) -> dict[str, Path]:
        """`MEDIA_MOUNTS` as bucket → folder."""
        return _local_mounts(self.media_mounts)

    def require(self, *roles: Role) -> Self:
        """Check that everything these roles need is there. Raises ConfigurationError naming all that is not."""
        if missing := _missing(self, roles):
            raise ConfigurationError([*missing.values()])
        return self


def _needs(settings: Settings, role: Role) -> dict[str, str]:
    """Variable → why this role cannot do without it."""
    needs: dict[str, str] = {}
    if settings.channel_repository_backend == "postgres":
        needs["POSTGRES_DSN"] = "CHANNEL_REPOSITORY_BACKEND is postgres"
    if role == "store":
        return needs
    needs["CDN_BASE_URL"] = "manifests are served from it"
    needs["CDN_SIGNING_SECRET"] = "manifest URLs are signed with it (openssl rand 16 | basenc --base64url)"
    needs["OME_MEDIA_MOUNTS"] = "uploads may only lie in buckets that OME has mounted"
    if not settings.dry_run_provisioning:
        needs["OME_PLAYBACK_BASE_URL"] = f"channels play there {_OR_DRY_RUN}"
    return needs | (_api_needs(settings) if role == "api" else _worker_needs(settings))


def _api_needs(settings: Settings) -> dict[str, str]:
    needs = {"AUTH_SERVICE_BASE_URL": "viewer tokens are introspected there"}
    if settings.app_env != "development":
        needs["SERVICE_AUTH_TOKEN"] = "admin and internal routes are guarded by it"
    if settings.app_env == "production":
        needs["METRICS_ACCESS_TOKEN"] = "/metrics is guarded by it"
        needs["AUTH_SERVICE_INTERNAL_TOKEN"] = "the token service knows us by it"
    return needs


def _worker_needs(settings: Settings) -> dict[str, str]:
    needs: dict[str, str] = {}
    if settings.event_source == "pubsub":
        needs["PUBSUB_UPLOAD_SUBSCRIPTION"] = "EVENT_SOURCE is pubsub"
    if not settings.dry_run_provisioning:
        for name in ("OME_API_BASE_URL", "OME_API_KEY", "OME_API_SECRET"):
            needs[name] = f"OME is driven with it {_OR_DRY_RUN}"
    return needs


def _missing(settings: Settings, roles: Iterable[Role]) -> dict[str, str]:
    """A sentence for each variable that these roles need and that is not set."""
    return {
        name: f"{name}: is required: {why}"
        for role in roles
        for name, why in _needs(settings, role).items()
        if _is_missing(getattr(settings, name.lower()))
    }


def _is_missing(value: object) -> bool:
    return not (value.get_secret_value() if isinstance(value, SecretStr) else value)


def _local_mounts(text: str) -> dict[str, Path]:
    mounts: dict[str, Path] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        uri, _, folder = entry.partition("=")
        if not uri.startswith("gs://") or not folder.startswith("/"):
            raise ValueError(f"entry {entry!r} is not gs://bucket=/absolute/folder")
        mounts[uri.removeprefix("gs://").rstrip("/")] = Path(folder)
    return mounts


def _valid(value: str, parse: Callable[[str], object]) -> str:
    try:
        parse(value)
    except InvalidInput as error:
        raise ValueError(error.reason) from error
    return value


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """`10.0.0.0/8,::1/128` to networks. Raises ValueError with a sentence."""
    entries = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(ip_network(entry) for entry in entries)
    except ValueError as error:
        raise ValueError(f"must be networks such as 10.0.0.0/8, comma separated: {error}") from error


def revealed(secret: SecretStr | None) -> str:
    """The secret itself, empty when there is none."""
    return secret.get_secret_value() if secret else ""


class Origin(NamedTuple):
    """A variable as it is in force: its value (secrets masked) and where it came from."""

    name: str
    value: str
    source: str
    description: str


def load(
    environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env"), roles: Iterable[Role] = ()
) -> Settings:
    """Read, validate, and report every problem at once as a ConfigurationError: what is wrong, what could not be
    read, and what these roles lack."""
    values, _, problems = _gather(environ, env_file)
    named = {problem.partition(":")[0].removesuffix("_FILE") for problem in problems}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        problems += [_sentence(item) for item in wrong]
        names = {str(item["loc"][0]).upper() for item in wrong}
        named |= names
        settings = Settings.model_validate({name: value for name, value in values.items() if name not in names})
    problems += [sentence for name, sentence in _missing(settings, roles).items() if name not in named]
    if problems:
        raise ConfigurationError(problems)
    return settings


def origins(
    settings: Settings, environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")
) -> list[Origin]:
    """Every variable for `config check`."""
    _, sources, _ = _gather(environ, env_file)
    return [
        Origin(
            field.upper(),
            _shown(getattr(settings, field)),
            sources.get(field.upper(), "default"),
            info.description or "",
        )
        for field, info in Settings.model_fields.items()
    ]


def _gather(
    environ: Mapping[str, str] | None, env_file: Path | None
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Values by name, where each came from, and what could not be read."""
    environment = os.environ if environ is None else environ
    dotenv = {} if env_file is None else dotenv_values(env_file)
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for field in Settings.model_fields:
        name = field.upper()
        for source, variables in ((str(env_file), dotenv), ("environment", environment)):
            if path := variables.get(f"{name}_FILE"):
                try:
                    values[name], sources[name] = Path(path).read_text().strip(), f"{name}_FILE={path}"
                except OSError as error:
                    problems.append(f"{name}_FILE: {path} cannot be read: {error.strerror}")
                except UnicodeDecodeError:
                    problems.append(f"{name}_FILE: {path} holds no text in UTF-8")
            if value := variables.get(name):
                values[name], sources[name] = value, source
    return values, sources, problems


def _sentence(error: ErrorDetails) -> str:
    """`NAME: what it expected`, without the value: it may be a secret."""
    name = str(error["loc"][0]).upper() if error["loc"] else "settings"
    cause = error.get("ctx", {}).get("error")
    message = str(cause) if cause else error["msg"]
    return f"{name}: {message[:1].lower()}{message[1:]}"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********"
    return "" if value is None else str(value)
