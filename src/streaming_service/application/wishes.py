"""Write down what is wanted, whatever the order in which it is said."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from msgspec.structs import replace

from streaming_service.application.ports import Clock, Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, asked_by, change
from streaming_service.domain.notification import Cause
from streaming_service.domain.restoration import begun_after
from streaming_service.domain.upload import ProvisionRequest
from streaming_service.domain.wish import Outcome, SpecPolicy, decide
from streaming_service.errors import Conflict

log = structlog.get_logger(__name__)

_CLOCK_SKEW = timedelta(minutes=5)


class Wishes:
    """`commit` writes a change, and raises Conflict when somebody was faster."""

    def __init__(
        self, store: Store, specs: SpecPolicy, clock: Clock, commit: Callable[[Change], Awaitable[Channel]]
    ) -> None:
        self._store = store
        self._specs = specs
        self._clock = clock
        self._commit = commit

    async def accept(self, request: ProvisionRequest, cause: Cause) -> tuple[Channel, Outcome]:
        """Durable when this returns. Raises InvalidInput or StoreUnavailable."""
        while True:
            current = await self._store.get(request.content_id)
            now = self._clock.now()
            # A sender whose clock runs ahead must not be able to overrule everybody for as long as it does.
            heard = replace(request, said_at=min(request.said_at, now + _CLOCK_SKEW))
            wish = decide(current, heard, self._specs, now)
            if wish.channel is current:
                return wish.channel, wish.outcome
            try:
                written = await self._commit(await self._change(current, wish.channel, wish.outcome, cause))
            except Conflict:
                continue
            log.info("upload accepted", content_id=request.content_id, outcome=wish.outcome)
            return written, wish.outcome

    async def _change(self, current: Channel | None, wanted: Channel, outcome: Outcome, cause: Cause) -> Change:
        if current is None:
            wanted = begun_after(wanted, await self._store.first_incarnation())
        if outcome in {Outcome.CREATED, Outcome.REVISED}:
            return change(asked_by(wanted, cause), "accepted", cause)
        return change(wanted, "confirmed", cause, reason="said again, nothing to do")
