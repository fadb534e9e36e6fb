"""What each stand-in service answers to what."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from streaming_service.devkit.platform.tokens import DemoTokens
from streaming_service.domain.analytics import check_envelope
from streaming_service.domain.clock import to_wire
from streaming_service.errors import InvalidInput

INTROSPECT = "/auth/api/v1/auth/introspect"
CATALOG = "/content/internal/catalog/media"
CALLBACK = "/content/callback"
GATEWAY_WARMUP = "/gateway/warmup"
CDN_PURGE = "/cdn/purge"
CDN_WARMUP = "/cdn/warmup"
CDN_FAILOVER = "/cdn/failover"
CDN_VALIDATE = "/cdn/traffic-director/validate"
OBSERVABILITY = "/observability"
BIGQUERY = "/bigquery"

Body = Mapping[str, Any]
Answer = tuple[int, Any]
OnPurge = Callable[[str], object]
# The URL to warm, and the Cookie header that it needs, if any.
OnWarmup = Callable[[str, str], Awaitable[object]]


class Route(Struct, frozen=True):
    """One POST route: the fields that its body must have, who may ask, and its answer. `lines`: it also takes many
    bodies at once, one a line."""

    path: str
    needs: frozenset[str]
    answer: Callable[[Body], Awaitable[Answer]]
    token: str | None = None
    lines: bool = False


class Routes:
    """The table, over the state that it answers from."""

    def __init__(
        self,
        tokens: DemoTokens,
        now: Callable[[], float],
        *,
        auth_token: str | None,
        cdn_token: str | None,
        on_purge: OnPurge | None,
        on_warmup: OnWarmup | None,
    ) -> None:
        self._tokens = tokens
        self._now = now
        self._auth_token = auth_token
        self._cdn_token = cdn_token
        self._on_purge = on_purge
        self._on_warmup = on_warmup

    def table(self) -> tuple[Route, ...]:
        """Every POST route."""
        cdn = self._cdn_token
        callback = {"contentId", "manifestUrl", "channelId", "expiresAt", "checksum"}
        return (
            Route(INTROSPECT, frozenset({"token"}), self._introspect, self._auth_token),
            Route(CALLBACK, frozenset(callback), _accept),
            Route(GATEWAY_WARMUP, frozenset({"manifestUrl", "cacheKey"}), _accept),
            Route(CDN_PURGE, frozenset({"path"}), self._purge, cdn),
            Route(CDN_WARMUP, frozenset({"url"}), self._warm_up, cdn),
            Route(CDN_FAILOVER, frozenset({"path", "ingestRegion"}), _accept, cdn),
            Route(CDN_VALIDATE, frozenset(), self._validate, cdn),
            Route(OBSERVABILITY, frozenset({"event"}), _accept),
            Route(BIGQUERY, frozenset({"id", "event", "payload", "emittedAt"}), _keep_envelope, lines=True),
        )

    async def _introspect(self, body: Body) -> Answer:
        return 200, self._tokens.introspect(str(body["token"]))

    async def _purge(self, body: Body) -> Answer:
        if self._on_purge:
            self._on_purge(str(body["path"]))
        return await _accept(body)

    async def _warm_up(self, body: Body) -> Answer:
        if self._on_warmup:
            cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in body.get("cookies", ()))
            await self._on_warmup(str(body["url"]), cookies)
        return await _accept(body)

    async def _validate(self, body: Body) -> Answer:
        del body
        moment = to_wire(datetime.fromtimestamp(self._now(), UTC))
        return 200, {"cluster": "stand-in", "healthy": True, "validatedAt": moment}


async def _keep_envelope(body: Body) -> Answer:
    """As strict as a table whose readers rely on it: docs/analytics.md."""
    try:
        check_envelope(body)
    except InvalidInput as error:
        return 422, {"error": "unprocessable", "message": str(error)}
    return await _accept(body)


async def _accept(body: Body) -> Answer:
    del body
    return 202, {"status": "accepted"}
