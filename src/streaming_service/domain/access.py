"""Who may watch what now. Every refusal has a stable code; nothing fails open."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from streaming_service.domain.content import AvailabilityWindow, GeoRestrictions

READ_SCOPE = "streams.read"


class Viewer(Struct, frozen=True):
    """What the token service says about a token. `entitlements` is None or empty when it names none."""

    user_id: str | None
    scopes: frozenset[str]
    entitlements: tuple[str, ...] = ()
    country: str | None = None
    session_id: str | None = None
    tenant_id: str | None = None
    expires_at: datetime | None = None


class Refusal(StrEnum):
    """Why a viewer gets no manifest; the value is the wire `code` and the metric's `result`."""

    NO_TOKEN = "no_token"
    INACTIVE_TOKEN = "inactive_token"
    MISSING_SCOPE = "missing_scope"
    NOT_ENTITLED = "not_entitled"
    UNKNOWN_CONTENT = "unknown_content"
    NOT_READY = "not_ready"
    NOT_YET_AVAILABLE = "not_yet_available"
    RETIRED = "retired"
    NO_LONGER_AVAILABLE = "no_longer_available"
    COUNTRY_BLOCKED = "country_blocked"
    TOKEN_SERVICE_FAILED = "token_service_failed"
    TOKEN_SERVICE_UNAVAILABLE = "token_service_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"


HTTP_STATUS: dict[Refusal, int] = {
    Refusal.NO_TOKEN: 401,
    Refusal.INACTIVE_TOKEN: 401,
    Refusal.MISSING_SCOPE: 403,
    Refusal.NOT_ENTITLED: 403,
    Refusal.UNKNOWN_CONTENT: 404,
    Refusal.NOT_READY: 409,
    Refusal.NOT_YET_AVAILABLE: 409,
    Refusal.RETIRED: 410,
    Refusal.NO_LONGER_AVAILABLE: 410,
    Refusal.COUNTRY_BLOCKED: 451,
    Refusal.TOKEN_SERVICE_FAILED: 502,
    Refusal.TOKEN_SERVICE_UNAVAILABLE: 503,
    Refusal.STORE_UNAVAILABLE: 503,
}


# What somebody gets who tries tokens or content ids.
GUESSES = frozenset({Refusal.INACTIVE_TOKEN, Refusal.UNKNOWN_CONTENT})


def check_viewer(viewer: Viewer, now: datetime) -> Refusal | None:
    """The part of the decision that needs no content."""
    if viewer.expires_at is not None and viewer.expires_at <= now:
        return Refusal.INACTIVE_TOKEN
    if READ_SCOPE not in viewer.scopes:
        return Refusal.MISSING_SCOPE
    return None


def check_content(
    content_id: str,
    window: AvailabilityWindow | None,
    geo: GeoRestrictions | None,
    viewer: Viewer,
    claimed_country: str | None,
    now: datetime,
    *,
    entitlement_required: bool = False,
) -> Refusal | None:
    """The part that compares a viewer with a content. None means yes.

    A country in the token beats the claimed one: a viewer may not choose where it is. With restrictions set, an
    unknown country is refused.
    """
    entitlements = viewer.entitlements
    if (entitlements or entitlement_required) and content_id not in entitlements:
        return Refusal.NOT_ENTITLED
    if geo and not _country_allowed(geo, viewer.country or claimed_country):
        return Refusal.COUNTRY_BLOCKED
    if window:
        if window.ends_at and now >= window.ends_at:
            return Refusal.NO_LONGER_AVAILABLE
        if window.starts_at and now < window.starts_at:
            return Refusal.NOT_YET_AVAILABLE
    return None


def _country_allowed(geo: GeoRestrictions, country: str | None) -> bool:
    if not geo.allow and not geo.deny:
        return True
    if country is None or country in geo.deny:
        return False
    return not geo.allow or country in geo.allow
