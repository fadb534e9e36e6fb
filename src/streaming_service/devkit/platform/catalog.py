"""The stand-in content service's catalog."""

from collections.abc import Mapping
from typing import Any


class DemoCatalog:
    """Has every content, except those that a test took out, and with the details that a test gave."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}
        self._missing: set[str] = set()

    def put(self, content_id: str, **fields: Any) -> None:
        """Answer with these fields beside the id, for example `availability={"start": …, "end": …}`."""
        self._entries[content_id] = fields
        self._missing.discard(content_id)

    def remove(self, content_id: str) -> None:
        """Not in the catalog (yet)."""
        self._missing.add(content_id)

    def find(self, content_id: str) -> Mapping[str, Any] | None:
        """The entry as the content service answers it, None for 404."""
        if content_id in self._missing:
            return None
        fields = self._entries.get(content_id, {})
        return {"id": content_id, "slug": f"content-{content_id[:8]}", "playback": {"status": "pending"}} | fields
