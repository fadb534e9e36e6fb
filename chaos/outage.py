"""`python -m chaos.outage`: the store goes away for 30 s while viewers ask for manifests; then the service is told to
stop while viewers and uploads go on.

`--seconds N`, `--quick` (6 s). Exit 0 only when every figure is met.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop

from bench.figures import Figure, note, report
from chaos.soak_world import SERVICE_TOKEN, VIEWERS, Surroundings, start, surroundings, tell_tracebacks
from streaming_service.adapters.store.sql import SqlStore
from streaming_service.devkit.emulators import ComponentMissing
from streaming_service.devkit.faults import Fault, Mode

_CONTENTS = 20
_ASKING = 16
_UPLOADING = 4
_PATIENCE = 60.0
_EXIT_SECONDS = 25.0
_SERVICE = {"authorization": f"Bearer {SERVICE_TOKEN}"}


class Clients:
    """Viewers who ask for one manifest after the other, and senders of uploads. Answers are counted by status."""

    def __init__(self, session: aiohttp.ClientSession, api: str) -> None:
        self._session = session
        self._api = api
        self.contents = [str(uuid4()) for _ in range(_CONTENTS)]
        self.accepted: set[str] = set()
        self.answers: Counter[str] = Counter()
        self.longest: dict[str, float] = defaultdict(float)
        self.stopped = False

    async def register(self, content_id: str) -> int | None:
        """The answer's status; None when there was none."""
        body = {
            "contentId": content_id,
            "sourceGcsUri": "gs://uploads/clip.mp4",
            "checksum": "sha256:1",
            "contentType": "REEL",
            "durationSeconds": 8,
        }
        status = await self._ask("upload", "POST", "/v1/admin/streams/register", _SERVICE, body)
        if status == 202:
            self.accepted.add(content_id)
        return status

    async def manifest(self, content_id: str, viewer: int) -> int | None:
        """The answer's status; None when there was none."""
        token = {"authorization": f"Bearer viewer-{viewer}"}
        return await self._ask("manifest", "GET", f"/v1/streams/{content_id}/manifest", token)

    async def view(self, first: int) -> None:
        """Until stopped."""
        number = first
        while not self.stopped:
            await self.manifest(self.contents[number % _CONTENTS], number % VIEWERS)
            number += 1

    async def upload(self) -> None:
        """Until stopped; always another content."""
        while not self.stopped:
            await self.register(str(uuid4()))

    async def _ask(self, what: str, method: str, path: str, headers: dict[str, str], body: Any = None) -> int | None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                async with self._session.request(method, self._api + path, headers=headers, json=body) as answer:
                    await answer.read()
        except aiohttp.ClientConnectorError:
            # Nothing listens any more, so nothing was dropped: a balancer sends it elsewhere.
            self.answers[f"{what} not taken"] += 1
            self.stopped = True
            return None
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers[f"{what} dropped"] += 1
            note(f"{what}: {error!r}")
            return None
        self.answers[f"{what} {answer.status}"] += 1
        self.longest[what] = max(self.longest[what], time.monotonic() - began)
        return answer.status


async def measure(folder: Path, seconds: float) -> list[Figure]:
    """`seconds` without the store, then a stop. Raises ComponentMissing, or TimeoutError when nothing gets ready."""
    limits = aiohttp.TCPConnector(limit=0)
    log = folder / "service.log"
    async with surroundings(folder) as around, aiohttp.ClientSession(connector=limits) as session:
        with log.open("wb") as output:
            arguments = ("streaming_service.entrypoints.cli", "serve", "--with-worker")
            service = await start(around.env, *arguments, stdout=output, stderr=output)
        try:
            clients = Clients(session, around.api)
            await _prepare(clients, session, around.api)
            return [
                *await _store_away(around, clients, seconds),
                *await _told_to_stop(around, Clients(session, around.api), clients.contents, service),
            ]
        finally:
            if service.returncode is None:
                service.kill()
            await service.wait()
            tell_tracebacks(log)


