"""Publish an upload to a running stack and follow it until a viewer can play it, all of it over HTTP."""

import asyncio
import shutil
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.transport import AiohttpTransport
from streaming_service.domain.clock import to_wire
from streaming_service.entrypoints.dev.stack import BUCKET, VIEWER_TOKEN, StackInfo
from streaming_service.errors import InvalidInput, StreamingServiceError

_POLL_SECONDS = 0.1
_DELIVERED_PATIENCE = 30.0


class Upload:
    """One video file as its upload pipeline would announce it."""

    def __init__(self, file: Path, content_id: str | None = None, classification: str = "REEL") -> None:
        if not file.is_file():
            raise InvalidInput("FILE", f"{file} is not a file")
        self.file = file
        self.content_id = content_id or str(uuid4())
        self.classification = classification

    def store(self, media: Path) -> str:
        """Copy it to where the upload bucket is mounted; gives the object name."""
        digest = sha256(self.file.read_bytes()).hexdigest()
        self.checksum = f"sha256:{digest}"
        key = f"{self.content_id}/{digest[:16]}{self.file.suffix.lower() or '.mp4'}"
        target = media / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.file, target)
        return key

    def event(self, key: str) -> dict[str, Any]:
        """The `media.uploaded` event."""
        return {
            "uploadId": str(uuid4()),
            "objectKey": key,
            "storageUrl": f"gs://{BUCKET}/{key}",
            "assetType": "video",
            "adminId": "streaming-service-dev",
            "contentId": self.content_id,
            "contentClassification": self.classification,
            "sizeBytes": self.file.stat().st_size,
            "contentType": "video/mp4",
            "validation": {"checksum": self.checksum},
            "emittedAt": to_wire(datetime.now(UTC)),
        }


class Playable(NamedTuple):
    """A signed manifest URL, and the Cookie header that it needs, if any."""

    url: str
    cookies: str


class Publisher:
    """Speaks to a stack as its platform would. `say` gets each step as it happens: seconds, what, details."""

    def __init__(self, info: StackInfo, transport: AiohttpTransport, say: Callable[[float, str, str], None]) -> None:
        self._info = info
        self._transport = transport
        self._say = say
        self._began = time.monotonic()

    async def publish(self, upload: Upload) -> AsyncGenerator[tuple[str, Playable]]:
        """Gives what a viewer is handed: as soon as it is `ready`, and when its copy is `published`.

        Raises StreamingServiceError when it will not play.
        """
        key = await asyncio.to_thread(upload.store, Path(self._info.media))
        event = upload.event(key)
        await self._send(event)
        self._step("event accepted", f"media.uploaded · {upload.file.name} · content {upload.content_id}")
        shown = ""
        async for entry, phase in self._history(upload.content_id):
            if entry:
                self._narrate(entry)
                if entry["status"] == "failed":
                    raise StreamingServiceError(f"provisioning failed: {entry['reason']}")
            elif phase != shown:
                await self._deliveries(upload.content_id)
                yield "published" if shown else "ready", await self._manifest(upload.content_id)
                shown = phase

    def _step(self, what: str, details: str) -> None:
        self._say(time.monotonic() - self._began, what, details)

    def _narrate(self, entry: dict[str, Any]) -> None:
        match entry["action"]:
            case "placed":
                self._step("channel placed", entry["reason"])
            case "created":
                self._step("channel created on OME", entry["reason"])
            case "playable":
                self._step("manifest playable", entry["reason"])
            case "published":
                self._step("copy published", entry["reason"])
            case "retry" | "failed" | "lost":
                self._step(f"provisioning: {entry['action']}", entry["reason"])
            case _:
                pass

    async def _send(self, event: dict[str, Any]) -> None:
        """As a Pub/Sub push delivery: the same road that production takes."""
        data = b64encode(msgspec.json.encode(event)).decode()
        body = {"message": {"data": data, "messageId": event["uploadId"]}, "subscription": "dev"}
        await self._call("POST", "/internal/events/pubsub", msgspec.json.encode(body))

    async def _history(self, content_id: str) -> AsyncGenerator[tuple[dict[str, Any] | None, str]]:
        """New history entries, oldest first, and in between, without an entry, the phase in which it is ready.

        Ends when there is nothing to come: the copy is published, or none is made.
        """
        seen = 0
        while True:
            # The channel first: its history then tells at least how it came there.
            channel = await self._call("GET", f"/v1/admin/streams/{content_id}")
            answer = await self._call("GET", f"/v1/admin/streams/{content_id}/events")
            entries = list(reversed(answer["items"]))
            for entry in entries[seen:]:
                yield entry, channel["phase"]
            seen = len(entries)
            # Until it is replaced, what was there before is served.
            newest = f"-{channel['incarnation']}/" in channel["manifestPath"]
            if newest and channel["phase"] in {"playable", "published"} and channel["status"] == "ready":
                yield None, channel["phase"]
                if channel["phase"] == "published" or not channel.get("publishing"):
                    return
            await asyncio.sleep(_POLL_SECONDS)

    async def _deliveries(self, content_id: str) -> None:
        """Wait until the platform has been told everything, a bounded time."""
        deadline = time.monotonic() + _DELIVERED_PATIENCE
        while True:
            answer = await self._call("GET", f"/v1/admin/deliveries?contentId={content_id}&limit=200")
            pending = [item for item in answer["items"] if item["state"] == "pending"]
            if not pending:
                names = sorted({item["endpoint"] for item in answer["items"] if item["state"] == "delivered"})
                return self._step("notifications delivered", " · ".join(names))
            if time.monotonic() > deadline:
                waiting = sorted({item["endpoint"] for item in pending})
                return self._step("notifications waiting", " · ".join(waiting))
            await asyncio.sleep(_POLL_SECONDS)

    async def _manifest(self, content_id: str) -> Playable:
        headers = {"authorization": f"Bearer {VIEWER_TOKEN}"}
        answer = await self._call("GET", f"/v1/streams/{content_id}/manifest", headers=headers)
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in answer.get("cookies", ()))
        return Playable(answer["manifestUrl"], cookies)

    async def _call(
        self, method: str, path: str, body: bytes = b"", *, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        sent = {"content-type": "application/json", "x-service-token": self._info.service_token, **(headers or {})}
        answer = await self._transport.send(Request(method, f"{self._info.api}{path}", sent, body, timeout=30))
        if not answer.ok:
            raise StreamingServiceError(f"{method} {path} answered {answer.status}: {_detail(answer)}")
        return answer.json() if answer.body else {}


def _detail(answer: Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return answer.body.decode(errors="replace")[:200]
