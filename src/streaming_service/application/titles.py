"""What is known of the contents: one snapshot in each process, from which viewers are answered.

A content is read when it is first asked for. From then on there are two reasons to believe what is known. It is not
older than `freshness`; or it is told of every change (application/title_watch.py), and none was told of this one. Both
end by themselves within `freshness` seconds of the last thing that was heard, so that a retired or blocked content
stops being signed within that time in every process, whatever was missed. When the store is down, what is known keeps
playing, and when it is silent too: nobody waits for it longer than `patience`.

Most contents are watched by nobody just now: they are kept packed, about 300 bytes each, and prepared for their viewers
when they are asked for.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from streaming_service.application.title import Title
from streaming_service.domain.channel import Channel
from streaming_service.domain.playable import Playable, playable_of

log = structlog.get_logger(__name__)

# From this share of its freshness on a content that changes are not told of is read again while it is still used.
_AHEAD = 0.8
# What is told of every change is read again all the same, now and then: whoever writes past the feed is caught, too.
_RECHECKED_AFTER = 300.0
# About two kilobytes each.
_PREPARED = 4096
_SHARED = 4096
_SHARE_DROPPED = 16
_NEVER = float("-inf")

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Playable).decode


class ChannelReader(Protocol):
    """All that is asked of a store here."""

    async def get(self, content_id: str) -> Channel | None:
        """The channel as last written. Raises StoreError."""
        ...


class Known(Struct, gc=False):
    """What is kept of a content. It was so at `read_at`, `_NEVER` when it is known to have changed; and it is not to be
    asked for before `not_before`, because the store failed to answer. Seconds by the clock of `Titles`."""

    packed: bytes
    read_at: float = _NEVER
    not_before: float = _NEVER
    title: Title | None = None


class Titles:
    """`prepare` makes a title of a content, and `playlist` is the name of the full ladder's playlist. `running` gives
    seconds by a clock that nobody sets. Durations in seconds; `capacity` is how many contents are kept."""

    def __init__(
        self,
        store: ChannelReader,
        prepare: Callable[[str, Playable], Title],
        running: Callable[[], float],
        *,
        playlist: str,
        freshness: float,
        patience: float,
        capacity: int,
    ) -> None:
        self._store = store
        self._prepare = prepare
        self._running = running
        self._playlist = playlist
        self._freshness = freshness
        self._patience = patience
        self._capacity = capacity
        self._ahead = freshness * (1 - _AHEAD)
        self._known: dict[str, Known] = {}
        self._prepared: dict[str, Known] = {}
        self._packed: dict[bytes, bytes] = {}
        self._loading: dict[str, asyncio.Task[Title | None]] = {}
        self._overtaken: set[str] = set()
        self._store_answers = True
        # Of what was read from this moment on, every change is told; until that one.
        self._told_from = self._told_until = self._recheck_before = _NEVER

    def __len__(self) -> int:
        return len(self._known)

    @property
    def told(self) -> bool:
        """Every change is told, so that nothing is read again just because it is old."""
        return self._running() < self._told_until

    def at_once(self, content_id: str) -> Title | None:
        """The content if it is known and counts, without asking anybody."""
        known = self._known.get(content_id)
        if known is None:
            return None
        now = self._running()
        if now < self._told_until and known.read_at > self._told_from:
            if known.read_at < self._recheck_before and now >= known.not_before:
                self._reading(content_id)
        else:
            left = max(known.read_at + self._freshness, known.not_before) - now
            if left <= 0:
                return None
            # Who watches all the time never waits.
            if left <= self._ahead and (self._store_answers or not self._loading):
                self._reading(content_id)
        return known.title or self._prepared_of(content_id, known)

    async def get(self, content_id: str) -> Title | None:
        """The content as it is now; None when there is none. Raises StoreError when nothing is known of it."""
        if title := self.at_once(content_id):
            return title
        known = self._known.get(content_id)
        # One question at a time to a store that does not answer: it is not helped by every viewer knocking.
        if known is not None and self._loading and not self._store_answers:
            return known.title or self._prepared_of(content_id, known)
        task = self._reading(content_id)
        if known is None:
            return await asyncio.shield(task)
        await asyncio.wait({task}, timeout=self._patience)
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        if not task.done():
            self._heard_of_store("is silent")
        return known.title or self._prepared_of(content_id, known)

    # -- what is heard of changes ---------------------------------------------------------------------------------

    def forget(self, content_id: str) -> None:
        """This process knows that the content changed: nobody is answered from before."""
        self._known.pop(content_id, None)
        self._prepared.pop(content_id, None)
        self._overtake(content_id)

    def hear(self, changed: Iterable[str], since: float, until: float) -> None:
        """These have changed; and of every change between the two moments it was told, now or before."""
        for content_id in changed:
            if known := self._known.get(content_id):
                known.read_at = known.not_before = _NEVER
            self._overtake(content_id)
        self._told_from = since
        self._told_until = until + self._freshness
        self._recheck_before = until - _RECHECKED_AFTER

    def _overtake(self, content_id: str) -> None:
        """Whether an answer of the store that is on its way is from before or after the change, nobody knows."""
        if content_id in self._loading:
            self._overtaken.add(content_id)

    # -- what is asked of the store -------------------------------------------------------------------------------

    def _reading(self, content_id: str) -> asyncio.Task[Title | None]:
        """Single flight: one question at a time about a content."""
        task = self._loading.get(content_id)
        if task is None:
            task = asyncio.create_task(self._load(content_id))
            self._loading[content_id] = task
            task.add_done_callback(partial(self._loaded, content_id))
        return task

    def _loaded(self, content_id: str, task: asyncio.Task[Title | None]) -> None:
        self._loading.pop(content_id, None)
        self._overtaken.discard(content_id)
        if task.cancelled():
            return
        error = task.exception()
        self._heard_of_store(None if error is None else str(error))
        if error is not None and (known := self._known.get(content_id)):
            known.not_before = self._running() + self._freshness

    def _heard_of_store(self, problem: str | None) -> None:
        if problem and self._store_answers:
            log.warning("store does not answer, using what is known", reason=problem)
        elif not problem and not self._store_answers:
            log.info("store answers again")
        self._store_answers = problem is None

    async def _load(self, content_id: str) -> Title | None:
        asked_at = self._running()
        channel = await self._store.get(content_id)
        if channel is None:
            # Unknown ids are not kept: whoever guesses them must not push out what is watched.
            self._known.pop(content_id, None)
            self._prepared.pop(content_id, None)
            return None
        packed = self._shared(_pack(playable_of(channel, self._playlist)))
        known = self._known.get(content_id)
        if known is None:
            self._make_room()
            known = self._known[content_id] = Known(packed)
        elif known.packed != packed:
            known.packed, known.title = packed, None
        known.read_at = _NEVER if content_id in self._overtaken else asked_at
        known.not_before = _NEVER
        return known.title or self._prepared_of(content_id, known)

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _prepared_of(self, content_id: str, known: Known) -> Title:
        if len(self._prepared) >= _PREPARED:
            for oldest in _first(self._prepared, _PREPARED):
                self._prepared.pop(oldest).title = None
        title = known.title = self._prepare(content_id, _unpack(known.packed))
        self._prepared[content_id] = known
        return title

    def _shared(self, packed: bytes) -> bytes:
        """Contents that differ in their names alone are kept once."""
        if len(self._packed) >= _SHARED:
            self._packed.clear()
        return self._packed.setdefault(packed, packed)

    def _make_room(self) -> None:
        """The oldest go, many at a time: to look for the first one of a dict costs as much as were there before."""
        if len(self._known) < self._capacity:
            return
        for oldest in _first(self._known, self._capacity):
            del self._known[oldest]
            self._prepared.pop(oldest, None)


def _first(kept: dict[str, Known], limit: int) -> list[str]:
    return list(islice(kept, max(1, limit // _SHARE_DROPPED)))
