"""Real servers on loopback, a caller with one answer, and a clock that only tests move."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from streaming_service.adapters.http import Request, Response

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[str]]
Converse = Callable[[Conversation], Awaitable[str]]


class ManualClock:
    """Stands still except when somebody sleeps on it; remembers the pauses."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.advance(seconds)


class OneAnswer:
    """A Caller that has one answer and remembers the question."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.response = Response(status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode())
        self.asked: list[tuple[Request, bool]] = []

    async def call(self, request: Request, *, retry: bool = False) -> Response:
        self.asked.append((request, retry))
        return self.response


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[str]:
    """A web server that answers everything by `handler`; gives its base URL."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
