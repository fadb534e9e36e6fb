"""Random access to uploads, wherever they lie. Everything here blocks: it runs on the inspector's threads."""

from contextlib import AbstractContextManager
from typing import Protocol

from streaming_service.domain.source import ObjectUri


class StoredObject(Protocol):
    """One open object; `size` in bytes."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end. Raises as `ObjectReader.open` does."""
        ...


class ObjectReader(Protocol):
    """A place where objects lie."""

    def serves(self, bucket: str) -> bool:
        """Is this the place to look for objects of that bucket?"""
        ...

    def open(self, uri: ObjectUri) -> AbstractContextManager[StoredObject]:
        """Raises NotFound, UpstreamUnavailable("storage", …), or UpstreamRejected when we may not read it."""
        ...
