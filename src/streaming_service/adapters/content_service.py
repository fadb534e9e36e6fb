"""The content service's catalog."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from streaming_service.adapters.answer import Garbage, json_object, moment_field, refused, text_field
from streaming_service.adapters.caller import with_context
from streaming_service.adapters.http import Caller, Request
from streaming_service.application.ports import CatalogEntry, Clock
from streaming_service.domain.content import AvailabilityWindow
from streaming_service.errors import UpstreamRejected

SERVICE = "content"


class HttpCatalog:
    """Catalog over HTTP: `GET {base_url}/internal/catalog/media/{contentId}` with our bearer token.

    The answer is `{id, slug?, availability?{start?, end?}, playback?{status}}`; 404: not in the catalog (yet).
    """

    def __init__(
        self, caller: Caller, base_url: str, internal_token: str | None, *, timeout: float, clock: Clock
    ) -> None:
        self._caller = caller
        self._url = f"{base_url.rstrip('/')}/internal/catalog/media/"
        self._headers = {"accept": "application/json"}
        if internal_token:
            self._headers["authorization"] = f"Bearer {internal_token}"
        self._timeout = timeout
        self._clock = clock

    async def find(self, content_id: str, correlation_id: str) -> CatalogEntry | None:
        """None when it is not in the catalog (yet).

        Raises UpstreamUnavailable on no answer, 429 and 5xx, UpstreamRejected on any other refusal and on an answer
        that makes no sense.
        """
        headers = with_context(self._headers, {"x-correlation-id": correlation_id})
        url = self._url + quote(content_id, safe="")
        response = await self._caller.call(Request("GET", url, headers, timeout=self._timeout), retry=True)
        if response.status == 404:
            return None
        if not response.ok:
            raise refused(SERVICE, response, self._clock.now())
        try:
            return _entry(json_object(response), content_id)
        except Garbage as error:
            raise UpstreamRejected(SERVICE, f"answered without sense: {error}", status=response.status) from error


class NullCatalog:
    """Stands in when no content service is configured: everything is in the catalog, without a window."""

    async def find(self, content_id: str, correlation_id: str) -> CatalogEntry | None:
        """An entry for every id."""
        del correlation_id
        return CatalogEntry(content_id)


def _entry(answer: Mapping[str, Any], content_id: str) -> CatalogEntry:
    if (text_field(answer, "id") or "").lower() != content_id.lower():
        raise Garbage("id is not the one that was asked for")
    return CatalogEntry(content_id, text_field(answer, "slug"), _window(answer.get("availability")))


def _window(value: Any) -> AvailabilityWindow | None:
    """An end that cannot be read is an error: leaving it out would open the window."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Garbage("availability is not an object")
    window = cast("dict[str, Any]", value)
    starts_at, ends_at = moment_field(window, "start"), moment_field(window, "end")
    return AvailabilityWindow(starts_at, ends_at) if starts_at or ends_at else None
