"""Why there is no manifest, in words and headers."""

from streaming_service.application.playback import Refused
from streaming_service.domain.access import HTTP_STATUS, Refusal
from streaming_service.entrypoints.http.problems import Failure, retry_after

DETAILS: dict[Refusal, str] = {
    Refusal.NO_TOKEN: "A viewer token is needed: Authorization: Bearer <token>.",
    Refusal.INACTIVE_TOKEN: "The viewer token is not active (any more).",
    Refusal.MISSING_SCOPE: "The viewer token does not have the scope streams.read.",
    Refusal.NOT_ENTITLED: "The viewer token does not entitle to this content.",
    Refusal.UNKNOWN_CONTENT: "There is no such content.",
    Refusal.NOT_READY: "The content is not ready to be played yet.",
    Refusal.NOT_YET_AVAILABLE: "The content is not available yet.",
    Refusal.RETIRED: "The content was retired.",
    Refusal.NO_LONGER_AVAILABLE: "The content is no longer available.",
    Refusal.COUNTRY_BLOCKED: "The content may not be watched in the viewer's country.",
    Refusal.TOKEN_SERVICE_FAILED: "The token service refused to check the viewer token.",
    Refusal.TOKEN_SERVICE_UNAVAILABLE: "The token service does not answer.",
    Refusal.STORE_UNAVAILABLE: "The store does not answer, and this content is not known here yet.",
}


def failure_of(refused: Refused) -> Failure:
    """The refusal as a problem with its headers."""
    refusal = refused.refusal
    status = HTTP_STATUS[refusal]
    headers = () if refused.retry_after is None else retry_after(refused.retry_after)
    if status == 401:
        challenge = "Bearer" if refusal is Refusal.NO_TOKEN else 'Bearer error="invalid_token"'
        headers = (*headers, ("www-authenticate", challenge))
    return Failure(status, refusal.value, DETAILS[refusal], headers=headers)
