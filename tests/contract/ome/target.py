"""The OME under test: ours, or the one that OME_CONTRACT_API_URL names."""

import asyncio
import itertools
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from msgspec import Struct
from yarl import URL

from streaming_service.devkit.ome import StandInOme

VHOST = "default"
APP = "reels"
OTHER_APP = "series"
PREFIX = "contract"
NO_FILE = "file://contract-no-such-file.mp4"

Json = dict[str, Any]


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def response(self) -> Any:
        return self.json["response"]


class Target:
    """`patience` is how many seconds a real server may need for what takes it about three; `server` is ours.

    `segment_seconds` is the length of its media segments.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        api_url: str,
        *,
        playback_url: str | None,
        media_root: Path | None,
        token: str,
        stand_in: bool,
        patience: float,
        server: StandInOme | None = None,
        dump_root: Path | None = None,
        segment_seconds: float = 2.0,
    ) -> None:
        self._http = http
        self._api_url = api_url
        self._playback_url = playback_url
        self._media_root = media_root
        self._dump_root = dump_root
        self._authorization = aiohttp.encode_basic_auth(*token.split(":", 1))
        self.stand_in = stand_in
        self.server = server
        self.patience = patience
        self.segment_seconds = segment_seconds
        self._run = f"{PREFIX}-{secrets.token_hex(3)}-"
        self._names = (f"{self._run}{count}" for count in itertools.count())
        self._made: set[str] = set()

    @property
    def media_root(self) -> Path:
        if self._media_root is None:
            pytest.skip("set OME_CONTRACT_MEDIA_ROOT to the server's media root to run this")
        return self._media_root

    @property
    def dump_root(self) -> Path:
        if self._dump_root is None:
            pytest.skip("set OME_CONTRACT_DUMP_ROOT to a folder that the server can write and you can read to run this")
        return self._dump_root

    @property
    def playback_url(self) -> str:
        if self._playback_url is None:
            pytest.skip("set OME_CONTRACT_PLAYBACK_URL to the server's LL-HLS address to run this")
        return self._playback_url

    def unique(self) -> str:
        """A name that nothing else on the server has."""
        return next(self._names)

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        authorization: str | None = None,
    ) -> Answer:
        """A call to the REST API with the path exactly as given. `authorization` "" leaves the header out."""
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = self._authorization if authorization is None else authorization
        if not headers["Authorization"]:
            del headers["Authorization"]
        content = raw if body is None else json.dumps(body).encode()
        return await self._send(method, self._api_url + path, headers, content)

    async def ask_chunked(self, method: str, path: str, content: bytes) -> Answer:
        """A body without Content-Length."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        return await self._send(method, self._api_url + path, {"Authorization": self._authorization}, chunks())

    async def fetch(self, url: str, base: str | None = None) -> Answer:
        """A GET of the playback port: a path, a URL, or what a playlist at `base` refers to."""
        return await self._send("GET", urljoin(base or self.playback_url, url), {}, None)

    async def _send(
        self, method: str, url: str, headers: dict[str, str], content: bytes | AsyncIterator[bytes] | None
    ) -> Answer:
        async with self._http.request(method, URL(url, encoded=True), headers=headers, data=content) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    def channels(self, name: str = "") -> str:
        path = f"/v1/vhosts/{VHOST}/apps/{APP}/scheduledChannels"
        return f"{path}/{name}" if name else path

    def streams(self, name: str = "") -> str:
        path = f"/v1/vhosts/{VHOST}/apps/{APP}/streams"
        return f"{path}/{name}" if name else path

    async def create(self, name: str, url: str = NO_FILE, **fields: object) -> Answer:
        """POST a scheduled channel that loops `url`; what was made is deleted after the test."""
        answer = await self.ask("POST", self.channels(), channel(name, url, **fields))
        if answer.status == 201:
            self._made.add(name)
        return answer

    async def create_listed(self, url: str = NO_FILE, **fields: object) -> str:
        """A channel that OME lists. Returns its name."""
        name = self.unique()
        answer = await self.create(name, url, **fields)
        assert answer.status == 201, answer.text
        await self.until(lambda: self.ask("GET", self.channels(name)), lambda found: found.status == 200)
        return name

    async def act(self, name: str, action: str, body: Json | None = None) -> Answer:
        """POST an action on a stream; the output stream has its name."""
        return await self.ask("POST", f"{self.streams(name)}:{action}", {"outputStreamName": name, **(body or {})})

    async def delete(self, name: str) -> Answer:
        answer = await self.ask("DELETE", self.channels(name))
        if answer.status == 200:
            self._made.discard(name)
        return answer

    async def clean_up(self) -> None:
        """Delete what the test left. OME cannot delete a channel that it has not listed yet, so wait for that."""
        for name in list(self._made):
            await self.until(lambda name=name: self.ask("GET", self.channels(name)), lambda found: found.status == 200)
            await self.delete(name)

    async def nothing_left(self) -> None:
        """Wait until what was deleted is gone, so that the server is as it was."""
        await self.until(
            lambda: self.ask("GET", self.channels()),
            lambda found: not any(name.startswith(self._run) for name in found.response),
        )

    async def until(
        self, look: Callable[[], Awaitable[Answer]], enough: Callable[[Answer], bool], *, patience: float | None = None
    ) -> Answer:
        """Look again and again until it is enough; fails after the server's patience."""
        deadline = time.monotonic() + (patience or self.patience)
        while True:
            answer = await look()
            if enough(answer):
                return answer
            assert time.monotonic() < deadline, f"gave up on {answer.status} {answer.content[:300]!r}"
            await asyncio.sleep(0.02)


def channel(name: str, url: str, **fields: object) -> Json:
    """The body of a POST. `fields` replace the top-level ones (`stream`, `programs`, …), None leaves one out."""
    stream = {"name": name, "bypassTranscoder": False, "videoTrack": True, "audioTrack": True}
    body = {"stream": stream, "programs": [program(url)], **fields}
    return {field: value for field, value in body.items() if value is not None}


def program(
    url: str, *, name: str = "p1", repeat: bool = True, begins: datetime | None = None, duration: int = -1
) -> Json:
    """`duration` in ms; -1 is the file, cut down to whole seconds."""
    items = [{"url": url, "start": 0, "duration": duration}]
    return {"name": name, "scheduled": moment(begins or datetime.now(UTC)), "repeat": repeat, "items": items}


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def real_server() -> Json | None:
    """The settings of the real server, if there is one to test against."""
    api_url = os.environ.get("OME_CONTRACT_API_URL")
    if not api_url:
        return None
    media_root = os.environ.get("OME_CONTRACT_MEDIA_ROOT")
    playback_url = os.environ.get("OME_CONTRACT_PLAYBACK_URL")
    dump_root = os.environ.get("OME_CONTRACT_DUMP_ROOT")
    return {
        "api_url": api_url.rstrip("/"),
        "playback_url": playback_url.rstrip("/") if playback_url else None,
        "media_root": Path(media_root) if media_root else None,
        "dump_root": Path(dump_root) if dump_root else None,
        "token": f"{os.environ.get('OME_API_KEY', '')}:{os.environ.get('OME_API_SECRET', '')}",
    }