async def _prepare(clients: Clients, session: aiohttp.ClientSession, api: str) -> None:
    """Everything is ready and has been asked for by everybody. Raises TimeoutError."""
    async with asyncio.timeout(_PATIENCE):
        while not await _answers(session, f"{api}/readyz"):
            await asyncio.sleep(0.1)
        for content_id in clients.contents:
            await clients.register(content_id)
        for content_id in clients.contents:
            while await clients.manifest(content_id, 0) != 200:
                await asyncio.sleep(0.1)
        await asyncio.gather(*(clients.manifest(clients.contents[0], viewer) for viewer in range(VIEWERS)))


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _store_away(around: Surroundings, clients: Clients, seconds: float) -> list[Figure]:
    clients.answers.clear()
    viewing = [asyncio.create_task(clients.view(number)) for number in range(_ASKING)]
    await asyncio.sleep(1)
    await around.proxies["store"].become(Fault(mode=Mode.BLACKHOLE))
    await asyncio.sleep(seconds)
    await around.proxies["store"].become(Fault())
    began = time.monotonic()
    content_id = str(uuid4())
    while await clients.register(content_id) != 202:
        await asyncio.sleep(0.1)
    while await clients.manifest(content_id, 0) != 200:
        await asyncio.sleep(0.1)
    recovered = time.monotonic() - began
    clients.stopped = True
    await asyncio.gather(*viewing)
    note(f"store away for {seconds:g} s: {dict(sorted(clients.answers.items()))}")
    # The new content is asked for until it is ready, which is no refusal.
    asked = {name: count for name, count in clients.answers.items() if name.startswith("manifest")}
    expected = {"manifest 200", "manifest 404", "manifest 409"}
    refused = sum(count for name, count in asked.items() if name not in expected)
    return [
        Figure("outage_manifests_refused", refused, 0, at_least=False),
        Figure("outage_manifests_answered", asked["manifest 200"], 1000, at_least=True),
        Figure("outage_longest_manifest_seconds", clients.longest["manifest"], 2, at_least=False),
        Figure("outage_new_upload_playable_seconds", recovered, 30, at_least=False),
    ]


async def _told_to_stop(
    around: Surroundings, clients: Clients, contents: list[str], service: asyncio.subprocess.Process
) -> list[Figure]:
    clients.contents = contents
    tasks = [asyncio.create_task(clients.view(number)) for number in range(_ASKING)]
    tasks += [asyncio.create_task(clients.upload()) for _ in range(_UPLOADING)]
    await asyncio.sleep(2)
    began = time.monotonic()
    service.send_signal(signal.SIGTERM)
    code = await service.wait()
    seconds = time.monotonic() - began
    await asyncio.gather(*tasks)
    store = await SqlStore.open(around.dsn)
    try:
        lost = [content_id for content_id in clients.accepted if await store.get(content_id) is None]
    finally:
        await store.close()
    note(f"told to stop: {dict(sorted(clients.answers.items()))}")
    dropped = sum(count for name, count in clients.answers.items() if name.endswith("dropped"))
    return [
        Figure("sigterm_dropped_requests", dropped, 0, at_least=False),
        Figure("sigterm_accepted_uploads", len(clients.accepted), 10, at_least=True),
        Figure("sigterm_lost_uploads", len(lost), 0, at_least=False),
        Figure("sigterm_exit_seconds", seconds, _EXIT_SECONDS, at_least=False),
        Figure("sigterm_exit_code", code, 0, at_least=False),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos.outage", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--quick", action="store_true", help="6 seconds")
    options = parser.parse_args()
    try:
        with TemporaryDirectory(prefix="outage-") as folder:
            figures = uvloop.run(measure(Path(folder), 6.0 if options.quick else options.seconds))
    except (ComponentMissing, TimeoutError) as problem:
        print(problem or "the service did not come up", file=sys.stderr)
        return 2
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
