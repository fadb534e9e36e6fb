"""Viewers and senders of uploads behind a load balancer, while what they are balanced over is exchanged."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp

from bench.figures import note
from chaos.soak_world import SERVICE_TOKEN, VIEWERS

_LOOK_SECONDS = 0.1
_PATIENCE = 30.0
_PAUSE_BETWEEN_UPLOADS = 0.25

Check = Callable[[bytes], str | None]
"""What is wrong with the body of a manifest answer, if anything."""


def no_check(_body: bytes) -> str | None:
    """The status says enough."""
    return None


class Balancer:
    """Knows which processes are ready, as every load balancer does: by asking each of them now and then."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.targets: set[str] = set()
        self.ready: list[str] = []
        self._session = session
        self._turn = itertools.count()

    def next(self) -> str:
        """Where the next request goes. Raises LookupError when nobody is ready."""
        if not self.ready:
            raise LookupError("no process is ready")
        return self.ready[next(self._turn) % len(self.ready)]

    async def look(self) -> None:
        """For ever."""
        while True:
            targets = sorted(self.targets)
            answers = await asyncio.gather(*map(self.is_ready, targets))
            self.ready = [target for target, well in zip(targets, answers, strict=True) if well]
            await asyncio.sleep(_LOOK_SECONDS)

    async def is_ready(self, target: str) -> bool:
        """Whether a process says that it may be sent requests."""
        try:
            async with self._session.get(f"{target}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


class Crowd:
    """Everybody outside. Every answer is counted; whatever is none, or says that something went wrong, is told.

    `token` is what senders of uploads show, `check` looks at each manifest answer.
    """

    def __init__(self, session: aiohttp.ClientSession, balancer: Balancer) -> None:
        self.token = SERVICE_TOKEN
        self.check: Check = no_check
        self.accepted: list[str] = []
        self.answers: Counter[str] = Counter()
        self.failed = 0
        self.stopped = False
        self._session = session
        self._balancer = balancer

    async def upload(self) -> None:
        """One content after the other, until stopped."""
        while not self.stopped:
            await self.register(str(uuid4()))
            await asyncio.sleep(_PAUSE_BETWEEN_UPLOADS)

    async def register(self, content_id: str) -> None:
        """Upload one."""
        body = {
            "contentId": content_id,
            "sourceGcsUri": "gs://uploads/clip.mp4",
            "checksum": "sha256:1",
            "contentType": "REEL",
            "durationSeconds": 8,
        }
        token = {"authorization": f"Bearer {self.token}"}
        if await self._ask("upload", "POST", "/v1/admin/streams/register", token, {202}, body) == 202:
            self.accepted.append(content_id)

    async def view(self, contents: list[str], first: int) -> None:
        """One after the other, until stopped."""
        for number in itertools.count(first):
            if self.stopped:
                return
            await self.manifest(contents[number % len(contents)], number, {200})

    async def manifest(self, content_id: str, viewer: int, right: set[int]) -> int | None:
        """The answer's status, None when there was none; `right` are those that are in order."""
        token = {"authorization": f"Bearer viewer-{viewer % VIEWERS}"}
        return await self._ask("manifest", "GET", f"/v1/streams/{content_id}/manifest", token, right)

    async def _ask(
        self, what: str, method: str, path: str, headers: dict[str, str], right: set[int], body: Any = None
    ) -> int | None:
        try:
            target = self._balancer.next()
            async with asyncio.timeout(_PATIENCE):
                async with self._session.request(method, target + path, headers=headers, json=body) as answer:
                    said = await answer.read()
        except (aiohttp.ClientError, TimeoutError, LookupError) as error:
            self.failed += 1
            self.answers[f"{what}: {type(error).__name__}"] += 1
            note(f"{what}: {error!r}")
            return None
        self.answers[f"{what} {answer.status}"] += 1
        if answer.status not in right:
            self.failed += 1
            note(f"{what}: {answer.status}")
        elif what == "manifest" and answer.status == 200 and (wrong := self.check(said)):
            self.failed += 1
            note(f"{what}: {wrong}")
        return answer.status
