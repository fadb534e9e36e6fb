"""Signed manifest URLs for those who are told about a content: callbacks and cache warm-ups."""

from collections.abc import Callable
from datetime import UTC, datetime

from streaming_service.domain.clock import to_wire
from streaming_service.domain.signing.scheme import Signer


class ManifestIssuer:
    """`base_url` of the CDN, `ttl` in seconds; `time` gives Unix seconds."""

    def __init__(self, signer: Signer, *, base_url: str, ttl: int, time: Callable[[], float]) -> None:
        self._signer = signer
        self._base_url = base_url
        self._ttl = ttl
        self._time = time

    def issue(self, manifest_path: str, base_url: str | None) -> tuple[str, str]:
        """A URL that is good from now on, and its expiry on the wire. `base_url` overrides the CDN's."""
        expires = int(self._time()) + self._ttl
        url = f"{base_url or self._base_url}{manifest_path}"
        grant = self._signer.sign(url[: url.rindex("/") + 1], expires)
        return f"{url}?{grant.query}", to_wire(datetime.fromtimestamp(expires, UTC))
