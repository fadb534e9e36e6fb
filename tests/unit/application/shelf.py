"""A shelf of contents, each of which says how often it was changed; and titles that are read from it."""

import asyncio
from collections import Counter

from msgspec.structs import replace

from streaming_service.application.title import ManifestPolicy, Title
from streaming_service.application.titles import Titles
from streaming_service.domain.channel import Channel
from streaming_service.domain.playable import Playable
from streaming_service.errors import StoreError
from tests.contract.store.builders import channel, content_id

_POLICIES = (ManifestPolicy("private", 300, failover=False),)


class Shelf:
    """Answers as a store does. While `held`, each read waits; `late`: it then answers with what was there when it was
    asked, and not when it was let go."""

    def __init__(self, *numbers: int) -> None:
        self.now = 1000.0
        self.reads = 0
        self.down: StoreError | None = None
        self.held: asyncio.Event | None = None
        self.late = False
        self._changes = Counter[str]({content_id(number): 1 for number in numbers})

    def change(self, number: int) -> None:
        self._changes[content_id(number)] += 1

    def remove(self, number: int) -> None:
        del self._changes[content_id(number)]

    async def get(self, content_id: str) -> Channel | None:
        self.reads += 1
        late, before = self.late, self._as_it_is(content_id)
        if self.held:
            await self.held.wait()
        if self.down:
            raise self.down
        return before if late else self._as_it_is(content_id)

    def titles(self, *, capacity: int = 100, patience: float = 0.001) -> Titles:
        """Believes for a second what it is not told of."""
        return Titles(
            self,
            prepared,
            lambda: self.now,
            playlist="master",
            freshness=1.0,
            patience=patience,
            capacity=capacity,
        )

    def _as_it_is(self, content_id: str) -> Channel | None:
        changes = self._changes.get(content_id)
        if changes is None:
            return None
        shown = channel()
        return replace(shown, spec=replace(shown.spec, content_id=content_id, base_url=f"https://{changes}"))


def changes_of(title: Title | None) -> int | None:
    """How often the content had been changed, as this title shows it."""
    return None if title is None else int((title.facts.base_url or "").removeprefix("https://"))


def prepared(content_id: str, facts: Playable) -> Title:
    """For a CDN without a failover."""
    return Title(content_id, facts, ("https://cdn.example", None), _POLICIES)
