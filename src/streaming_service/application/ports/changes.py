"""How a process hears what others write."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class ChangeFeed(Protocol):
    """Tells which channels were written since it was opened, by whomever."""

    async def wait(self, seconds: float) -> None:
        """Until there is something to tell, or `seconds` have passed. A feed that cannot know waits all of them, or
        longer where asking has a price. Raises StoreError."""
        ...

    async def told(self) -> frozenset[str]:
        """Content ids that were written since this was asked last; every write that was confirmed to its writer before
        this is called is among them. Raises StoreError when something may have been missed: open another one."""
        ...


class ChangeSource(Protocol):
    """Where channels are kept."""

    def changes(self) -> AbstractAsyncContextManager[ChangeFeed]:
        """A feed of what is written from the moment on in which it is open. Entering raises StoreError."""
        ...
