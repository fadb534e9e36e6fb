"""A real store in the hands of a test: it can be made to fail, and it remembers what it was told."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, cast

from streaming_service.application.ports import Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change
from streaming_service.domain.notification import Notification
from tests.fakes import Faults, FragileStore


class Watched:
    """Any store as a `FragileStore`; calls that are not about channels or debts go straight through.

    written         every change that was committed, in order
    debts           every debt that was committed, by id
    before_release  happens once, between the end of some work and the return of its lease
    """

    def __init__(self, store: Store) -> None:
        self.faults = Faults()
        self.written: list[Channel] = []
        self.debts: dict[str, Notification] = {}
        self.before_release: Callable[[], Awaitable[None]] | None = None
        self._store = store
        self._moments: dict[str, tuple[datetime | None, datetime | None]] = {}
        self._versions: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fragile(self) -> FragileStore:
        """For a World."""
        return cast("FragileStore", self)

    async def get(self, content_id: str) -> Channel | None:
        self.faults.before("store.get")
        return await self._store.get(content_id)

    async def commit(self, change: Change, due_at: datetime | None) -> Channel:
        self.faults.before("store.commit")
        written = await self._store.commit(change, due_at)
        self.written.append(written)
        for item in change.notifications:
            assert item.id not in self.debts, f"the debt {item.topic} of {item.content_id} was given a known id"
            self.debts[item.id] = item
        self._moments[written.content_id] = due_at, written.queue_at
        self._versions[written.content_id] = written.version
        self.faults.after()
        return written

    async def owe(self, notifications: Sequence[Notification]) -> None:
        self.faults.before("store.owe")
        await self._store.owe(notifications)
        self.debts |= {item.id: item for item in notifications}
        self.faults.after()

    async def release(
        self, content_id: str, owner: str, version: int, due_at: datetime | None, queue_at: datetime | None = None
    ) -> None:
        if self.before_release:
            meddle, self.before_release = self.before_release, None
            await meddle()
        await self._store.release(content_id, owner, version, due_at, queue_at)
        if self._versions.get(content_id) == version:
            queued = self._moments[content_id][1]
            self._moments[content_id] = due_at, queued and (queue_at or queued)

    def due(self) -> list[datetime]:
        """When channels are due, or may be placed, the earliest first."""
        return sorted(moment for moments in self._moments.values() for moment in moments if moment)

    def everything_owed(self) -> list[Notification]:
        return list(self.debts.values())
