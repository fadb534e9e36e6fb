"""What operators and other services may ask of channels."""

from collections.abc import Callable

import structlog
from msgspec.structs import replace

from streaming_service.application.ports import ChannelPage, ChannelQuery, ChannelStore, Clock
from streaming_service.domain.audit import audited
from streaming_service.domain.channel import Channel
from streaming_service.domain.history import Change, HistoryEntry, asked_by, change
from streaming_service.domain.notification import Cause, Notifier
from streaming_service.domain.placement import Placement
from streaming_service.domain.state import Status
from streaming_service.domain.wish import SpecPolicy, with_presets
from streaming_service.errors import Conflict, InvalidInput, NotFound

log = structlog.get_logger(__name__)

MAX_PAGE = 200
_HISTORY_LIMIT = 500


class ChannelOperations:
    """Every method raises StoreUnavailable when the store is down, and NotFound for what does not exist.

    `changed` is told the content id after each write, so that this process notices at once; others ask the store.
    """

    def __init__(
        self,
        *,
        store: ChannelStore,
        notifier: Notifier,
        specs: SpecPolicy,
        clock: Clock,
        changed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._specs = specs
        self._clock = clock
        self._changed = changed

    async def get(self, content_id: str) -> Channel:
        """The channel as last written."""
        channel = await self._store.get(content_id)
        if channel is None:
            raise NotFound(f"content {content_id} has no channel")
        return channel

    async def list(self, query: ChannelQuery) -> ChannelPage:
        """A page of channels. Raises InvalidInput for a limit or cursor that is none."""
        check_limit(query.limit)
        return await self._store.list(query)

    async def history(self, content_id: str) -> tuple[HistoryEntry, ...]:
        """Newest first."""
        await self.get(content_id)
        return await self._store.history(content_id, _HISTORY_LIMIT)

    async def retire(self, content_id: str, cause: Cause) -> Channel:
        """Nobody may watch it any more. Retiring again changes nothing."""

        def move(channel: Channel) -> Change | None:
            if channel.status is Status.RETIRED:
                return None
            retired = channel.retired(self._clock.now())
            paths = tuple(_cached(item) for item in _watched(channel))
            return change(retired, "retired", cause, self._notifier.retired(retired, paths, cause))

        return await self._change(content_id, move)

    async def purge(self, content_id: str, cause: Cause) -> Channel:
        """Empty the CDN's caches of what is served, and of what is draining."""

        def move(channel: Channel) -> Change:
            paths = tuple(_cached(item) for item in _watched(channel))
            touched = replace(channel, updated_at=self._clock.now())
            owed = self._notifier.purge(touched, paths, cause, f"{channel.version}/{cause.correlation_id}")
            return change(touched, "purge", cause, owed, reason="CDN purge requested")

        return await self._change(content_id, move)

    async def replay(self, content_id: str, cause: Cause) -> Channel:
        """Converge again from the stored spec, with the ladder of today's preset.

        Raises InvalidInput for a retired content.
        """

        def move(channel: Channel) -> Change:
            if channel.status is Status.RETIRED:
                raise InvalidInput("contentId", "is retired: register it again to bring it back", code="retired")
            now = self._clock.now()
            current = with_presets(channel, self._specs, now) or channel
            return change(asked_by(current.replayed(now), cause), "replay", cause)

        return await self._change(content_id, move)

    async def _change(self, content_id: str, move: Callable[[Channel], Change | None]) -> Channel:
        """Apply a move to the newest value; whoever loses the race decides again."""
        while True:
            channel = await self.get(content_id)
            made = move(channel)
            if made is None:
                return channel
            try:
                written = await self._store.commit(
                    audited(made, self._notifier.endpoints), made.channel.due_at(self._clock.now())
                )
            except Conflict:
                continue
            log.info("admin action", action=made.history.action, content_id=content_id, actor=made.history.actor)
            self._changed(content_id)
            return written


def _watched(channel: Channel) -> tuple[Placement, ...]:
    """What viewers may hold URLs of: what is served, and what was before."""
    serving = (channel.serving,) if channel.serving else ()
    return (*serving, *(item.placement for item in channel.draining))


def _cached(placement: Placement) -> str:
    """Everything below a stream's path; CDNs take a trailing `*` as a prefix."""
    return f"{placement.path}*"


def check_limit(limit: int) -> None:
    """Raises InvalidInput for a page size that is none."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("limit", f"must be from 1 to {MAX_PAGE}")
