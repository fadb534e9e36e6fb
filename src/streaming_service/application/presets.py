"""Channels on OME follow the presets: once in the life of a process, a few at a time.

Published copies keep the ladder they were made with until somebody asks for a replay.
"""

from datetime import datetime

from streaming_service.application.mending import Mender
from streaming_service.application.ports import ChannelQuery, ChannelStore
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, change
from streaming_service.domain.notification import Cause
from streaming_service.domain.wish import SpecPolicy, with_presets

_PAGE = 200
_PAGES_A_PASS = 25


class Presets:
    """A walk over all channels, in pieces. `at_once` of them are changed in one pass: each waits for a new place, and
    uploads that arrive meanwhile wait behind."""

    def __init__(self, store: ChannelStore, mender: Mender, specs: SpecPolicy, at_once: int) -> None:
        self._store = store
        self._mender = mender
        self._specs = specs
        self._at_once = at_once
        self._walking = True
        self._cursor: str | None = None

    def review(self) -> None:
        """Walk again from the beginning."""
        self._walking, self._cursor = True, None

    async def advance(self, cause: Cause) -> int:
        """The next piece. How many channels got another ladder. Raises StoreUnavailable."""
        changed = 0
        for _ in range(_PAGES_A_PASS):
            if not self._walking:
                break
            page = await self._store.list(ChannelQuery(limit=_PAGE, cursor=self._cursor))
            for channel in page.items:
                if changed == self._at_once:
                    return changed  # this page again in the next pass
                changed += await self._mender.change(channel, lambda item, now: self._revise(item, now, cause))
            self._cursor = page.next
            self._walking = page.next is not None
        return changed

    def _revise(self, channel: Channel, now: datetime, cause: Cause) -> Change | None:
        if channel.serving and not channel.serving.on_ome:
            return None
        revised = with_presets(channel, self._specs, now)
        return revised and change(revised, "preset-changed", cause)
