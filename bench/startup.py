"""From starting the process to its first 200: import, wiring, store, listening."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.figures import Figure, median, note

_PATIENCE = 20.0


def measure(rounds: int) -> list[Figure]:
    """`streaming-service serve` on a fresh sqlite file that is migrated already, as in production."""
    with tempfile.TemporaryDirectory() as folder:
        env = _environment(Path(folder))
        subprocess.run([*_COMMAND, "db", "migrate", "--env-file", "none"], check=True, env=env, capture_output=True)
        seconds = [_start(env) for _ in range(rounds)]
    note(f"start to first 200, seconds: {', '.join(f'{value:.2f}' for value in seconds)}")
    return [Figure("startup_seconds", median(seconds), 1.0, at_least=False)]


_COMMAND = [sys.executable, "-m", "streaming_service.entrypoints.cli"]


def _start(env: dict[str, str]) -> float:
    began = time.perf_counter()
    process = subprocess.Popen([*_COMMAND, "serve", "--env-file", "none"], env=env, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began < _PATIENCE:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{env['HTTP_PORT']}/readyz", timeout=1) as answer:
                    if answer.status == 200:
                        return time.perf_counter() - began
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.005)
        raise RuntimeError(f"no 200 within {_PATIENCE:g} s")
    finally:
        process.terminate()
        process.wait(timeout=15)


def _environment(folder: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        **os.environ,
        "APP_ENV": "production",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "SQLITE_PATH": str(folder / "bench.sqlite"),
        "SERVICE_AUTH_TOKEN": "bench",
        "METRICS_ACCESS_TOKEN": "bench",
        "OME_MEDIA_MOUNTS": "gs://uploads=",
        "OME_PLAYBACK_BASE_URL": "http://ome.invalid",
        "CDN_BASE_URL": "http://cdn.invalid",
        "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
        "AUTH_SERVICE_BASE_URL": "http://auth.invalid",
        "AUTH_SERVICE_INTERNAL_TOKEN": "bench",
    }
