"""Viewer tokens that the stand-in auth service knows."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from streaming_service.domain.access import READ_SCOPE
from streaming_service.domain.clock import to_wire

_HOUR = 3600.0


def demo_answers(now: float) -> dict[str, dict[str, Any]]:
    """The tokens of `make run`, as an introspection at `now` (Unix seconds) answers them."""
    later = _moment(now + _HOUR)
    allowed = {"scopes": [READ_SCOPE], "entitlements": [], "expiresAt": later}
    return {
        "viewer-demo": {"userId": "demo", **allowed},
        "viewer-us": {"userId": "demo-us", "geo": "US", **allowed},
        "viewer-de": {"userId": "demo-de", "geo": {"country": "DE"}, **allowed},
        "viewer-no-scope": {"userId": "demo-no-scope", **allowed, "scopes": ["profile.read"]},
        "viewer-expired": {"userId": "demo-expired", **allowed, "expiresAt": _moment(now - _HOUR)},
    }


class DemoTokens:
    """The demo tokens and those that a test adds; everything else is not active."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._added: dict[str, dict[str, Any]] = {}
        self._revoked: set[str] = set()

    def add(self, token: str, answer: Mapping[str, Any]) -> None:
        """Answer this token's introspection with `answer`, in the platform's shape or RFC 7662's."""
        self._added[token] = dict(answer)
        self._revoked.discard(token)

    def revoke(self, token: str) -> None:
        """From now on the token is not active."""
        self._revoked.add(token)

    def introspect(self, token: str) -> dict[str, Any]:
        """The introspection's answer."""
        if token in self._revoked:
            return {"active": False}
        return self._added.get(token) or demo_answers(self._now()).get(token, {"active": False})

    def listing(self) -> dict[str, dict[str, Any]]:
        """The demo tokens, for a person who looks for one; added ones may be somebody's and are not shown."""
        return {token: answer for token, answer in demo_answers(self._now()).items() if token not in self._revoked}


def _moment(unix: float) -> str:
    return to_wire(datetime.fromtimestamp(unix, UTC))
