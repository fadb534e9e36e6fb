"""Everything around one run: stand-in origins, the platform, a store, the folder of copies, and the configuration."""

import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from streaming_service.devkit.media.probe import MediaFacts
from streaming_service.devkit.ome import StandInOme, SyntheticPackager, Timing
from streaming_service.devkit.platform import StandInPlatform
from streaming_service.domain.ladder import parse_ladder

CLIP_SECONDS = 2.0
APPLICATIONS = ("reels", "series")
CDN = "https://cdn.example"
LEASE_SECONDS = 1.0

_LADDER = "480p|854x480|1500,360p|640x360|900"
_TIMING = replace(Timing.instant(segment_seconds=1.0), poll=0.05)
_FACTS = MediaFacts(duration=CLIP_SECONDS, width=1280, height=720)

# Makes the store of one run: its environment, and what takes it away again.
Stores = Callable[[Path], Awaitable[tuple[dict[str, str], Callable[[], Awaitable[None]]]]]


class World:
    """`origins` by name; the copies lie below `folder/manifests`."""

    def __init__(self, folder: Path, origins: dict[str, StandInOme], platform: StandInPlatform) -> None:
        self.folder = folder
        self.origins = origins
        self.platform = platform
        self.env: dict[str, str] = {}

    @property
    def copies(self) -> set[str]:
        """Prefixes below which there is any file."""
        root = self.folder / "manifests"
        return {f"{file.parent.relative_to(root)}/" for file in root.rglob("*") if file.is_file()}

    def streams(self, origin: str) -> set[str]:
        """What is scheduled on an origin."""
        folder = self.origins[origin].state_dir
        return {file.stem for application in APPLICATIONS for file in (folder / f"sch-{application}").glob("*.sch")}


@asynccontextmanager
async def a_world(folder: Path, stores: Stores, *, origins: int, publishing: bool) -> AsyncGenerator[World]:
    """Starts it, and leaves nothing behind."""
    for name in ("media", "manifests"):
        (folder / name).mkdir(parents=True)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        found = {
            f"ome-{number}": await stack.enter_async_context(_ome(folder, number)) for number in range(1, origins + 1)
        }
        platform = await stack.enter_async_context(StandInPlatform())
        store, drop = await stores(folder)
        stack.push_async_callback(drop)
        world = World(folder, found, platform)
        world.env = {**_environment(world), **store}
        if publishing:
            mount = str(folder / "manifests")
            world.env |= {"GCS_MANIFEST_BUCKET": "copies", "OME_MANIFEST_MOUNT": mount, "MANIFEST_MOUNT": mount}
        yield world


def _ome(folder: Path, number: int) -> StandInOme:
    return StandInOme(
        media_root=folder / "media",
        state_dir=folder / f"ome-{number}",
        applications={name: parse_ladder(_LADDER) for name in APPLICATIONS},
        timing=_TIMING,
        packager=SyntheticPackager({"clip.mp4": _FACTS}),
    )


def _environment(world: World) -> dict[str, str]:
    pools = world.folder / "pools.json"
    pools.write_bytes(msgspec.json.encode(_pools(world)))
    platform = world.platform.url
    return {
        "APP_ENV": "test",
        "EVENT_SOURCE": "embedded",
        "OME_POOLS_FILE": str(pools),
        "OME_API_KEY": "ome-key",
        "OME_API_SECRET": "ome-secret",
        "OME_REELS_PRESET": _LADDER,
        "OME_SERIES_PRESET": _LADDER,
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "OME_INGEST_BASE_URL": "rtmp://ome.example",
        "MEDIA_INSPECTION": "false",
        "CDN_BASE_URL": CDN,
        "PROBES_PER_SECOND": "0",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        "CDN_CONTROL_BASE_URL": f"{platform}/cdn",
        "CONTENT_SERVICE_BASE_URL": f"{platform}/content",
        "CONTENT_SERVICE_CALLBACK_URL": f"{platform}/content/callback",
        "CONTENT_CATALOG_WAIT_SECONDS": "0",
        "API_GATEWAY_CACHE_WARMUP_URL": f"{platform}/gateway/warmup",
        "OBSERVABILITY_EXPORT_URL": f"{platform}/observability",
        "BIGQUERY_EXPORT_URL": f"{platform}/bigquery",
        # Nothing waits longer than it must for the order of things to be what it is in production.
        "LEASE_SECONDS": f"{LEASE_SECONDS:g}",
        "POLL_INTERVAL_MS": "100",
        "ORIGIN_POLL_SECONDS": "1",
        "RECONCILE_INTERVAL_SECONDS": "1",
        "STATS_INTERVAL_SECONDS": "3600",
        "DRAIN_SECONDS": "0.3",
        "RELEASE_SECONDS": "0.2",
        "INGEST_KEY_GRACE_SECONDS": "0.5",
    }


def _pools(world: World) -> dict[str, object]:
    origins = [
        {"name": name, "apiUrl": ome.api_url, "playbackUrl": ome.playback_url} for name, ome in world.origins.items()
    ]
    ingest = {"origins": origins}
    egress = {"playbackUrl": origins[0]["playbackUrl"]}
    return {
        "pools": {
            "ome-reels-ingest": ingest,
            "ome-series-ingest": ingest,
            "ome-reels-egress": egress,
            "ome-series-egress": egress,
        }
    }
