"""Who holds this token? Asked once, remembered by hash, never open.

An answer is used until the token expires. After `soft_ttl` the token service is asked again, so that a revocation is
noticed; when it does not answer then, the known answer still counts until the token's own expiry.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import sha256

import structlog
from msgspec import Struct

from streaming_service.application.ports import Meter, TokenService
from streaming_service.domain.access import Viewer
from streaming_service.errors import UpstreamError

log = structlog.get_logger(__name__)


class Known(Struct):
    """An answer of the token service, until when it is not asked again (Unix seconds), and until when it counts while
    the service does not answer. Without `viewer` the token is not active."""

    viewer: Viewer | None
    fresh_until: float
    usable_until: float


class Introspector:
    """`time` gives Unix seconds. All durations in seconds."""

    def __init__(
        self,
        service: TokenService,
        *,
        time: Callable[[], float],
        meter: Meter,
        soft_ttl: float = 60.0,
        inactive_ttl: float = 5.0,
        capacity: int = 100_000,
    ) -> None:
        self._service = service
        self._time = time
        self._meter = meter
        self._soft_ttl = soft_ttl
        self._inactive_ttl = inactive_ttl
        self._capacity = capacity
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Viewer | None]] = {}

    def known(self, token: str, now: float) -> Known | None:
        """What is known about this token and need not be asked again at `now`, in Unix seconds."""
        known = self._known.get(sha256(token.encode()).digest())
        if known is None or now >= known.fresh_until:
            return None
        self._meter.introspection("cached")
        return known

    async def viewer(self, token: str, correlation_id: str) -> Viewer | None:
        """None: the token is not active. Raises UpstreamError when nobody can say."""
        now = self._time()
        if fresh := self.known(token, now):
            return fresh.viewer
        key = sha256(token.encode()).digest()
        known = self._known.get(key)
        try:
            return await self._ask_once(key, token, correlation_id)
        except UpstreamError as error:
            if known is None or known.viewer is None or self._time() >= known.usable_until:
                raise
            self._meter.introspection("stale")
            log.warning("token service does not answer, using what is known", reason=str(error))
            known.fresh_until = min(now + self._inactive_ttl, known.usable_until)
            return known.viewer

    async def _ask_once(self, key: bytes, token: str, correlation_id: str) -> Viewer | None:
        """Single flight: callers with the same token wait for one question."""
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, token, correlation_id))
            self._asking[key] = task
            task.add_done_callback(partial(self._answered, key))
        # A caller that goes away must not take the answer from the others.
        return await asyncio.shield(task)

    def _answered(self, key: bytes, task: asyncio.Task[Viewer | None]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # has been looked at, even when nobody waits for it any more

    async def _ask(self, key: bytes, token: str, correlation_id: str) -> Viewer | None:
        try:
            viewer = await self._service.introspect(token, correlation_id)
        except UpstreamError:
            self._meter.introspection("failed")
            raise
        self._meter.introspection("active" if viewer else "inactive")
        self._remember(key, viewer)
        return viewer

    def _remember(self, key: bytes, viewer: Viewer | None) -> None:
        now = self._time()
        if viewer is None:
            known = Known(None, now + self._inactive_ttl, now)
        else:
            usable = _until(viewer.expires_at, now + self._soft_ttl)
            known = Known(viewer, min(now + self._soft_ttl, usable), usable)
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)


def _until(expires_at: datetime | None, otherwise: float) -> float:
    return expires_at.timestamp() if expires_at else otherwise
