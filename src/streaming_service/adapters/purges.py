"""Purges, the way CDNs can bear them and viewers need them."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from streaming_service.application.ports import Clock, Courier, Receipt
from streaming_service.domain.notification import Notification

PURGES_A_MINUTE = 500
_MINUTE = 60.0
# A purge and an answer of the origin that is on its way race: the old answer may be cached right after the purge.
_AGAIN_AFTER_S = 2.0
# Longer than this a delivery is rather put off than kept in hand.
_PATIENCE_S = 5.0
_REMEMBERED = 10_000


class PurgeCourier:
    """Courier for CDN control that hands everything on to `inner`, and purges

    - at most `limit` times a minute, counted over any sixty seconds: what does not fit is answered 429, with the wait;
    - twice, two seconds apart;
    - not again for a path that was purged after the debt was made.

    One process may do this at a time; `monotonic` gives seconds.
    """

    def __init__(
        self,
        inner: Courier,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        limit: int = PURGES_A_MINUTE,
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._budget = _Budget(limit, monotonic)
        self._purged: OrderedDict[str, _Purge] = OrderedDict()

    async def deliver(self, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        if notification.topic != "cdn.purge":
            return await self._inner.deliver(notification, body)
        path: str = body["path"]
        done = self._purged.get(path)
        if done and done.began_at > notification.occurred_at:
            return Receipt(True, done.status, "a later purge of this path has done it")
        first = await self._purge(path, notification, body)
        if not first.ok:
            return first
        await self._clock.sleep(_AGAIN_AFTER_S)
        return await self._purge(path, notification, body)

    async def _purge(self, path: str, notification: Notification, body: Mapping[str, Any]) -> Receipt:
        wait = self._budget.take()
        if wait > _PATIENCE_S:
            return Receipt(False, 429, f"{self._budget.limit} purges a minute are used up", retry_after=wait)
        await self._clock.sleep(wait)
        began_at = self._clock.now()
        receipt = await self._inner.deliver(notification, body)
        if receipt.ok:
            self._purged[path] = _Purge(began_at, receipt.status)
            self._purged.move_to_end(path)
            if len(self._purged) > _REMEMBERED:
                self._purged.popitem(last=False)
        return receipt


class _Purge(Struct, frozen=True):
    began_at: datetime
    status: int | None


class _Budget:
    """So many in any minute. Places are given in advance, so that those who wait do not all come at once."""

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self._monotonic = monotonic
        self._taken: deque[float] = deque(maxlen=limit)

    def take(self) -> float:
        """Seconds to wait before it may be used; a place is only taken when that is soon."""
        now = self._monotonic()
        at = max(now, self._taken[0] + _MINUTE) if len(self._taken) == self.limit else now
        if at - now <= _PATIENCE_S:
            self._taken.append(at)
        return at - now
