"""The service's own HTTP server with everything on, over a memory store, and a static answer beside it for comparison.

Prints its port when it listens; ends on SIGTERM.
"""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from streaming_service.adapters.http import Request, Response
from streaming_service.adapters.media import NullMediaLibrary
from streaming_service.adapters.store.memory import MemoryStore
from streaming_service.application.placing import next_placement
from streaming_service.application.seating import Seat
from streaming_service.bootstrap import Service, wire
from streaming_service.configuration import load
from streaming_service.domain.access import READ_SCOPE
from streaming_service.domain.clock import to_wire
from streaming_service.domain.history import change
from streaming_service.domain.notification import Cause
from streaming_service.domain.upload import parse_registration
from streaming_service.entrypoints.http.app import build_app
from streaming_service.entrypoints.http.asgi import Receive, Send
from streaming_service.entrypoints.http.plain import PlainReader
from streaming_service.entrypoints.http.server import HttpServer
from streaming_service.entrypoints.http.tracing import TracedDoor
from streaming_service.entrypoints.http.wire import head
from streaming_service.entrypoints.serving import api_context
from streaming_service.telemetry import configure_logging

CONTENTS = 1000
TOKEN = "bench-viewer"
SETTINGS = {
    "APP_ENV": "test",
    "HTTP_HOST": "127.0.0.1",
    "HTTP_PORT": "0",
    "CHANNEL_REPOSITORY_BACKEND": "memory",
    "EVENT_SOURCE": "push",
    "DRY_RUN_PROVISIONING": "true",
    "OME_MEDIA_MOUNTS": "gs://uploads=",
    "CDN_BASE_URL": "https://cdn.example",
    "CDN_SIGNING_SECRET": "nZtRohdNF9m3cKM24IcK4w==",
    "AUTH_SERVICE_BASE_URL": "http://auth.example",
}
_CAUSE = Cause("bench", "bench")
_BODY = b"x" * 640  # about the size of a manifest answer
_STATIC = b"&static= "
_ANSWER = b"%bcontent-length: %d\r\n\r\n%b" % (
    head(200, [(b"content-type", b"application/json")]),
    len(_BODY),
    _BODY,
)


def content_id(number: int) -> str:
    """One of the contents that the server knows."""
    return str(UUID(int=0x3F2A_0000_0000_4000_8000_0000_0000_0000 + number))


class TokenServiceOnly:
    """A Transport on which only the token service answers."""

    async def send(self, request: Request) -> Response:
        if not request.url.endswith("/introspect"):
            raise AssertionError(request.url)
        later = to_wire(datetime.now(UTC) + timedelta(hours=1))
        viewer = {"userId": "bench", "scopes": [READ_SCOPE], "entitlements": [], "expiresAt": later}
        return Response(200, {"content-type": "application/json"}, msgspec.json.encode(viewer))


class WithStaticAnswer:
    """The app under test; and the same request with `&static=` answered by the same server with fixed bytes, as soon as
    its head is read: the ceiling."""

    def __init__(self, app: TracedDoor) -> None:
        self._app = app
        self._quick = app.quick
        self._read = PlainReader().read

    def quick(self, data: bytes, peer: str) -> bytes | None:
        if _STATIC in data:
            return _ANSWER if self._read(data) else None
        return self._quick(data, peer) if self._quick else None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def main() -> None:
    configure_logging("error")
    settings = load(SETTINGS, env_file=None)
    service = wire(settings, MemoryStore(), TokenServiceOnly(), NullMediaLibrary())
    for number in range(CONTENTS):
        await _ready(service, number)
    server = HttpServer(WithStaticAnswer(build_app(api_context(service))), "127.0.0.1", 0, grace_seconds=1)
    await server.start()
    print(server.port, flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop()


async def _ready(service: Service, number: int) -> None:
    identity = content_id(number)
    now = datetime.now(UTC)
    body = {
        "contentId": identity,
        "contentType": "reel",
        "sourceGcsUri": f"gs://uploads/{identity}.mp4",
        "checksum": "sha256:bench",
        "tenantId": "bench",
    }
    channel, _ = await service.provisioning.accept(parse_registration(body, now), _CAUSE)
    channel = channel.placed(
        next_placement(channel, Seat("default", number), None, now, prefix="ss-", publish=False), now
    ).started(now)
    channel = channel.playable(now, drain_after=timedelta())
    await service.store.commit(change(channel, "playable", _CAUSE), None)


if __name__ == "__main__":
    uvloop.run(main())
