"""The manifest route against a Fastify app that does the same job, and against a static answer of the same server.

All in turn, so that a change of the machine's pace meets all of them: once with the server on one core and the load on
the other, once with neither pinned.
"""

import re
import shutil
import subprocess
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench.figures import Figure, first_line, median, note, spawn, stop
from bench.manifest_server import CONTENTS, TOKEN, content_id
from bench.peer import spawn_peer
from streaming_service.errors import ConfigurationError

_CONNECTIONS = 32
_WHERE = "quality=720p&device=web&geo=DE"


class Load(NamedTuple):
    """Requests per second, and the 99th percentile of latency in ms."""

    rate: float
    p99: float


class Target(NamedTuple):
    """Who is asked, and wrk's script."""

    port: str
    script: Path


def measure(rounds: int, seconds: int) -> list[Figure]:
    """Raises ConfigurationError when wrk or Node.js is missing."""
    if shutil.which("wrk") is None:
        raise ConfigurationError(["wrk makes the load: install it, on Debian with apt-get install wrk"])
    pinned, free = _loads(rounds, seconds, pinned=True), _loads(rounds, seconds, pinned=False)
    ours, theirs = pinned["manifest"], pinned["fastify"]
    p99 = median([mine.p99 / other.p99 for mine, other in zip(ours, theirs, strict=True)])
    return [
        Figure("manifest_vs_fastify_ratio", _ratio(ours, theirs), 1.1, at_least=True),
        Figure("manifest_vs_fastify_p99_ratio", p99, 1.0, at_least=False),
        Figure("manifest_vs_fastify_unpinned_ratio", _ratio(free["manifest"], free["fastify"]), 1.2, at_least=True),
        Figure("manifest_vs_static_ratio", _ratio(ours, pinned["static"]), 0.5, at_least=True),
    ]


def _loads(rounds: int, seconds: int, *, pinned: bool) -> Mapping[str, list[Load]]:
    with _targets(pinned=pinned) as targets:
        for target in targets.values():
            load_of(target, 2, pinned=pinned)  # warms the introspection cache and every title, and what compiles itself
        loads: dict[str, list[Load]] = {name: [] for name in targets}
        for _ in range(rounds):
            for name, target in targets.items():
                loads[name].append(load_of(target, seconds, pinned=pinned))
    for name, found in loads.items():
        rate, p99 = median([item.rate for item in found]), median([item.p99 for item in found])
        note(f"{'pinned' if pinned else 'free':6} {name:8} {rate:8,.0f} requests/s, p99 {p99:.2f} ms")
    return loads


@contextmanager
def _targets(*, pinned: bool) -> Generator[Mapping[str, Target]]:
    core = 0 if pinned else None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        asking, idling = folder / "manifest.lua", folder / "static.lua"
        asking.write_text(script_of("/v1/streams/", f"/manifest?{_WHERE}"))
        # The same requests, so that making and reading them costs as much.
        idling.write_text(script_of("/v1/streams/", f"/manifest?{_WHERE}&static="))
        server = spawn("bench.manifest_server", core=core)
        stack.callback(stop, server)
        peer = spawn_peer(core)
        stack.callback(stop, peer)
        port = first_line(server)
        yield {
            "manifest": Target(port, asking),
            "fastify": Target(first_line(peer), asking),
            "static": Target(port, idling),
        }


def _ratio(mine: list[Load], others: list[Load]) -> float:
    return median([one.rate / other.rate for one, other in zip(mine, others, strict=True)])


def script_of(before: str, after: str, numbers: Iterable[int] = range(CONTENTS), token: str = TOKEN) -> str:
    """wrk's Lua: a different content each time, everything a player sends."""
    ids = ",".join(f'"{content_id(number)}"' for number in numbers)
    return f"""
local ids = {{{ids}}}
local n = 0
wrk.headers["Authorization"] = "Bearer {token}"
request = function()
  n = n % #ids + 1
  return wrk.format("GET", "{before}" .. ids[n] .. "{after}")
end
done = function(summary)
  if summary.errors.status > 0 then error("answers other than 2xx: " .. summary.errors.status) end
end
"""


def load_of(target: Target, seconds: int, *, pinned: bool) -> Load:
    """What a target bears for so long. Raises RuntimeError when anything else than a manifest was answered."""
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command = ["taskset", "-c", "1", *command] if pinned and shutil.which("taskset") else command
    asked = ["-s", str(target.script), f"http://127.0.0.1:{target.port}/"]
    text = subprocess.run([*command, *asked], check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if not rate or not p99 or "Non-2xx" in text:
        raise RuntimeError(f"wrk did not measure what was meant:\n{text}")
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]])
