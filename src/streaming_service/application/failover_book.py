"""Where viewers are sent, as the store has it: a copy in memory that is never older than a moment, and writing."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from streaming_service.application.ports import ChannelStore, Clock, FailoverStore
from streaming_service.domain.failover import WHOLE, Mode, Standing, new_standing
from streaming_service.domain.failover_notices import EVERYTHING, FailoverNotices
from streaming_service.domain.notification import Cause, Notification
from streaming_service.domain.state import Status
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

# So long the clock of whoever wrote may be behind, or the writing may take: a job of the store takes 15 s at most.
_OVERLAP = timedelta(seconds=20)
_READ_ALL = timedelta(seconds=60)


class BookStore(ChannelStore, FailoverStore, Protocol):
    """What the book is kept in."""


class FailoverBook:
    """`wake_delivery` is called when something is owed."""

    def __init__(
        self, *, store: BookStore, notices: FailoverNotices, clock: Clock, wake_delivery: Callable[[], None]
    ) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock
        self._wake_delivery = wake_delivery
        self._standings: dict[str, Standing] = {}
        self._away: dict[str, Standing] = {}
        self._read_at: datetime | None = None
        self._read_all_at: datetime | None = None
        self._silent = False

    def standing(self, subject: str) -> Standing:
        """As far as this process knows."""
        return self._standings.get(subject) or new_standing(subject, self._clock.now())

    def known(self) -> tuple[Standing, ...]:
        """Every one that there is something to know about."""
        return tuple(item for item in self._standings.values() if item.active)

    def leads_away(self, content_id: str, viewer: str) -> bool:
        """Whether the viewer goes to the failover: because all do, or those of this content."""
        away = self._away
        if not away:
            return False
        whole, own = away.get(WHOLE), away.get(content_id)
        if whole is None and own is None:
            return False
        now = self._clock.now()
        return (whole is not None and whole.leads_away(viewer, now)) or (
            own is not None and own.leads_away(viewer, now)
        )

    async def path_of(self, subject: str) -> tuple[str | None, str | None]:
        """What the CDN is told to send elsewhere, and the ingest region; no path when nothing is served."""
        if subject == WHOLE:
            return EVERYTHING, None
        channel = await self._store.get(subject)
        if channel is None or channel.serving is None:
            return None, None
        return f"{channel.serving.path}*", channel.spec.ingest_region

    async def is_gone(self, subject: str) -> bool:
        """Whether nobody can watch it ever again: it is retired, or no longer in the store. What has lost its stream is
        not gone, it is started again. Raises StoreError."""
        if subject == WHOLE:
            return False
        channel = await self._store.get(subject)
        return channel is None or channel.status is Status.RETIRED

    async def write(
        self,
        before: Standing,
        after: Standing,
        path: str,
        region: str | None,
        cause: Cause,
        audit: tuple[Notification, ...] = (),
    ) -> Standing:
        """With what it owes; this process follows at once. Raises Conflict or StoreUnavailable."""
        owed = (*audit, *self._notices.of(before, after, path, region, cause))
        written = await self._store.commit_failover(after, owed)
        self._learn(written)
        if owed:
            self._wake_delivery()
        return written

    async def reload(self, subject: str) -> Standing:
        """What stands in the store, known or not. Raises StoreError."""
        found = await self._store.get_failover(subject)
        if found is not None:
            self._learn(found)
        return self.standing(subject)

    async def refresh(self) -> None:
        """Learn what was changed lately, and now and then, or after an outage, everything. Raises StoreError."""
        now = self._clock.now()
        lately = self._read_at is not None and now - self._read_at < _OVERLAP / 2
        everything = not lately or self._read_all_at is None or now - self._read_all_at >= _READ_ALL
        found = await self._store.failovers(None if everything else now - _OVERLAP)
        if everything:
            self._forget({item.subject for item in found}, now - _OVERLAP)
            self._read_all_at = now
        for standing in found:
            self._learn(standing)
        self._read_at = now

    async def keep_fresh(self, interval: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        """For ever; while the store is down what is known stays."""
        while True:
            await sleep(interval)
            try:
                await self.refresh()
            except StoreError as error:
                if not self._silent:
                    log.warning("store does not answer, viewers are sent where they were", reason=str(error))
                self._silent = True
            else:
                self._silent = False

    def _learn(self, standing: Standing) -> None:
        known = self._standings.get(standing.subject)
        if known is not None and known.version >= standing.version:
            return
        self._standings[standing.subject] = standing
        if standing.mode is Mode.PRIMARY:
            self._away.pop(standing.subject, None)
        else:
            self._away[standing.subject] = standing

    def _forget(self, listed: set[str], before: datetime) -> None:
        """What is not worth knowing any more. What was written a moment ago may not have been listed yet."""
        for subject, standing in list(self._standings.items()):
            if subject not in listed and standing.changed_at < before:
                del self._standings[subject]
                self._away.pop(subject, None)
