"""Behind the edge's door: from its cache or from the upstream."""

from collections.abc import Callable
from typing import Literal

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, web
from yarl import URL

from streaming_service.devkit.edge_cache import CachedAnswer, EdgeCache, max_age
from streaming_service.devkit.edge_forms import Carried
from streaming_service.devkit.edge_playlist import authorize_children

Source = Literal["hit", "miss"]

OPEN_TO_BROWSERS = {"access-control-allow-origin": "*", "access-control-allow-headers": "range"}

# A blocking LL-HLS playlist request waits for the next part, so an answer may take some seconds to begin.
_TIMEOUT = ClientTimeout(total=None, connect=5, sock_read=20)
_LARGEST_CACHED = 8 * 1024 * 1024
_LARGEST_PLAYLIST = 4 * 1024 * 1024
_PASSED_ON = ("content-type", "cache-control", "content-range", "accept-ranges", "etag", "last-modified")


class EdgeProxy:
    """Answers requests whose signature has been checked. Their grants are not sent upstream."""

    def __init__(self, upstream: str, cache: EdgeCache, now: Callable[[], float]) -> None:
        self._upstream = upstream
        self._cache = cache
        self._now = now
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Close the connections to the upstream."""
        if self._session:
            await self._session.close()
            self._session = None

    async def fetch(self, url: str, cookies: str) -> int:
        """GET a URL with this Cookie header, read it to its end, and give the status."""
        headers = {"cookie": cookies} if cookies else {}
        async with self._client().get(URL(url, encoded=True), headers=headers, allow_redirects=False) as answer:
            await answer.read()
            return answer.status

    async def serve(self, request: web.Request, asked: Carried, own_base: str) -> tuple[web.StreamResponse, Source]:
        """The answer and where it came from. An upstream that does not answer is a 502."""
        path, extend = asked.path, asked.extend
        key = f"{path}?{asked.query}" if asked.query else path
        whole = request.method == "GET" and "range" not in request.headers
        cached = self._cache.find(key, self._now()) if whole else None
        if cached:
            return _response(cached.path, 200, cached.headers, cached.body, extend, own_base), "hit"
        headers = {"accept-encoding": "identity"}
        if "range" in request.headers:
            headers["range"] = request.headers["range"]
        try:
            async with self._client().request(
                request.method, URL(self._upstream + key, encoded=True), headers=headers, allow_redirects=False
            ) as answer:
                if request.method == "GET" and not _is_playlist(path, answer.headers.get("content-type", "")):
                    return await self._stream(request, answer, key, whole=whole), "miss"
                body = await _read(answer)
        except (ClientError, OSError) as error:
            text = f"502 the origin does not answer: {type(error).__name__}\n"
            return web.Response(status=502, text=text, headers=OPEN_TO_BROWSERS), "miss"
        if whole:
            self._keep(key, answer, body)
        return _response(path, answer.status, _headers(answer), body, extend, own_base), "miss"

    async def _stream(
        self, request: web.Request, answer: ClientResponse, key: str, *, whole: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_headers(answer))
        if "content-encoding" not in answer.headers:
            response.content_length = answer.content_length
        await response.prepare(request)
        body = bytearray()
        try:
            async for piece in answer.content.iter_any():
                if len(body) <= _LARGEST_CACHED:
                    body += piece
                await response.write(piece)
        except (ClientError, OSError):
            # The status line is out: only a broken connection tells the player that this is not the whole.
            if request.transport:
                request.transport.abort()
            return response
        await response.write_eof()
        if whole and len(body) <= _LARGEST_CACHED:
            self._keep(key, answer, bytes(body))
        return response

    def _keep(self, key: str, answer: ClientResponse, body: bytes) -> None:
        age = max_age(answer.headers.get("cache-control", "")) if answer.status == 200 else 0
        if age:
            self._cache.keep(key, CachedAnswer(key.partition("?")[0], body, _headers(answer), self._now() + age))

    def _client(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(timeout=_TIMEOUT, cookie_jar=DummyCookieJar())
        return self._session


async def _read(answer: ClientResponse) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > _LARGEST_PLAYLIST:
            raise ClientError("the playlist is too large")
    return bytes(body)


def _response(
    path: str, status: int, headers: dict[str, str], body: bytes, extend: Callable[[str], str], own_base: str
) -> web.Response:
    if status == 200 and _is_playlist(path, headers.get("content-type", "")):
        body = authorize_children(body.decode(errors="replace"), extend, own_base).encode()
    return web.Response(status=status, body=body, headers=headers)


def _headers(answer: ClientResponse) -> dict[str, str]:
    passed_on = {name: answer.headers[name] for name in _PASSED_ON if name in answer.headers}
    return {**passed_on, **OPEN_TO_BROWSERS}


def _is_playlist(path: str, content_type: str) -> bool:
    return path.endswith(".m3u8") or "mpegurl" in content_type.lower()
