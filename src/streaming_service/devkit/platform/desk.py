"""How a stand-in takes a request in: fail if told to, check, answer, keep."""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any, cast

import msgspec
from aiohttp import web
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from streaming_service.devkit.platform.catalog import DemoCatalog
from streaming_service.devkit.platform.faults import Faults
from streaming_service.devkit.platform.inbox import Inbox, Received, Signed, kept_headers
from streaming_service.devkit.platform.routes import CATALOG, INTROSPECT, Answer, Route

_NDJSON = "application/x-ndjson"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Desk:
    """The part that all stand-in services share. `now` gives Unix seconds."""

    def __init__(self, inbox: Inbox, faults: Faults, webhook: Webhook | None, now: Callable[[], float]) -> None:
        self._inbox = inbox
        self._faults = faults
        self._webhook = webhook
        self._now = now

    def posted(self, route: Route) -> Handler:
        """The handler of a POST route."""

        async def handle(request: web.Request) -> web.Response:
            raw = await request.read()
            if route.lines and request.content_type == _NDJSON:
                return await self._posted_together(request, route, raw)
            body = _decoded(raw)

            async def answer() -> Answer:
                if not _authorized(request, route.token):
                    return 401, {"error": "unauthorized", "message": "the bearer token of this service is wrong"}
                return await _answered(route, body)

            return await self._take_in(request, route.path, body, self._signature(request, raw), answer)

        return handle

    async def _posted_together(self, request: web.Request, route: Route, raw: bytes) -> web.Response:
        """Each line is kept as if it had come by itself; the answer names those that were not taken."""
        signature, lines = self._signature(request, raw), [_decoded(line) for line in raw.splitlines()]
        fault = self._faults.take(request.path)
        if fault:
            for body in lines:
                self._keep(request, route.path, body, signature, fault.status)
            return _respond(request, fault.status, {"error": "injected"}, fault.headers)
        failed: list[dict[str, Any]] = []
        for body in lines:
            status, content = await _answered(route, body)
            self._keep(request, route.path, body, signature, status)
            if status >= 300:
                failed.append({"id": _id_in(body), "reason": content["message"]})
        return _json(202, {"failed": failed} if failed else {"status": "accepted"})

    def looked_up(self, catalog: DemoCatalog, token: str | None) -> Handler:
        """The handler of the catalog."""

        async def handle(request: web.Request) -> web.Response:
            content_id = request.match_info["content_id"]

            async def answer() -> Answer:
                if not _authorized(request, token):
                    return 401, {"error": "unauthorized", "message": "the bearer token of this service is wrong"}
                entry = catalog.find(content_id)
                return (200, entry) if entry else (404, {"error": "not_found"})

            return await self._take_in(request, CATALOG, {"contentId": content_id}, Signed.UNCHECKED, answer)

        return handle

    def shown(self, path: str) -> Handler:
        """The handler that shows what a path was sent."""

        async def handle(request: web.Request) -> web.Response:
            del request
            return _json(200, self.summary(path))

        return handle

    def summary(self, path: str) -> Mapping[str, Any]:
        """`{count, received: […]}`, oldest first."""
        return {"count": self._inbox.count(path), "received": self._inbox.of(path)}

    async def _take_in(
        self,
        request: web.Request,
        path: str,
        body: Any,
        signature: Signed,
        answer: Callable[[], Awaitable[Answer]],
    ) -> web.Response:
        fault = self._faults.take(request.path)
        if fault:
            status, headers, content = fault.status, fault.headers, {"error": "injected"}
        else:
            (status, content), headers = await answer(), {}
        self._keep(request, path, body, signature, status)
        return _respond(request, status, content, headers)

    def _keep(self, request: web.Request, path: str, body: Any, signature: Signed, status: int | None) -> None:
        self._inbox.add(
            Received(
                at=self._now(),
                method=request.method,
                path=path,
                headers=kept_headers(request.headers),
                body=_masked(path, body),
                signature=signature,
                status=status,
            )
        )

    def _signature(self, request: web.Request, raw: bytes) -> Signed:
        if self._webhook is None:
            return Signed.UNCHECKED
        if "webhook-signature" not in request.headers:
            return Signed.MISSING
        try:
            self._webhook.verify(raw, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            return Signed.INVALID
        return Signed.VALID


def _respond(request: web.Request, status: int | None, content: Any, headers: Mapping[str, str]) -> web.Response:
    """The answer; without a status the connection is dropped."""
    if status is None:
        if request.transport:
            request.transport.abort()
        return web.Response(status=500)  # nobody is there to read it
    return _json(status, content, headers)


def _id_in(body: Any) -> str:
    return str(cast("dict[str, Any]", body).get("id", "")) if isinstance(body, dict) else ""


async def _answered(route: Route, body: Any) -> Answer:
    if not isinstance(body, dict):
        return 400, {"error": "bad_request", "message": "the body is not a JSON object"}
    fields = cast("dict[str, Any]", body)
    if missing := sorted(route.needs - fields.keys()):
        return 422, {"error": "unprocessable", "message": f"missing: {', '.join(missing)}"}
    return await route.answer(fields)


def _authorized(request: web.Request, token: str | None) -> bool:
    return token is None or compare_digest(
        request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()
    )


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw.decode(errors="replace")


def _masked(path: str, body: Any) -> Any:
    """Viewer tokens are not shown, not even here: somebody may point a real player at the stand-in."""
    if path == INTROSPECT and isinstance(body, dict):
        token = str(cast("dict[str, Any]", body).get("token"))
        return {"token": "sha256:" + b64encode(sha256(token.encode()).digest()[:6]).decode()}
    return body


def _json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(content), content_type="application/json", headers=headers
    )
