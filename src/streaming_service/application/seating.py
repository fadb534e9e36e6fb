"""Which channels may have a place on an origin now, and which place.

OME never refuses a channel, it only gets slower; so each origin has as many seats as it plays in real time. A seat is
a number on an origin that no two placements can hold, which the store guarantees when a placement is written. What is
known here of taken seats is a hint that saves most of the vain attempts, never the decision.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from streaming_service.application.ports import Candidate, ChannelStore, Fleet
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification

_FRESH = timedelta(seconds=1)
# A replacement is built beside what it replaces: on a fleet that is full there would never be room for it.
_SURGE = 1


class Seat(Struct, frozen=True):
    """A place on an origin."""

    origin: str
    number: int


class Openings(Struct, frozen=True):
    """Whose turn it may be: classifications whose origins have room, and for how many channels in all."""

    classifications: tuple[Classification, ...] = ()
    room: int = 0


class Seating:
    """`applications` gives the usual application of a classification; `pick` chooses one of so many, at random."""

    def __init__(
        self,
        store: ChannelStore,
        fleet: Fleet,
        applications: Callable[[Classification], str],
        pick: Callable[[int], int],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._applications = applications
        self._pick = pick
        self._taken: dict[str, set[int]] = {}
        self._looked_at: datetime | None = None
        self._expected: set[str] = set()

    async def openings(self, now: datetime) -> Openings:
        """For which of those that wait there is room. Raises StoreUnavailable."""
        waiting = await self._store.waiting(now)
        if not any(waiting.values()):
            return Openings()
        await self._look(now, again=True)
        origins: dict[str, int] = {}
        open_to: list[Classification] = []
        for classification, count in sorted(waiting.items()):
            candidates = self._fleet.candidates(classification, self._applications(classification), "")
            room = {item.origin: self._room(item) for item in candidates if self._room(item) > 0}
            if count and room:
                open_to.append(classification)
                origins |= room
        room = sum(origins.values()) - len(self._expected)
        return Openings(tuple(open_to), max(0, min(room, sum(waiting[item] for item in open_to))))

    def expect(self, content_id: str) -> None:
        """It is this channel's turn: until it has asked for its seat, there is room for one less."""
        self._expected.add(content_id)

    def no_longer_expect(self, content_id: str) -> None:
        """It asked for its seat, or never will."""
        self._expected.discard(content_id)

    async def seat(self, channel: Channel, now: datetime) -> Seat | None:
        """A seat that seems free; None when there is none. Raises StoreUnavailable."""
        self.no_longer_expect(channel.content_id)
        await self._look(now)
        surge = _SURGE if channel.serving else 0
        for candidate in self.candidates(channel):
            taken = self._taken.get(candidate.origin, set())
            # Seats beyond the capacity are in use while it shrinks, and count.
            if len(taken) >= candidate.capacity + surge:
                continue
            free = [number for number in range(candidate.capacity + surge) if number not in taken]
            if free:
                return Seat(candidate.origin, free[self._pick(len(free))])
        return None

    def candidates(self, channel: Channel) -> Sequence[Candidate]:
        """The origins that may take it. One that it is to leave, or that failed it last, comes last."""
        spec = channel.spec
        found = self._fleet.candidates(spec.classification, spec.application, channel.content_id)
        avoided = channel.draining[-1].placement.origin if channel.failure and channel.draining else None
        return sorted(found, key=lambda item: item.origin == avoided)

    def take(self, seat: Seat) -> None:
        """It is taken: by us, or by somebody who was faster."""
        self._taken.setdefault(seat.origin, set()).add(seat.number)

    def _room(self, candidate: Candidate) -> int:
        # One for a replacement, which may be waiting at the head of the queue.
        return candidate.capacity + _SURGE - len(self._taken.get(candidate.origin, ()))

    async def _look(self, now: datetime, *, again: bool = False) -> None:
        if not again and self._looked_at and now - self._looked_at < _FRESH:
            return
        self._taken = {origin: set(taken) for origin, taken in (await self._store.seats()).items()}
        self._looked_at = now
