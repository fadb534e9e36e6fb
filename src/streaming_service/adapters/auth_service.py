"""Viewer tokens, introspected by the platform's auth service (or any RFC 7662 server)."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

import msgspec

from streaming_service.adapters.answer import Garbage, json_object, moment_field, refused, text_field
from streaming_service.adapters.caller import with_context
from streaming_service.adapters.http import Caller, Request, Response
from streaming_service.application.ports import Clock
from streaming_service.domain.access import Viewer
from streaming_service.domain.content import parse_country
from streaming_service.errors import InvalidInput, UpstreamRejected

SERVICE = "auth"

# Words by which a 4xx says that it is the viewer's token that does not count. `invalid_token` is only one of them
# outside 401 and 403: there it is RFC 6750's word for the bearer token of the request, which is our own.
_NOT_ACTIVE = frozenset(
    {
        "expired_token",
        "inactive_token",
        "revoked_token",
        "token_expired",
        "token_inactive",
        "token_not_active",
        "token_not_found",
        "token_revoked",
        "unknown_token",
    }
)


class HttpTokenService:
    """TokenService over HTTP: `POST {base_url}{path}` with `{"token": …}` and our own bearer token.

    A token is not active when the answer is 2xx with `"active": false`, or 400, 401, 403, 404, 410 or 422 with an
    `error` or `code` that says so (`token_expired`, `token_not_found`, …). A bare 404 or 401 is about our request, not
    about the viewer, and raises: a wrong path or internal token must not look like a crowd of logged-out viewers.
    """

    def __init__(
        self, caller: Caller, base_url: str, path: str, internal_token: str | None, *, timeout: float, clock: Clock
    ) -> None:
        self._caller = caller
        self._url = f"{base_url.rstrip('/')}/{path.lstrip('/')}"
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if internal_token:
            self._headers["authorization"] = f"Bearer {internal_token}"
        self._timeout = timeout
        self._clock = clock

    async def introspect(self, token: str, correlation_id: str) -> Viewer | None:
        """Who holds the token; None when it is not active.

        Raises UpstreamUnavailable on no answer, 429 and 5xx, UpstreamRejected on any other refusal and on an answer
        that makes no sense. Neither ever holds the token.
        """
        headers = with_context(self._headers, {"x-correlation-id": correlation_id})
        body = msgspec.json.encode({"token": token})
        response = await self._caller.call(
            Request("POST", self._url, headers, body, timeout=self._timeout, max_body=256 * 1024), retry=True
        )
        try:
            if response.ok:
                return _viewer(json_object(response))
            if _says_not_active(response):
                return None
        except Garbage as error:
            raise UpstreamRejected(SERVICE, f"answered without sense: {error}", status=response.status) from error
        raise refused(SERVICE, response, self._clock.now())


def _viewer(answer: Mapping[str, Any]) -> Viewer | None:
    if not _active(answer):
        return None
    expiries = [moment for field in ("expiresAt", "exp") if (moment := moment_field(answer, field))]
    return Viewer(
        user_id=text_field(answer, "userId") or text_field(answer, "sub"),
        scopes=_scopes(answer, "scopes") | _scopes(answer, "scope"),
        entitlements=_entitlements(answer.get("entitlements")),
        country=_country(answer.get("geo")),
        session_id=text_field(answer, "sessionId"),
        tenant_id=text_field(answer, "tenantId"),
        expires_at=min(expiries, default=None),
    )


def _active(answer: Mapping[str, Any]) -> bool:
    """The platform's own answers have no `active`; where it is given, only a clear yes counts."""
    active = answer.get("active", True)
    if active is True or active == "true":
        return True
    if active is False or active == "false":
        return False
    raise Garbage("active is not a boolean")


def _scopes(answer: Mapping[str, Any], field: str) -> frozenset[str]:
    """A list, or one string with spaces between them (RFC 7662)."""
    value = answer.get(field)
    return frozenset(value.split()) if isinstance(value, str) else frozenset(_strings(value, field))


def _entitlements(value: Any) -> tuple[str, ...]:
    """Content ids in canonical spelling. What cannot be read is an error: dropping it could lift the limit."""
    return tuple(_canonical(item) for item in _strings(value, "entitlements"))


def _strings(value: Any, field: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise Garbage(f"{field} is not a list of strings")
    return cast("list[str]", value)


def _canonical(content_id: str) -> str:
    try:
        return str(UUID(content_id))
    except ValueError:
        return content_id


def _country(geo: Any) -> str | None:
    """A country code, or an object that holds one as `country` or `countryCode`.

    One that is no country is an error and not unknown: for an unknown country the viewer's own claim is taken.
    """
    if isinstance(geo, dict):
        place = cast("dict[str, Any]", geo)
        geo = place.get("country") or place.get("countryCode")
    if geo is None or geo == "":
        return None
    if not isinstance(geo, str):
        raise Garbage("geo holds no country")
    try:
        return parse_country(geo, "geo")
    except InvalidInput as error:
        raise Garbage("geo is not an ISO 3166-1 alpha-2 country code") from error


def _says_not_active(response: Response) -> bool:
    if response.status not in {400, 401, 403, 404, 410, 422}:
        return False
    try:
        body = json_object(response)
    except Garbage:
        return False
    words = {word.lower().replace("-", "_") for word in (body.get("error"), body.get("code")) if isinstance(word, str)}
    about_us = response.status in {401, 403}
    return body.get("active") is False or bool(words & _NOT_ACTIVE) or ("invalid_token" in words and not about_us)
