"""The stand-in platform: auth, content, gateway, CDN control, observability and BigQuery in one loopback server."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web
from standardwebhooks import Webhook

from streaming_service.devkit.platform.catalog import DemoCatalog
from streaming_service.devkit.platform.desk import Desk
from streaming_service.devkit.platform.faults import Fault, Faults
from streaming_service.devkit.platform.inbox import Inbox, Received
from streaming_service.devkit.platform.overview import overview
from streaming_service.devkit.platform.routes import CATALOG, OnPurge, OnWarmup, Routes
from streaming_service.devkit.platform.tokens import DemoTokens


class StandInPlatform:
    """Every service that ours talks to, on one port of 127.0.0.1, for development and tests.

    The base URLs for the settings are `{url}/auth`, `{url}/content`, `{url}/gateway/warmup`, `{url}/content/callback`,
    `{url}/cdn`, `{url}/observability`, `{url}/bigquery`. A POST is answered as the real service would and kept; a GET
    of the same path shows what was kept, `GET /` shows all of it. `fail` makes any path fail.

    auth_token, content_token, cdn_token: the bearer tokens that introspection, catalog and CDN control insist on
    (None: they let everybody in). webhook_secret: check Standard Webhooks signatures and note the result; a wrong one
    is not refused, so that it can be seen. on_purge gets each purged path, on_warmup each URL to warm with the Cookie
    header that it needs. Port 0 takes a free one; a taken one raises OSError when the context is entered.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        auth_token: str | None = None,
        content_token: str | None = None,
        cdn_token: str | None = None,
        webhook_secret: str | None = None,
        on_purge: OnPurge | None = None,
        on_warmup: OnWarmup | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = DemoTokens(now)
        self.catalog = DemoCatalog()
        self.inbox = Inbox()
        self._port = port
        self._content_token = content_token
        self._faults = Faults()
        self._desk = Desk(self.inbox, self._faults, Webhook(webhook_secret) if webhook_secret else None, now)
        self._routes = Routes(
            self.tokens, now, auth_token=auth_token, cdn_token=cdn_token, on_purge=on_purge, on_warmup=on_warmup
        ).table()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:{port}`, once started."""
        if self._runner is None:
            raise RuntimeError("the stand-in platform is not running")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def received(self, path: str) -> tuple[Received, ...]:
        """What this path was sent, oldest first, at most the last 200; refused and failed requests too."""
        return self.inbox.of(path)

    async def wait_for(self, path: str, count: int = 1, *, timeout: float = 5.0) -> tuple[Received, ...]:
        """What the path was sent, once that is at least `count` requests. Raises TimeoutError after `timeout` s."""
        return await self.inbox.wait(path, count, timeout)

    def fail(
        self, path: str, status: int | None = 503, *, times: int | None = 1, retry_after: int | str | None = None
    ) -> None:
        """Make the path, and those below it, answer `status` (None: drop the connection) `times` times.

        `times` None: until `heal`. `retry_after` goes into the header as it is.
        """
        headers = {} if retry_after is None else {"retry-after": str(retry_after)}
        self._faults.set(path, Fault(status, times, headers))

    def heal(self, path: str | None = None) -> None:
        """End the path's failure, or every failure."""
        self._faults.clear(path)

    async def __aenter__(self) -> Self:
        paths = (CATALOG, *(route.path for route in self._routes))
        app = web.Application()
        app.router.add_get("/", overview(self._desk, self.tokens, paths))
        app.router.add_get(CATALOG + "/{content_id}", self._desk.looked_up(self.catalog, self._content_token))
        for path in paths:
            app.router.add_get(path, self._desk.shown(path))
        for route in self._routes:
            app.router.add_post(route.path, self._desk.posted(route))
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
