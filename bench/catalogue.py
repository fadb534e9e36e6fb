"""The manifest route over a catalogue of a thousand and over one of a million, and what a hundred thousand weigh.

A thousand contents are watched, spread over the whole catalogue. Both servers run at once and are loaded in turn, so
that a change of the machine's pace meets both.
"""

import asyncio
import resource
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.catalogue_rows import fill
from bench.figures import Figure, first_line, median, note, spawn, stop
from bench.manifest import Target, load_of, script_of
from bench.manifest_server import CONTENTS, SETTINGS, TOKEN, content_id
from streaming_service.adapters.store.migrate import upgrade
from streaming_service.bootstrap.plans import spec_policy
from streaming_service.configuration import load
from streaming_service.devkit.postgres import EmbeddedPostgres

_SPECS = spec_policy(load(SETTINGS, env_file=None))
_WARM = 100_000
_CLIENTS = 32


def measure(count: int, rounds: int, seconds: int) -> list[Figure]:
    """Catalogues of CONTENTS and of `count`. Needs wrk, as bench/manifest.py says."""
    with TemporaryDirectory() as folder, EmbeddedPostgres() as postgres:
        stores = {
            "sqlite": [str(Path(folder, f"{name}.sqlite")) for name in ("few", "many")],
            "postgres": [postgres.create_database(name) for name in ("few", "many")],
        }
        figures: list[Figure] = []
        for kind, (few, many) in stores.items():
            for address, number in ((few, CONTENTS), (many, count)):
                upgrade(address)
                fill(address, _SPECS, number)
            figures += _compared(kind, few, many, count, Path(folder), rounds, seconds)
        return [*figures, _memory(stores["sqlite"][1], min(count, _WARM))]


def _compared(kind: str, few: str, many: str, count: int, folder: Path, rounds: int, seconds: int) -> list[Figure]:
    with _served(few) as few_port, _served(many) as many_port:
        targets: list[Target] = []
        for name, port, step in (("few", few_port, 1), ("many", many_port, count // CONTENTS)):
            script = folder / f"{kind}-{name}.lua"
            script.write_text(script_of("/v1/streams/", "/manifest", range(0, CONTENTS * step, step)))
            targets.append(Target(port, script))
            load_of(targets[-1], 2, pinned=True)
        loads = [tuple(load_of(target, seconds, pinned=True) for target in targets) for _ in range(rounds)]
    for name, found in zip((f"{CONTENTS:,}", f"{count:,}"), zip(*loads, strict=True), strict=True):
        rate, p99 = median([item.rate for item in found]), median([item.p99 for item in found])
        note(f"{kind}, {name} channels: {rate:,.0f} requests/s, p99 {p99:.2f} ms")
    rate = median([large.rate / small.rate for small, large in loads])
    p99 = median([large.p99 / small.p99 for small, large in loads])
    return [
        Figure(f"catalogue_{count}_rate_ratio_{kind}", rate, 0.9, at_least=True),
        Figure(f"catalogue_{count}_p99_ratio_{kind}", p99, 1.1, at_least=False),
    ]


def _memory(address: str, count: int) -> Figure:
    with _served(address) as port, ExitStack():
        pid = _PIDS[port]
        before = _resident_mb(pid)
        asyncio.run(_ask_for_all(int(port), count))
        after = _resident_mb(pid)
    note(f"an API process: {before:.0f} MB, {after:.0f} MB with {count:,} channels warm")
    return Figure(f"api_memory_{count}_channels_mb", after, 150.0, at_least=False)


_PIDS: dict[str, int] = {}


@contextmanager
def _served(address: str) -> Generator[str]:
    server = spawn("bench.catalogue_server", address, core=0)
    try:
        port = first_line(server)
        _PIDS[port] = server.pid
        yield port
    finally:
        stop(server)


async def _ask_for_all(port: int, count: int) -> None:
    await asyncio.gather(*(_ask_for(port, range(first, count, _CLIENTS)) for first in range(_CLIENTS)))


async def _ask_for(port: int, numbers: range) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        writer.write(
            f"GET /v1/streams/{content_id(number)}/manifest HTTP/1.1\r\n"
            f"host: bench\r\nauthorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"content {number}: {head[:80]!r}")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    writer.close()
    await writer.wait_closed()


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
