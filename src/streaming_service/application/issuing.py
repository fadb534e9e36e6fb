"""Signed manifests for those who are told about a content: callbacks and cache warm-ups."""

from collections.abc import Callable
from datetime import UTC, datetime

from streaming_service.domain.clock import to_wire
from streaming_service.domain.rendering import SignedManifest
from streaming_service.domain.signing.scheme import Signer, on_the_wire


class ManifestIssuer:
    """`base_url` of the CDN, `ttl` in seconds; `time` gives Unix seconds."""

    def __init__(self, signer: Signer, *, base_url: str, ttl: int, time: Callable[[], float]) -> None:
        self._signer = signer
        self._base_url = base_url
        self._ttl = ttl
        self._time = time

    def issue(self, manifest_path: str, base_url: str | None) -> SignedManifest:
        """A grant that is good from now on. `base_url` overrides the CDN's."""
        expires = int(self._time()) + self._ttl
        folder, _, name = f"{base_url or self._base_url}{manifest_path}".rpartition("/")
        grant = self._signer.sign(f"{folder}/", expires)
        expires_at = to_wire(datetime.fromtimestamp(expires, UTC))
        return SignedManifest(grant.url(name), expires_at, on_the_wire(grant.cookies, expires_at))
