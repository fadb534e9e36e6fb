"""Service tokens: who may use admin, internal and metrics routes."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from streaming_service.entrypoints.http.clients import Clients, asker_of, too_many_guesses
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.problems import Failure

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]

_MISSING = Failure(
    401,
    "missing_service_token",
    "A service token is needed: Authorization: Bearer <token>, or x-service-token.",
    headers=(("www-authenticate", "Bearer"),),
)
_WRONG = Failure(403, "wrong_service_token", "This service token is not one of ours.")
_METRICS_MISSING = Failure(
    401,
    "missing_metrics_token",
    "The metrics token is needed: Authorization: Bearer <token>.",
    headers=(("www-authenticate", "Bearer"),),
)
_METRICS_WRONG = Failure(403, "wrong_metrics_token", "This is not the metrics token.")


class Tokens:
    """Secrets to compare with, kept as hashes: equal lengths, so that comparing tells nothing about them."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = tuple(_digest(token) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accept(self, offered: str) -> bool:
        """Compares with every token, whichever matches, so that the time taken is always the same."""
        digest, found = _digest(offered), False
        for known in self._digests:
            found |= hmac.compare_digest(digest, known)
        return found


def service_guard(tokens: Sequence[str], clients: Clients) -> Guard:
    """Only callers with one of these tokens; everybody when there are none."""
    return _guard(Tokens(tokens), ("x-service-token",), _MISSING, _WRONG, clients)


def metrics_guard(token: str | None, clients: Clients) -> Guard:
    """Only callers with this token; everybody when there is none."""
    return _guard(Tokens([token] if token else []), (), _METRICS_MISSING, _METRICS_WRONG, clients)


def refuse_guess(connection: Connection, failure: Failure, clients: Clients) -> Refuse:
    """What to raise for a wrong secret. The right one is never refused for what others at its address did."""
    asker = asker_of(connection.scope)
    if wait := clients.wait(*asker):
        return Refuse(too_many_guesses(wait))
    clients.strike(*asker)
    return Refuse(failure)


def _guard(tokens: Tokens, names: Sequence[str], missing: Failure, wrong: Failure, clients: Clients) -> Guard:
    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        if not tokens:
            return
        headers = connection.headers
        offered = bearer(headers.get("authorization", "")) or next(filter(None, map(headers.get, names)), None)
        if not offered:
            raise Refuse(missing)
        if not tokens.accept(offered):
            raise refuse_guess(connection, wrong, clients)

    return guard


def bearer(authorization: str) -> str:
    """The token of an Authorization header; empty when it holds none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
