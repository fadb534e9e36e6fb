"""Everything that `make run` starts, and how it is taken down again."""

import asyncio
import secrets
import shutil
import socket
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from streaming_service.bootstrap import open_service
from streaming_service.configuration import load
from streaming_service.devkit.edge import StandInEdge
from streaming_service.devkit.media.clip import make_clip
from streaming_service.devkit.ome import StandInOme, Timing
from streaming_service.devkit.ome.webhooks import Webhook
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.signing.cloud_cdn import KEY_BYTES, CloudCdnSigner
from streaming_service.domain.signing.keyring import Keyring, SigningKey
from streaming_service.entrypoints.serving import serve_http
from streaming_service.entrypoints.worker import run_worker
from streaming_service.errors import ConfigurationError

BUCKET = "uploads"
VIEWER_TOKEN = "viewer-demo"
DIRECTORY = Path("var/dev")
_NAMES = ("service", "edge", "OME API", "OME playback", "platform stand-ins")
# Shorter segments than a real OME's default, so that a first manifest plays after about two seconds.
_TIMING = Timing(segment_seconds=1.0, warm_up=1.2)


class StackInfo(Struct, frozen=True):
    """Where a running stack is; kept in its directory so that `publish` finds it."""

    api: str
    edge: str
    ome_api: str
    ome_playback: str
    platform: str
    media: str
    metrics_token: str
    service_token: str


def read_info(directory: Path) -> StackInfo:
    """The stack that runs in `directory`. Raises ConfigurationError when there is none."""
    try:
        return msgspec.json.decode((directory / "stack.json").read_bytes(), type=StackInfo)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError([f"no stack runs in {directory}: start one with `make run`"]) from error


@asynccontextmanager
async def running_stack(port: int, directory: Path, *, keep: bool) -> AsyncGenerator[StackInfo]:
    """Start everything; leaving the context stops it all. Raises ConfigurationError when a port is taken."""
    _check_ports(port)
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)
    media = directory / "media"
    manifests = directory / "manifests"
    for folder in (media, manifests):
        folder.mkdir(parents=True, exist_ok=True)
    info = _info(port, media)
    signing_key, webhook_secret = _secrets(directory)
    variables = _variables(info, directory, signing_key, webhook_secret)
    settings = load(variables, env_file=None)
    _write_env(directory / "service.env", variables)
    async with AsyncExitStack() as stack:
        ome = StandInOme(
            media_root=media,
            state_dir=directory / "ome",
            applications={
                settings.ome_reels_application: parse_ladder(settings.ome_reels_preset),
                settings.ome_series_application: parse_ladder(settings.ome_series_preset),
            },
            access_token="dev-key:dev-secret",
            api_port=port + 2,
            playback_port=port + 3,
            timing=_TIMING,
            transcode_webhook=_webhook(info, "transcode", variables),
            admission_webhook=_webhook(info, "admission", variables),
        )
        await stack.enter_async_context(ome)
        signer = CloudCdnSigner(Keyring(SigningKey(settings.cdn_signing_key_id, signing_key)))
        edge = await stack.enter_async_context(
            StandInEdge(info.ome_playback, signer.verify, port=port + 1, bucket_dir=manifests)
        )
        await stack.enter_async_context(
            StandInPlatform(
                port=port + 4,
                auth_token="dev-auth-token",
                content_token="dev-content-token",
                cdn_token="dev-cdn-key",
                webhook_secret=webhook_secret,
                on_purge=edge.purge,
                on_warmup=edge.warm,
            )
        )
        service = await stack.enter_async_context(open_service(settings))
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(service, stop), name="worker")
        stack.push_async_callback(_stop_worker, worker, stop)
        await stack.enter_async_context(serve_http(service))
        (directory / "stack.json").write_bytes(msgspec.json.encode(info))
        stack.callback((directory / "stack.json").unlink, missing_ok=True)
        yield info


async def sample_clip(directory: Path) -> Path:
    """The sample upload, made once by the bundled ffmpeg: six seconds of test pattern and tone."""
    path = directory.parent / "sample.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        await make_clip(path)
    return path


def _webhook(info: StackInfo, name: str, variables: dict[str, str]) -> Webhook:
    return Webhook(f"{info.api}/hooks/ome/{name}", variables["OME_WEBHOOK_SECRET"])


