"""Who may push events: whoever has a service token, and Pub/Sub itself with Google's token."""

from collections.abc import Sequence
from typing import Protocol

import structlog
from litestar.handlers import BaseRouteHandler
from structlog.typing import FilteringBoundLogger

from streaming_service.domain.push_token import ForeignToken, InvalidToken
from streaming_service.entrypoints.http.auth import Connection, Guard, Tokens, bearer, refuse_guess, service_guard
from streaming_service.entrypoints.http.clients import Clients
from streaming_service.entrypoints.http.failures import Refuse
from streaming_service.entrypoints.http.problems import Failure

log: FilteringBoundLogger = structlog.get_logger(__name__)

_CHALLENGE = (("www-authenticate", "Bearer"),)
_MISSING = Failure(
    401,
    "missing_push_token",
    "A token of Google's or a service token is needed: Authorization: Bearer <token>, or x-service-token.",
    headers=_CHALLENGE,
)
_INVALID = Failure(401, "invalid_push_token", "This is not a valid token of Google's.", headers=_CHALLENGE)
_FOREIGN = Failure(403, "foreign_push_token", "This token is for another audience, or of another account.")


class PushTokens(Protocol):
    """Knows Google's tokens."""

    async def check(self, token: str) -> None:
        """Raises InvalidToken, ForeignToken, or UpstreamUnavailable when it cannot be told."""
        ...


def push_guard(tokens: Sequence[str], google: PushTokens | None, clients: Clients) -> Guard:
    """Service tokens alone without `google`. With it somebody has to have one of the two, service tokens set or not."""
    alone = service_guard(tokens, clients)
    if google is None:
        return alone
    ours = Tokens(tokens)

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        offered = bearer(connection.headers.get("authorization", ""))
        if not offered and not connection.headers.get("x-service-token"):
            raise Refuse(_MISSING)
        if ours and (ours.accept(offered) or not _is_signed(offered)):
            await alone(connection, handler)
            return
        try:
            await google.check(offered)
        except (InvalidToken, ForeignToken) as error:
            log.warning("push refused", reason=f"the token {error}")
            failure = _INVALID if isinstance(error, InvalidToken) else _FOREIGN
            raise refuse_guess(connection, failure, clients) from error

    return guard


def _is_signed(token: str) -> bool:
    """It has the form of a signed token, and is no shared secret that was mistyped."""
    return token.count(".") == 2
