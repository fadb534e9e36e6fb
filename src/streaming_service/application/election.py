"""Work that one process at a time may do."""

from datetime import datetime, timedelta

from streaming_service.application.ports import Clock, LeaseStore


class Election:
    """Whether this process is the one that does `job`, which it stays for as long as it asks and `term` afterwards."""

    def __init__(self, store: LeaseStore, job: str, owner: str, *, clock: Clock, term: timedelta) -> None:
        self._store = store
        self._job = job
        self._owner = owner
        self._clock = clock
        self._term = term
        self._won = False
        self._asked_at: datetime | None = None

    async def won(self) -> bool:
        """Asks the store three times a term. Raises StoreUnavailable."""
        now = self._clock.now()
        if self._asked_at is None or now - self._asked_at >= self._term / 3:
            self._won = await self._store.acquire(self._job, self._owner, now, self._term)
            self._asked_at = now
        return self._won
