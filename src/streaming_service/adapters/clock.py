"""What time it is: this machine's clock, or one that all processes of an installation share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

_COMPARED_EVERY_S = 30.0
# A machine that is off by more is worth a word to whoever runs it.
_TOLD_FROM_S = 1.0


class WallClock:
    """UTC now by this machine, and real pauses."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def running_seconds() -> float:
    """Seconds since this machine was started, also those in which it slept: nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class SharedClock:
    """The store's time, so that leases and due times of one process mean the same to every other.

    `ask` gives the store's time, None when the store has no clock but this machine's; until the first answer, and
    then for ever, it is this machine's time. Between comparisons it runs on by itself, whatever is done to the wall
    clock; its error is at most what a question takes.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[datetime | None]],
        *,
        wall: Callable[[], float] = time.time,
        running: Callable[[], float] = running_seconds,
    ) -> None:
        self._ask = ask
        self._wall = wall
        self._running = running
        self._started_at: float | None = None
        self._told = False

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def time(self) -> float:
        """Unix seconds."""
        return self._wall() if self._started_at is None else self._started_at + self._running()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def compare(self) -> None:
        """Ask the store what time it is. Raises StoreUnavailable."""
        asked = self._running()
        theirs = await self._ask()
        if theirs is None:
            return
        # The answer was made somewhere in between: what is known and possible stays, so that time does not jitter.
        earliest, latest = theirs.timestamp() - self._running(), theirs.timestamp() - asked
        known = (earliest + latest) / 2 if self._started_at is None else self._started_at
        self._started_at = min(max(known, earliest), latest)
        self._tell(self._wall() - self.time())

    async def keep_right(self) -> None:
        """Compare now and then, until cancelled. While the store does not answer, time goes on as it did."""
        while True:
            await asyncio.sleep(_COMPARED_EVERY_S)
            try:
                await self.compare()
            except StoreError as error:
                log.warning("store does not answer", job="clock", reason=str(error))

    def _tell(self, ahead: float) -> None:
        wrong = abs(ahead) > _TOLD_FROM_S
        if wrong and not self._told:
            log.warning("this machine's clock is off, the store's is used: mend its NTP", seconds_ahead=round(ahead, 1))
        self._told = wrong