async def _stop_worker(worker: "asyncio.Task[None]", stop: asyncio.Event) -> None:
    stop.set()
    await worker


def _check_ports(port: int) -> None:
    """Say at once which port is taken and what to do, before anything starts."""
    if not 1024 <= port <= 65535 - len(_NAMES):
        raise ConfigurationError([f"port {port}: choose one from 1024 to {65535 - len(_NAMES)}"])
    for offset, name in enumerate(_NAMES):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port + offset))
            except OSError as error:
                problem = f"port {port + offset} (for the {name}) is taken: try `make run PORT={port + 1000}`"
                raise ConfigurationError([problem]) from error


def _info(port: int, media: Path) -> StackInfo:
    api, edge, ome_api, ome_playback, platform = (f"http://127.0.0.1:{port + offset}" for offset in range(5))
    return StackInfo(
        api=api,
        edge=edge,
        ome_api=ome_api,
        ome_playback=ome_playback,
        platform=platform,
        media=str(media.absolute()),
        metrics_token="dev-metrics-token",
        service_token="dev-service-token",
    )


def _secrets(directory: Path) -> tuple[bytes, str]:
    """The signing key and the webhook secret, fresh for each stack and kept with its state."""
    path = directory / "secrets"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(KEY_BYTES + 24))
    material = path.read_bytes()
    return material[:KEY_BYTES], f"whsec_{b64encode(material[KEY_BYTES:]).decode()}"


def _write_env(path: Path, variables: dict[str, str]) -> None:
    """For other commands: `streaming-service channels list --env-file var/dev/service.env`."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def _variables(info: StackInfo, directory: Path, signing_key: bytes, webhook_secret: str) -> dict[str, str]:
    """The service's configuration, spelt as a person would in `.env`."""
    platform = info.platform
    return {
        "APP_ENV": "development",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_LINGER_SECONDS": "0",
        "HTTP_PORT": info.api.rpartition(":")[2],
        "SERVICE_AUTH_TOKEN": info.service_token,
        "METRICS_ACCESS_TOKEN": info.metrics_token,
        "CHANNEL_REPOSITORY_BACKEND": "sqlite",
        "SQLITE_PATH": str((directory / "streaming-service.sqlite").absolute()),
        "EVENT_SOURCE": "embedded",
        "OME_API_BASE_URL": info.ome_api,
        "OME_API_KEY": "dev-key",
        "OME_API_SECRET": "dev-secret",
        "OME_PLAYBACK_BASE_URL": info.ome_playback,
        "OME_MEDIA_MOUNTS": f"gs://{BUCKET}=",
        "MEDIA_MOUNTS": f"gs://{BUCKET}={info.media}",
        "GCS_MANIFEST_BUCKET": "manifests",
        "OME_MANIFEST_MOUNT": str((directory / "manifests").absolute()),
        "MANIFEST_MOUNT": str((directory / "manifests").absolute()),
        # The URL that is shown first is to play for as long as it is signed, whoever opens it when.
        "RELEASE_SECONDS": "300",
        "OME_ORIGIN_CAPACITY": "20",
        "ORIGIN_POLL_SECONDS": "2",
        "OME_WEBHOOK_SECRET": webhook_secret.removeprefix("whsec_"),
        "RECONCILE_INTERVAL_SECONDS": "5",
        "CDN_BASE_URL": info.edge,
        "CDN_SIGNING_SECRET": urlsafe_b64encode(signing_key).decode(),
        "CDN_CONTROL_BASE_URL": f"{platform}/cdn",
        "CDN_CONTROL_API_KEY": "dev-cdn-key",
        "AUTH_SERVICE_BASE_URL": f"{platform}/auth",
        "AUTH_SERVICE_INTERNAL_TOKEN": "dev-auth-token",
        "CONTENT_SERVICE_BASE_URL": f"{platform}/content",
        "CONTENT_SERVICE_INTERNAL_TOKEN": "dev-content-token",
        "CONTENT_SERVICE_CALLBACK_URL": f"{platform}/content/callback",
        "API_GATEWAY_CACHE_WARMUP_URL": f"{platform}/gateway/warmup",
        "OBSERVABILITY_EXPORT_URL": f"{platform}/observability",
        "BIGQUERY_EXPORT_URL": f"{platform}/bigquery",
        "WEBHOOK_SIGNING_SECRET": webhook_secret,
    }
