"""The manifest route against a static answer of the same server, in turn, server and load each on a core of its own."""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.figures import Figure, first_line, median, note, spawn, stop
from bench.manifest_server import CONTENTS, TOKEN, content_id
from streaming_service.errors import ConfigurationError

_CONNECTIONS = 32


class Load(NamedTuple):
    """Requests per second, and the 99th percentile of latency in ms."""

    rate: float
    p99: float


def measure(rounds: int, seconds: int) -> list[Figure]:
    """Rounds of manifest and static in turn, so that a change of the machine's pace meets both."""
    if shutil.which("wrk") is None:
        raise ConfigurationError(["wrk makes the load: install it, on Debian with apt-get install wrk"])
    server = spawn("bench.manifest_server", core=0)
    try:
        port = first_line(server)
        with TemporaryDirectory() as folder:
            asking, idling = Path(folder) / "manifest.lua", Path(folder) / "static.lua"
            asking.write_text(_script("/v1/streams/", "/manifest?quality=720p&device=web&geo=DE"))
            # The same requests but for their path, so that making them costs the load as much.
            idling.write_text(_script("/static/", "/nothing?quality=720p&device=web&geo=DE"))
            manifest, static = list[Load](), list[Load]()
            _load(port, asking, 2)  # warms the introspection cache and every title
            for _ in range(rounds):
                manifest.append(_load(port, asking, seconds))
                static.append(_load(port, idling, seconds))
    finally:
        stop(server)
    rate, ceiling = median([item.rate for item in manifest]), median([item.rate for item in static])
    note(f"manifest {rate:,.0f} requests/s, p99 {median([item.p99 for item in manifest]):.2f} ms")
    note(f"static   {ceiling:,.0f} requests/s, p99 {median([item.p99 for item in static]):.2f} ms")
    ratio = median([mine.rate / other.rate for mine, other in zip(manifest, static, strict=True)])
    return [Figure("manifest_vs_static_ratio", ratio, 0.80, at_least=True)]


def _script(before: str, after: str) -> str:
    """wrk's Lua: a different content each time, everything a player sends."""
    ids = ",".join(f'"{content_id(number)}"' for number in range(CONTENTS))
    return f"""
local ids = {{{ids}}}
local n = 0
wrk.headers["Authorization"] = "Bearer {TOKEN}"
request = function()
  n = n % #ids + 1
  return wrk.format("GET", "{before}" .. ids[n] .. "{after}")
end
done = function(summary)
  if summary.errors.status > 0 then error("answers other than 2xx: " .. summary.errors.status) end
end
"""


def _load(port: str, script: Path, seconds: int) -> Load:
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command = ["taskset", "-c", "1", *command] if shutil.which("taskset") else command
    target = ["-s", str(script), f"http://127.0.0.1:{port}/"]
    text = subprocess.run([*command, *target], check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if not rate or not p99 or "Non-2xx" in text:
        raise RuntimeError(f"wrk did not measure what was meant:\n{text}")
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]])
