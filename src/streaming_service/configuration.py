"""Read the configuration, and say everything that is wrong with it at once.

Read from the environment, then `.env`; `FOO_FILE` names a file that holds the value of `FOO`. What a role needs beyond
valid values is asked for by `require`.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from streaming_service.domain.probe_region import parse_regions
from streaming_service.domain.signing.keyring import CLOUD_CDN_KEY_BYTES, STRONG_KEY_BYTES
from streaming_service.domain.signing.scheme import Scheme
from streaming_service.errors import ConfigurationError
from streaming_service.settings import Settings

Role = Literal["api", "worker", "store", "signing", "probe-agent"]

_OR_DRY_RUN = "(or set DRY_RUN_PROVISIONING=true)"


def require(settings: Settings, *roles: Role) -> Settings:
    """The settings, with everything that these roles need. Raises ConfigurationError naming all that is missing."""
    if missing := _missing(settings, roles):
        raise ConfigurationError([*missing.values()])
    return settings


def _needs(settings: Settings, role: Role) -> dict[str, str]:
    """Variable → why this role cannot do without it."""
    if role == "probe-agent":
        return _agent_needs(settings)
    needs: dict[str, str] = {}
    if role == "signing":
        return {"CDN_SIGNING_SECRET": _signing_secret(settings)}
    if settings.channel_repository_backend == "postgres":
        needs["POSTGRES_DSN"] = "CHANNEL_REPOSITORY_BACKEND is postgres"
    if settings.channel_repository_backend == "firestore":
        needs["FIRESTORE_PROJECT_ID"] = "CHANNEL_REPOSITORY_BACKEND is firestore"
    if role == "store":
        return needs
    needs["CDN_BASE_URL"] = "manifests are served from it"
    needs["CDN_SIGNING_SECRET"] = _signing_secret(settings)
    if settings.ome_manifest_mount and settings.manifest_mount is None:
        needs["GCS_MANIFEST_BUCKET"] = "OME_MANIFEST_MOUNT is set, and its files are looked at (or set MANIFEST_MOUNT)"
    if any(region.agent for region in parse_regions(settings.cdn_probe_regions)):
        needs["PROBE_AGENT_SECRET"] = "CDN_PROBE_REGIONS names an agent, and questions and answers are signed with it"
    needs["OME_MEDIA_MOUNTS"] = "uploads may only lie in buckets that OME has mounted"
    if not settings.dry_run_provisioning:
        needs["OME_PLAYBACK_BASE_URL"] = f"channels play there {_OR_DRY_RUN}"
    return needs | (_api_needs(settings) if role == "api" else _worker_needs(settings))


def _signing_secret(settings: Settings) -> str:
    if settings.cdn_signing_scheme is Scheme.OME:
        return "manifest URLs are signed with it (<SecretKey> of <SignedPolicy> in OME's Server.xml)"
    cloud_cdn = settings.cdn_signing_scheme in {Scheme.CLOUD_CDN, Scheme.CLOUD_CDN_COOKIE}
    length = CLOUD_CDN_KEY_BYTES if cloud_cdn else STRONG_KEY_BYTES
    return f"manifest URLs are signed with it (openssl rand {length} | basenc --base64url)"


def _api_needs(settings: Settings) -> dict[str, str]:
    needs = {"AUTH_SERVICE_BASE_URL": "viewer tokens are introspected there"}
    if settings.app_env != "development":
        needs["SERVICE_AUTH_TOKEN"] = "admin and internal routes are guarded by it"
    if settings.pubsub_push_audience or settings.pubsub_push_service_account:
        needs["PUBSUB_PUSH_AUDIENCE"] = "PUBSUB_PUSH_SERVICE_ACCOUNT is set, and pushes are signed for it"
        needs["PUBSUB_PUSH_SERVICE_ACCOUNT"] = "PUBSUB_PUSH_AUDIENCE is set, and any Google account could sign for it"
        needs["PUBSUB_PUSH_JWKS_URL"] = "signatures of pushes are verified with what is there"
    if settings.app_env == "production":
        needs["METRICS_ACCESS_TOKEN"] = "/metrics is guarded by it"
        needs["AUTH_SERVICE_INTERNAL_TOKEN"] = "the token service knows us by it"
    return needs


def _worker_needs(settings: Settings) -> dict[str, str]:
    needs: dict[str, str] = {}
    if settings.worker_http_port is not None and settings.app_env == "production":
        needs["METRICS_ACCESS_TOKEN"] = "WORKER_HTTP_PORT is set, and /metrics is guarded by it"
    if settings.event_source == "pubsub":
        needs["PUBSUB_UPLOAD_SUBSCRIPTION"] = "EVENT_SOURCE is pubsub"
    if not settings.dry_run_provisioning:
        if settings.names_origin:
            needs["OME_API_BASE_URL"] = f"OME is driven with it {_OR_DRY_RUN}"
        for name in ("OME_API_KEY", "OME_API_SECRET"):
            needs[name] = f"OME is driven with it {_OR_DRY_RUN}"
    return needs


def _agent_needs(settings: Settings) -> dict[str, str]:
    needs = {
        "PROBE_AGENT_REGION": "the agent's findings are of that region",
        "PROBE_AGENT_SECRET": "only who has it may ask, and the answers are signed with it",
    }
    if settings.app_env == "production":
        needs["METRICS_ACCESS_TOKEN"] = "/metrics is guarded by it"
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
        problems += [_sentence(item) for item in _wrong(error)]
        settings, names = _without_wrong(values, error)
        named |= names
    problems += [sentence for name, sentence in _missing(settings, roles).items() if name not in named]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _without_wrong(values: Mapping[str, str], error: ValidationError) -> tuple[Settings, set[str]]:
    """The settings of what is right, and the names that were left out. What depends on a wrong variable, as a key does
    on its scheme, may be wrong without it, and is left out without a word."""
    names = {str(item["loc"][0]).upper() for item in _wrong(error)}
    try:
        return Settings.model_validate({name: value for name, value in values.items() if name not in names}), names
    except ValidationError as more:
        settings, others = _without_wrong({name: value for name, value in values.items() if name not in names}, more)
        return settings, names | others


def _wrong(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


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
