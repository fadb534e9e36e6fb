"""A stand-in CDN edge: refuses what is not signed, caches, and fetches the rest from OME."""

import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import web

from streaming_service.devkit.edge_bucket import EdgeBucket
from streaming_service.devkit.edge_cache import EdgeCache
from streaming_service.devkit.edge_forms import CLOUD_CDN, Form
from streaming_service.devkit.edge_log import EdgeLog, EdgeRequest
from streaming_service.devkit.edge_proxy import OPEN_TO_BROWSERS, EdgeProxy
from streaming_service.domain.signing.scheme import Verdict

# Absolute URL, Unix seconds, Cookie header → verdict.
Verify = Callable[[str, int, str], Verdict]


class StandInEdge:
    """A CDN edge on 127.0.0.1 in front of `upstream` (OME's playback base URL).

    Every request needs a valid signature, segments as well as manifests: otherwise 403, naming the verdict. `verify`
    is a signer's (domain/signing); it gets the absolute URL below `public_base_url` (default: this server's own) and
    never the Host header's, so that a client cannot choose for which host its signature is checked.

    `form` says where the scheme's grants stand (`form_of`). Relative URIs in a playlist inherit its path and cookies,
    but not its query: where the grant is there, this edge appends it to each URI. Google Cloud CDN cannot do that: in
    front of it players append the query themselves (for example in hls.js' xhrSetup).

    With a `bucket_dir`, everything below `/vod/` comes from that folder instead of OME, behind the same door: it is the
    manifest bucket that a CDN would have as its second backend.

    A small cache honours `max-age` and ignores the grant; `purge` empties it. `GET /_edge`, from loopback only, shows
    counts and the last requests. Port 0 takes a free one; a taken one raises OSError when the context is entered.
    """

    def __init__(
        self,
        upstream: str,
        verify: Verify,
        *,
        port: int = 0,
        public_base_url: str | None = None,
        bucket_dir: Path | None = None,
        form: Form = CLOUD_CDN,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._verify = verify
        self._port = port
        self._public = public_base_url
        self._now = now
        self._cache = EdgeCache()
        self._form = form
        self._proxy = EdgeProxy(upstream.rstrip("/"), self._cache, now)
        self._bucket = EdgeBucket(bucket_dir) if bucket_dir else None
        self._log = EdgeLog()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:{port}`, once started."""
        if self._runner is None:
            raise RuntimeError("the stand-in edge is not running")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @property
    def public_base_url(self) -> str:
        """What signed URLs begin with, without a final slash."""
        return (self._public or self.url).rstrip("/")

    @property
    def recent(self) -> tuple[EdgeRequest, ...]:
        """The last requests, oldest first."""
        return self._log.recent

    def purge(self, pattern: str) -> int:
        """Forget cached answers whose path matches: `*` is anything, a final `/` all below. Gives how many."""
        self._log.count("purges")
        return self._cache.purge(pattern)

    async def warm(self, url: str, cookies: str = "") -> int:
        """Fetch a signed URL through this edge, with this Cookie header, as CDN control's warm-up would. Gives the
        status."""
        target = urlsplit(url)
        return await self._proxy.fetch(f"{self.url}{target.path}?{target.query}", cookies)

    async def __aenter__(self) -> Self:
        app = web.Application()
        if self._form.credentials:
            app.on_response_prepare.append(_allow_credentials)
        app.router.add_get("/_edge", self._status)
        app.router.add_route("*", "/{path:.*}", self._handle)
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
        await self._proxy.close()

    async def _status(self, request: web.Request) -> web.Response:
        if not (request.remote and ip_address(request.remote).is_loopback):
            raise web.HTTPForbidden(text="only from this machine")
        content = {"publicBaseUrl": self.public_base_url, "cached": len(self._cache)}
        body = msgspec.json.encode({**content, **self._log.summary()})
        return web.Response(body=body, content_type="application/json")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":  # browsers ask before a Range request; nothing is given away
            return web.Response(status=204, headers=OPEN_TO_BROWSERS)
        path, _, query = request.raw_path.partition("?")
        asked = self._form.take(path, query, self.public_base_url)
        verdict = self._judge(path, asked.signed, request.headers.get("cookie", ""))
        if verdict is not Verdict.VALID:
            response, cache = _plain(403, f"403 {verdict}"), ""
        elif request.method not in {"GET", "HEAD"}:
            response, cache = _plain(405, "405 only GET and HEAD"), ""
        elif self._bucket and self._bucket.holds(asked.path):
            response, cache = await self._bucket.serve(asked.path, asked.extend, self.public_base_url), ""
        else:
            response, cache = await self._proxy.serve(request, asked, self.public_base_url)
        self._log.add(EdgeRequest(self._now(), request.method, asked.path, verdict, response.status, cache))
        return response

    def _judge(self, path: str, signed: str, cookies: str) -> Verdict:
        # An upstream may decode before it resolves dots, so an encoded one must not leave the signed prefix either.
        parts = unquote(path).replace("\\", "/").split("/")
        if not path.startswith("/") or ".." in parts or "." in parts:
            return Verdict.OTHER_PATH
        return self._verify(self.public_base_url + signed, int(self._now()), cookies)


async def _allow_credentials(request: web.Request, response: web.StreamResponse) -> None:
    """A browser sends cookies to another site only when that names the page's own origin."""
    if origin := request.headers.get("origin"):
        response.headers["access-control-allow-origin"] = origin
        response.headers["access-control-allow-credentials"] = "true"
        response.headers["vary"] = "origin"


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=OPEN_TO_BROWSERS)
