"""A request's body, from RSGI to ASGI."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.problems import Failure
from streaming_service.entrypoints.http.protocol import Headers, HttpProtocol

# For a whole body: long for a megabyte from anywhere, short for somebody who only wants to hold a connection.
_PATIENCE_SECONDS = 30.0

_ENDED_EARLY = Failure(400, "body_incomplete", "The request's body ended early.")
_TOO_SLOW = Failure(
    408, "body_too_slow", "The request's body took too long to arrive.", headers=(("connection", "close"),)
)


class BodyReader:
    """ASGI's receive. How much may be read is the application's question; whether all of it came is ours."""

    def __init__(self, proto: HttpProtocol, headers: Headers) -> None:
        self._proto = proto
        self._announced = _length(headers)
        self._chunks: AsyncIterator[bytes] | None = None
        self._deadline = 0.0
        self._received = 0
        self._complete = False

    async def receive(self) -> dict[str, Any]:
        """The next piece of the body, then the client's going away. Raises Refuse for a body that breaks off."""
        if self._complete:
            await self._proto.client_disconnect()
            return {"type": "http.disconnect"}
        if self._announced == 0:
            return self._last(b"")
        if self._chunks is None:
            self._chunks = aiter(self._proto)
            self._deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        try:
            async with asyncio.timeout_at(self._deadline):
                chunk = await _next(self._chunks)
                if not chunk:
                    return await self._end(self._chunks)
        except TimeoutError:
            raise Refuse(_TOO_SLOW) from None
        self._received += len(chunk)
        if self._received == self._announced:
            return self._last(chunk)
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def _end(self, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        # Granian answers one empty chunk at the end of a body, and another one when its transfer broke off.
        broken = await _next(chunks) is not None
        if broken or (self._announced is not None and self._received != self._announced):
            self._complete = True
            raise Refuse(_ENDED_EARLY)
        return self._last(b"")

    def _last(self, chunk: bytes) -> dict[str, Any]:
        self._complete = True
        return {"type": "http.request", "body": chunk, "more_body": False}


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    try:
        return await anext(chunks)
    except StopAsyncIteration:
        return None


def _length(headers: Headers) -> int | None:
    """The announced length in bytes; None when the body comes chunked."""
    said = dict(headers)
    if "content-length" in said:
        return int(said["content-length"]) if said["content-length"].isdigit() else None
    return None if "transfer-encoding" in said else 0
