"""`make soak`: everything around the service breaks at random for a while; then all must be as if nothing had been.

`--seconds N`, `--quick` (45 s), `--seed`. Exit 0 only when every figure is met.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import uvloop

from bench.figures import Figure, note, report
from chaos.soak_world import SERVICE_TOKEN, VIEWERS, Sample, SoakWorld, soak_world, tell_tracebacks
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.faults import Fault, FaultProxy, Mode

_CONTENTS = 24
_VIEWERS_AT_ONCE = 6
_PASSING = 0.4  # the share of its time for which a proxy passes
_SETTLE_SECONDS = 90.0
# The slowest honest answer: the store's own limit, once for a read and once for a write, and a slow catalog.
_LONGEST_SECONDS = 45.0
_WORKER_PATIENCE = 60.0
_SERVICE = {"authorization": f"Bearer {SERVICE_TOKEN}"}


class Load:
    """Uploads and manifest requests, and how they fared. `longest` is in seconds."""

    def __init__(self, world: SoakWorld, session: aiohttp.ClientSession, rng: random.Random) -> None:
        self._world = world
        self._session = session
        self._rng = rng
        self._contents = [str(UUID(int=rng.getrandbits(128), version=4)) for _ in range(_CONTENTS)]
        self.answers: Counter[str] = Counter()
        self.longest = 0.0
        self.accepted: dict[str, str] = {}

    async def upload(self) -> None:
        """One content after the other, again and again with another checksum; a sender repeats what is not taken."""
        number = 0
        while True:
            content_id = self._contents[number % _CONTENTS]
            checksum = f"sha256:{number}"
            while await self.register(content_id, checksum) != 202:
                await asyncio.sleep(0.5)
            self.accepted[content_id] = checksum
            number += 1
            await asyncio.sleep(0.4 if number < _CONTENTS else 1.5)

    async def register(self, content_id: str, checksum: str) -> int | None:
        body = {
            "contentId": content_id,
            "sourceGcsUri": "gs://uploads/clip.mp4",
            "checksum": checksum,
            "contentType": "REEL",
            "durationSeconds": 8,
        }
        return await self._ask("register", "POST", "/v1/admin/streams/register", _SERVICE, body)

    async def view(self) -> None:
        """Viewers with ever other tokens ask for manifests."""
        while True:
            token = f"viewer-{self._rng.randrange(VIEWERS)}"
            path = f"/v1/streams/{self._rng.choice(self._contents)}/manifest"
            await self._ask("manifest", "GET", path, {"authorization": f"Bearer {token}"})
            await asyncio.sleep(0.1)

    async def _ask(self, what: str, method: str, path: str, headers: dict[str, str], body: Any = None) -> int | None:
        began = time.monotonic()
        status: int | None = None
        try:
            async with asyncio.timeout(_WORKER_PATIENCE):
                async with self._session.request(method, self._world.api + path, headers=headers, json=body) as answer:
                    await answer.read()
                    status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers[f"{what} {type(error).__name__}"] += 1
        else:
            self.answers[f"{what} {status}"] += 1
        self.longest = max(self.longest, time.monotonic() - began)
        return status


def any_fault(rng: random.Random) -> Fault:
    """Passing for part of the time, otherwise any of the modes."""
    if rng.random() < _PASSING:
        return Fault()
    return Fault(
        mode=rng.choice([mode for mode in Mode if mode is not Mode.PASS]),
        after=rng.choice([0, 1, 20, 200]),
        rate=rng.choice([10, 200]),
        status=rng.choice([500, 502, 503, 504, 429]),
        delay=rng.uniform(0.2, 3.0),
    )


async def shake(proxy: FaultProxy, rng: random.Random, seen: Counter[str]) -> None:
    """One fault after the other, until cancelled."""
    while True:
        fault = any_fault(rng)
        seen[fault.mode] += 1
        await proxy.become(fault)
        await asyncio.sleep(rng.uniform(1.0, 8.0))


async def _run(folder: Path, seconds: float, seed: int) -> list[Figure]:
    rng = random.Random(seed)
    limits = aiohttp.TCPConnector(limit=0)
    async with soak_world(folder) as world, aiohttp.ClientSession(connector=limits) as session:
        load = Load(world, session, rng)
        tasks = [asyncio.create_task(load.view()) for _ in range(_VIEWERS_AT_ONCE)]
        tasks.append(asyncio.create_task(load.upload()))
        warm_up = min(60.0, seconds / 4)
        await asyncio.sleep(warm_up / 2)
        seen: Counter[str] = Counter()
        shaking = [
            asyncio.create_task(shake(proxy, random.Random(f"{seed} {name}"), seen))
            for name, proxy in world.proxies.items()
        ]
        await _wait(world, seconds, warm_up)
        for task in shaking:
            task.cancel()
        await asyncio.gather(*shaking, return_exceptions=True)
        for proxy in world.proxies.values():
            await proxy.become(Fault())
        # Breakers close when somebody asks, so the load goes on while everything recovers.
        unsettled = await _recover(world, session, load)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(6)
        note(f"modes: {dict(seen)}")
        note(f"answers: {dict(sorted(load.answers.items()))}")
        note(f"breakers that opened: {sorted(world.child.opened)}; half-open: {sorted(world.child.half_opened)}")
        figures = _figures(world, load, unsettled, warm_up)
        code = await world.child.stop()
        figures.append(Figure("soak_exit_code", float(code), 0, at_least=False))
        tell_tracebacks(world.log)
        return figures


async def _wait(world: SoakWorld, seconds: float, warm_up: float) -> None:
    ends = time.monotonic() + seconds - warm_up / 2
    while time.monotonic() < ends and world.child.alive:
        await asyncio.sleep(1)
        if sys.stderr.isatty():
            last = world.child.samples[-1]
            left = max(0.0, ends - time.monotonic())
            line = f"\r  {left:4.0f} s left, {last.memory_mb:.0f} MB, {last.tasks} tasks, {last.sockets} sockets "
            sys.stderr.write(line)


async def _recover(world: SoakWorld, session: aiohttp.ClientSession, load: Load) -> list[str]:
    """What is not in order, when everything has had its time."""
    ends = time.monotonic() + _SETTLE_SECONDS
    while left := await _unsettled(world, session, load):
        if time.monotonic() > ends or not world.child.alive:
            note(f"not settled: {left[:8]}")
            return left
        await asyncio.sleep(1)
    return []


async def _unsettled(world: SoakWorld, session: aiohttp.ClientSession, load: Load) -> list[str]:
    found = [f"breaker {name} is {state}" for name, state in world.child.breakers.items() if state]
    try:
        async with asyncio.timeout(20):
            streams = await _get(session, f"{world.api}/v1/admin/streams?limit=200")
            waiting = await _get(session, f"{world.api}/v1/admin/deliveries?state=pending&limit=200")
            dead = await _get(session, f"{world.api}/v1/admin/deliveries?state=dead&limit=200")
            # Those wait for up to ten hours after a failure; an operator sends them again at once.
            for item in (*waiting["items"], *dead["items"]):
                await session.post(f"{world.api}/v1/admin/deliveries/{item['id']}/resend", headers=_SERVICE)
    except (aiohttp.ClientError, TimeoutError) as error:
        return [*found, f"the API does not answer: {error!r}"]
    known = {item["contentId"] for item in streams["items"]}
    found += [f"{content_id} is lost" for content_id in load.accepted if content_id not in known]
    found += [f"{item['contentId']} is {item['status']}" for item in streams["items"] if item["status"] != "ready"]
    # While uploads go on there is always something on its way: what is old counts.
    found += [f"{item['id']} waits" for item in waiting["items"] if len(item.get("attempts", ())) > 0]
    return found + [f"{item['id']} is dead" for item in dead["items"]]


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url, headers=_SERVICE) as answer:
        answer.raise_for_status()
        return await answer.json()


def _figures(world: SoakWorld, load: Load, unsettled: Sequence[str], warm_up: float) -> list[Figure]:
    samples = world.child.samples
    begun = samples[0].at + warm_up
    # Before the first fault, and at rest after the last one.
    early = [item for item in samples if item.at < begun - warm_up / 2][-5:]
    warm = [item for item in samples if item.at >= begun][:10]
    late = samples[-4:]
    return [
        Figure("soak_memory_growth_mb", _median(late, 1) - _median(warm, 1), 20, at_least=False),
        Figure("soak_task_growth", _median(late, 2) - _median(early, 2), 10, at_least=False),
        Figure("soak_socket_growth", _median(late, 3) - _median(early, 3), 15, at_least=False),
        Figure("soak_thread_growth", _median(late, 4) - _median(early, 4), 5, at_least=False),
        Figure("soak_longest_request_seconds", load.longest, _LONGEST_SECONDS, at_least=False),
        Figure("soak_unsettled", len(unsettled), 0, at_least=False),
        Figure("soak_breakers_opened", len(world.child.opened), 1, at_least=True),
    ]


def _median(samples: Sequence[Sample], field: int) -> float:
    return statistics.median(item[field] for item in samples) if samples else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--quick", action="store_true", help="45 seconds")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else uuid4().int % 1_000_000
    note(f"seed {seed}: repeat it with --seed {seed}")
    try:
        with TemporaryDirectory(prefix="soak-") as folder:
            figures = uvloop.run(_run(Path(folder), 45.0 if options.quick else options.seconds, seed))
    except (ComponentMissing, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
