"""Watches how long manifest requests take in this process, and tells when that changes: not of each request."""

from collections import deque
from collections.abc import Callable, Collection

import structlog

from streaming_service.application.ports import Clock, OutboxStore
from streaming_service.domain.latency_window import Counts, LatencyPolicy, Window, alert, is_slow, read
from streaming_service.domain.notification import Endpoint
from streaming_service.errors import StoreError

log = structlog.get_logger(__name__)

# So often a window is looked at while it passes.
_LOOKS = 30


class LatencyWatch:
    """Every process that answers viewers has one, and tells its own window: what one machine does to its requests would
    vanish among those of all the others.

    `counts` gives the counters; they only grow. `monotonic` is a clock in seconds.
    """

    def __init__(
        self,
        *,
        counts: Callable[[], Counts],
        policy: LatencyPolicy,
        store: OutboxStore,
        endpoints: Collection[Endpoint],
        audit_topic: str | None,
        instance: str,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self.interval = policy.window / _LOOKS
        self._counts = counts
        self._policy = policy
        self._store = store
        self._endpoints = endpoints
        self._audit_topic = audit_topic
        self._instance = instance
        self._clock = clock
        self._monotonic = monotonic
        self._looks = deque([(monotonic(), counts())])
        self._slow = False
        self._telling = False

    async def look(self) -> Window:
        """Read the window, and tell when it became slow, or is so no more. Raises StoreError: it is told next time."""
        now, counts = self._monotonic(), self._counts()
        self._looks.append((now, counts))
        # The newest of those that are a whole window old is where it begins.
        while len(self._looks) > 2 and self._looks[1][0] <= now - self._policy.window:
            self._looks.popleft()
        window = read(self._looks[0][1], counts, self._policy.slo)
        slow = is_slow(window, self._policy, was_slow=self._slow)
        if slow is not self._slow:
            await self._tell(window, slow=slow)
        return window

    async def stop(self) -> None:
        """This process will tell nothing more: what it began is over. For the store to be down is no reason to stay."""
        if not (self._slow or self._telling):  # whether it was told is not known when it was cut off there
            return
        window = read(self._looks[0][1], self._counts(), self._policy.slo)
        try:
            await self._tell(window, slow=False, reason=f"{self._instance} stops: its requests go elsewhere")
        except StoreError as error:
            log.warning("the end of an alert was not told", instance=self._instance, reason=str(error))

    async def _tell(self, window: Window, *, slow: bool, reason: str = "") -> None:
        write = log.warning if slow else log.info
        write(
            "manifest latency", slow=slow, count=window.count, p99_ms=round(window.p99, 3), over=round(window.over, 5)
        )
        owed = alert(
            window,
            self._policy,
            slow=slow,
            instance=self._instance,
            reason=reason,
            now=self._clock.now(),
            endpoints=self._endpoints,
            audit_topic=self._audit_topic,
        )
        self._telling = True
        if owed:
            await self._store.owe(owed)
        self._slow, self._telling = slow, False
