"""Objects of the manifest bucket, wherever it lies. Everything here blocks: it runs on the bucket's own threads."""

from collections.abc import Mapping
from typing import Protocol


class ObjectFolder(Protocol):
    """One bucket. Keys are relative to it, prefixes end with `/`.

    Trouble with the store is UpstreamUnavailable("storage", …); a bucket that is not there, or that we may not use so,
    is UpstreamRejected("storage", …).
    """

    def list(self, prefix: str, at_most: int) -> Mapping[str, int]:
        """Names directly below the prefix, without it, and their sizes in bytes; empty when nothing is there."""
        ...

    def read(self, key: str, at_most: int) -> bytes:
        """The first bytes of an object, all of them unless it is larger. Raises NotFound."""
        ...

    def write(self, key: str, data: bytes, content_type: str, cache_control: str) -> None:
        """Create or replace an object: a reader sees the old one or the new one, never a part.

        Raises NotFound where a folder is needed and there is none: whoever makes the copy makes it.
        """
        ...

    def delete_some(self, prefix: str, at_most: int) -> bool:
        """Delete up to so many objects below the prefix. True when nothing is left."""
        ...

    def check(self) -> None:
        """Raises when objects cannot be listed, read, written and deleted here, as far as can be told for free."""
        ...

    def close(self) -> None: ...
