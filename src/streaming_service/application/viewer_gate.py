"""May somebody play directly from OME? The same rules as for a manifest, asked with the token in the URL."""

from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from streaming_service.application.admission import Verdict
from streaming_service.application.playback import Refused
from streaming_service.application.title import ManifestAnswer
from streaming_service.context import correlation_id
from streaming_service.domain.ome_webhook import Admission
from streaming_service.domain.placement import owner_of

_TOKENS = ("token", "access_token")


class BoxOffice(Protocol):
    """Decides about manifests."""

    async def manifest(
        self, content_id: str, token: str | None, quality: str, claimed_country: str | None, correlation_id: str
    ) -> ManifestAnswer | Refused:
        """Raises nothing."""
        ...


class ViewerGate:
    """Lets in who would be given a manifest. The token comes as `?token=` of what is played."""

    def __init__(self, box_office: BoxOffice, *, prefix: str) -> None:
        self._box_office = box_office
        self._prefix = prefix

    async def admit(self, asked: Admission) -> Verdict:
        """Raises nothing. Streams that are no content's are nobody's to watch."""
        content_id = owner_of(self._prefix, asked.target[1])
        if content_id is None:
            return Verdict(allowed=False, reason="is no content")
        # Where somebody is, the token says; a viewer may not choose it.
        answer = await self._box_office.manifest(content_id, _token(asked.url), "auto", None, correlation_id.get())
        return Verdict(allowed=False, reason=answer.refusal) if isinstance(answer, Refused) else Verdict(allowed=True)


def _token(url: str) -> str | None:
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        return None
    return next((query[name][0] for name in _TOKENS if name in query), None)
