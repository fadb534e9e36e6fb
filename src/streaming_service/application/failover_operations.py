"""What operators may ask of the failover: how it stands, send viewers there, take them back, let nothing change."""

from collections.abc import Callable
from datetime import datetime

import structlog
from msgspec import Struct

from streaming_service.application.failover_book import FailoverBook
from streaming_service.application.ports import Clock, Store
from streaming_service.domain.audit import action
from streaming_service.domain.content import parse_content_id
from streaming_service.domain.failover import WHOLE, Standing
from streaming_service.domain.failover_notices import about
from streaming_service.domain.failover_orders import demote, freeze, promote, unfreeze
from streaming_service.domain.failover_policy import FailoverPolicy
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.errors import Conflict, InvalidInput, NotFound

log = structlog.get_logger(__name__)

_TRIES = 5
_MAX_REASON = 200


class FailoverStatus(Struct, frozen=True):
    """One subject for a person to look at: its standing, and the part of its viewers that the failover serves now."""

    standing: Standing
    share: float


class FailoverOperations:
    """Every method raises StoreUnavailable. Subjects are `cdn` for all contents, or a content id."""

    def __init__(
        self,
        *,
        book: FailoverBook,
        store: Store,
        notifier: Notifier,
        policy: FailoverPolicy,
        clock: Clock,
        enabled: bool,
    ) -> None:
        self._book = book
        self._store = store
        self._notifier = notifier
        self._policy = policy
        self._clock = clock
        self._enabled = enabled

    async def list(self) -> tuple[FailoverStatus, ...]:
        """The whole CDN, then every content that is not simply on the primary."""
        found = {item.subject: item for item in await self._store.failovers(None)}
        whole = found.pop(WHOLE, None) or self._book.standing(WHOLE)
        return tuple(self._status(item) for item in (whole, *found.values()))

    async def promote(self, subject: str, cause: Cause, reason: str) -> FailoverStatus:
        """All its viewers to the failover, until `demote`. Raises NotFound, InvalidInput when there is no failover."""
        if not self._enabled:
            raise InvalidInput("CDN_FAILOVER_BASE_URL", "is not set: there is no failover", code="no_failover")
        return await self._order("promoted", subject, cause, reason, promote)

    async def demote(self, subject: str, cause: Cause, reason: str) -> FailoverStatus:
        """Its viewers back to the primary over the ramp; a second time at once. Raises NotFound."""

        def move(standing: Standing, actor: str, why: str, now: datetime) -> Standing:
            return demote(standing, actor, why, now, self._policy)

        return await self._order("demoted", subject, cause, reason, move)

    async def freeze(self, subject: str, cause: Cause, reason: str) -> FailoverStatus:
        """Nothing of it changes by itself any more. Raises NotFound."""
        return await self._order("frozen", subject, cause, reason, freeze)

    async def unfreeze(self, subject: str, cause: Cause, reason: str) -> FailoverStatus:
        """The probes decide again. Raises NotFound."""
        return await self._order("unfrozen", subject, cause, reason, unfreeze)

    async def _order(
        self,
        done: str,
        subject: str,
        cause: Cause,
        reason: str,
        move: Callable[[Standing, str, str, datetime], Standing],
    ) -> FailoverStatus:
        subject = parse_subject(subject)
        why = _checked(reason) or f"{done} by {cause.actor}"
        path, region = await self._path(subject)
        if path is None and move is promote:
            raise NotFound(f"content {subject} has nothing that plays")
        for _ in range(_TRIES):
            now = self._clock.now()
            before = await self._book.reload(subject)
            after = move(before, cause.actor, why, now)
            record = action(f"failover-{done}", about(subject), cause, why, now, self._notifier.endpoints)
            if after is before:
                await self._store.owe(record)
                return self._status(before)
            try:
                after = await self._book.write(before, after, path or "", region, cause, record)
            except Conflict:
                continue
            log.info("admin action", action=f"failover-{done}", subject=subject, actor=cause.actor)
            return self._status(after)
        raise Conflict(f"the failover of {subject} is being changed by others")

    async def _path(self, subject: str) -> tuple[str | None, str | None]:
        if subject != WHOLE and await self._store.get(subject) is None:
            raise NotFound(f"content {subject} has no channel")
        return await self._book.path_of(subject)

    def _status(self, standing: Standing) -> FailoverStatus:
        return FailoverStatus(standing, standing.share(self._clock.now()))


def parse_subject(text: str) -> str:
    """`cdn`, or a content id in its canonical spelling. Raises InvalidInput."""
    return WHOLE if text == WHOLE else parse_content_id(text, "subject")


def _checked(reason: str) -> str:
    said = " ".join(reason.split())
    if len(said) > _MAX_REASON or not said.isprintable():
        raise InvalidInput("reason", f"is longer than {_MAX_REASON} characters, or not printable")
    return said
