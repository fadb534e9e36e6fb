"""How the processes of `bench.scale` are configured: everything at its default, but for what the harness is made of."""

from collections.abc import Sequence
from pathlib import Path

from bench.ome_server import LADDER

SERVICE_TOKEN = "scale-service"


def pools(omes: Sequence[Sequence[str]]) -> dict[str, object]:
    """A pools file of origins, each an API and a playback address, for all classifications."""
    origins = [
        {"name": f"ome-{number}", "apiUrl": api, "playbackUrl": playback, "capacity": 10_000}
        for number, (api, playback) in enumerate(omes)
    ]
    return {
        "pools": {
            "ome-reels-ingest": {"origins": origins},
            "ome-series-ingest": {"origins": origins},
            "ome-reels-egress": {"playbackUrl": omes[0][1]},
            "ome-series-egress": {"playbackUrl": omes[0][1]},
        }
    }


def environment(dsn: str, pools_file: Path, playback: str, receiver: str, platform: str) -> dict[str, str]:
    """`receiver` is a port, `playback` and `platform` are addresses."""
    return {
        "APP_ENV": "test",
        "LOG_LEVEL": "error",
        "HTTP_HOST": "127.0.0.1",
        "SERVICE_AUTH_TOKEN": SERVICE_TOKEN,
        "CHANNEL_REPOSITORY_BACKEND": "postgres",
        "POSTGRES_DSN": dsn,
        "EVENT_SOURCE": "push",
        "OME_POOLS_FILE": str(pools_file),
        "OME_PLAYBACK_BASE_URL": playback,
        "OME_API_KEY": "ome-key",
        "OME_API_SECRET": "ome-secret",
        "OME_REELS_PRESET": LADDER,
        "OME_SERIES_PRESET": LADDER,
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "MEDIA_INSPECTION": "false",
        "PROBES_PER_SECOND": "0",
        "CDN_BASE_URL": "https://cdn.example",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        "AUTH_SERVICE_BASE_URL": f"{platform}/auth",
        "CONTENT_SERVICE_CALLBACK_URL": f"http://127.0.0.1:{receiver}/callback",
        "BIGQUERY_EXPORT_URL": f"http://127.0.0.1:{receiver}/bigquery",
    }
