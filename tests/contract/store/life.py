"""A life of an installation in random order, and the account of what must hold whatever happens.

`Life` does things to a World over some store. `Account` is the model: what was wished, retired and handed out, in a
few lines that know nothing of how the service does it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count, pairwise

import msgspec

from streaming_service.application.ingest import IngestKeys, IngestPolicy
from streaming_service.application.ome_alerts import AlertPolicy, OmeAlerts
from streaming_service.application.ports import Ack, ChannelQuery, DeliveryQuery, Message, Store
from streaming_service.domain.channel import Channel
from streaming_service.domain.clock import to_wire
from streaming_service.domain.content import Classification
from streaming_service.domain.ingest_key import admits
from streaming_service.domain.notification import Endpoint
from streaming_service.domain.ome_webhook import AlertMessage, OmeAlert
from streaming_service.domain.placement import stream_name
from streaming_service.domain.state import Status
from streaming_service.errors import InvalidInput, NotFound
from tests.fakes import Crash, unreachable
from tests.stores import Watched
from tests.unit.application.world import CAUSE, LEASE, World, content_id

CONTENTS = (1, 2, 3)
GRACE = timedelta(seconds=300)
_MANY = 10_000


class Said(msgspec.Struct, frozen=True):
    """An event that a sender made: which file a content shall play, and when it said so."""

    number: int
    checksum: str
    at: datetime

    @property
    def message(self) -> Message:
        """A `media.uploaded` event."""
        body = {
            "uploadId": f"{self.number}-{self.checksum}",
            "objectKey": f"{self.number}/{self.checksum}.mp4",
            "storageUrl": f"gs://uploads/{self.number}/{self.checksum}.mp4",
            "assetType": "video",
            "adminId": "life",
            "contentId": content_id(self.number),
            "contentClassification": "REEL",
            "validation": {"checksum": self.checksum, "durationSeconds": 8},
            "emittedAt": to_wire(self.at),
        }
        return Message(msgspec.json.encode(body))


class Account:
    """What must be true of each content: what it shall play, whether it is retired, and which keys let push to it."""

    def __init__(self) -> None:
        self.wanted: dict[int, tuple[datetime, str]] = {}
        self.retired: dict[int, datetime] = {}
        self.keys: dict[int, list[tuple[str, datetime | None]]] = defaultdict(list)
        self.letters: set[bytes] = set()

    def hear(self, said: Said) -> None:
        """The newest wish wins; one from before a retirement does not undo it."""
        known = self.wanted.get(said.number)
        if said.number in self.retired and said.at <= max(self.retired[said.number], known[0] if known else said.at):
            return
        self.retired.pop(said.number, None)
        self.wanted[said.number] = max(known or (said.at, said.checksum), (said.at, said.checksum))

    def retire(self, number: int, now: datetime) -> None:
        if number not in self.retired:
            self.retired[number] = now
            self.keys[number] = []

    def rotate(self, number: int, key: str, now: datetime) -> None:
        until = now + GRACE
        ended: list[tuple[str, datetime | None]] = [(old, min(end or until, until)) for old, end in self.keys[number]]
        self.keys[number] = [*ended, (key, None)]

    def good_keys(self, number: int, now: datetime) -> set[str]:
        return {key for key, end in self.keys[number] if end is None or now < end}

    def active(self, number: int) -> bool:
        return number in self.wanted and number not in self.retired


class Life:
    """Everything that may happen. No method raises for what a life may bring."""

    def __init__(self, store: Store, *, publishing: bool) -> None:
        self.real = store
        self.watched = Watched(store)
        self.world = World(("one", "two"), store=self.watched.fragile(), publishing=publishing)
        self.clock = self.world.clock
        self.account = Account()
        self.said: list[Said] = []
        self.stale: list[Channel] = []
        numbers = count(1)
        self.ingest = IngestKeys(
            store=self.world.store,
            notifier=self.world.notifier,
            clock=self.clock,
            entropy=lambda size: next(numbers).to_bytes(size),
            policy=IngestPolicy("ss-", "default", GRACE, lambda _: None),
            changed=lambda _: None,
        )
        self.alerts = OmeAlerts(
            self.world.store, AlertPolicy("ss-", frozenset(Endpoint)), clock=self.clock, changed=lambda _: None
        )

    # -- what senders, operators and OME do ------------------------------------------------------------------------

    def say(self, number: int, checksum: str) -> None:
        """It is on its way; when and how often it arrives is another matter."""
        now = self.clock.now()
        self.said.append(Said(number, checksum, now.replace(microsecond=now.microsecond // 1000 * 1000)))

    async def deliver(self, which: int) -> None:
        """What was not acknowledged, because the process died, comes again."""
        said = self.said[which % len(self.said)]
        while True:
            with suppress(Crash):
                assert await self.world.intake.handle(said.message, "life", CAUSE) is Ack.ACK
                break
        self.account.hear(said)

    async def deliver_nonsense(self, data: bytes) -> None:
        assert await self.world.intake.handle(Message(data), "life", CAUSE) is Ack.ACK
        self.account.letters.add(data)

    async def retire(self, number: int) -> None:
        if number in self.account.wanted:
            await self.world.operations.retire(content_id(number), CAUSE)
            self.account.retire(number, self.clock.now())

    async def replay(self, number: int) -> None:
        try:
            await self.world.operations.replay(content_id(number), CAUSE)
        except (NotFound, InvalidInput):
            assert not self.account.active(number)

    async def rotate(self, number: int) -> None:
        try:
            made = await self.ingest.rotate(content_id(number), CAUSE)
        except (NotFound, InvalidInput):
            assert not self.account.active(number)
        else:
            self.account.rotate(number, made.key, self.clock.now())

    async def late_webhook(self, number: int, incarnation: int) -> None:
        stream = stream_name("ss-", content_id(number), incarnation)
        alert = OmeAlert(f"#default#reels/{stream}", "INGRESS", (AlertMessage("INTERNAL_QUEUE_CONGESTION"),))
        known = await self.alerts.write_down(alert, CAUSE)
        assert known == (number in self.account.wanted)

    # -- what workers do, and what befalls them --------------------------------------------------------------------

    async def work(self, turns: int) -> None:
        for _ in range(turns):
            if not await self.world.work():
                return

    async def work_meanwhile(self, number: int, what: str) -> None:
        """Somebody wants something just as a worker is done with what it knew."""
        asked = {"deliver": self.deliver, "retire": self.retire, "replay": self.replay}[what]
        self.watched.before_release = lambda: asked(number)
        await self.work(1)
        self.watched.before_release = None

    async def die_at_work(self, calls: int, *, after: bool) -> None:
        self.world.faults.plan(calls, after=after)
        with suppress(Crash):
            await self.work(3)
        self.world.faults.clear()

    def die_soon(self, calls: int, *, after: bool) -> None:
        """In the middle of the next delivery."""
        self.world.faults.plan(calls, after=after)

    async def claim_and_vanish(self) -> None:
        """A worker that takes work and is never heard of again, until it goes on with what it knew."""
        now = self.clock.now()
        self.stale += await self.world.store.claim_due(now, "vanished", LEASE, 2)
        self.stale += await self.world.store.claim_waiting(tuple(Classification), now, "vanished", LEASE, 1)

    async def come_back(self) -> None:
        """Its lease is long over, and it does not know."""
        for channel in self.stale:
            done = await self.world.provisioning.converge(channel, CAUSE)
            await self.world.store.release(
                channel.content_id, "vanished", done.channel.version, done.due_at, done.queue_at
            )
        self.stale = []

    async def reconcile(self) -> None:
        await self.world.reconcile()

    # -- the account -----------------------------------------------------------------------------------------------

    async def check(self) -> None:
        """What holds at every moment."""
        channels = (await self.real.list(ChannelQuery(limit=200))).items
        assert {channel.content_id for channel in channels} == set(map(content_id, self.account.wanted))
        self._check_seats(channels, await self.real.seats())
        for channel in channels:
            await self._check_channel(channel)
        for origin in self.world.origins:
            for started in origin.everything_ever.values():
                media = {(item.stream, item.media_path) for item in started}
                assert len(media) == len({stream for stream, _ in media}), "a name was used for other bytes"

    def _check_seats(self, channels: Sequence[Channel], seats: object) -> None:
        taken = Counter((item.origin, item.seat) for channel in channels for item in channel.on_ome)
        assert all(number == 1 for number in taken.values()), taken
        expected: dict[str, set[int]] = defaultdict(set)
        for origin, seat in taken:
            expected[origin].add(seat)
        assert seats == {origin: frozenset(numbers) for origin, numbers in expected.items()}

    async def _check_channel(self, channel: Channel) -> None:
        number, now = _number(channel), self.clock.now()
        assert channel.spec.checksum == self.account.wanted[number][1]
        assert (channel.status is Status.RETIRED) == (number in self.account.retired)
        assert (channel.serving is not None) == (channel.status is Status.READY)
        good = self.account.good_keys(number, now)
        for key, _ in self.account.keys[number]:
            assert (admits(channel.ingest, key, now) is not None) == (key in good)
        entries = await self.real.history(channel.content_id, _MANY)
        assert len(entries) == channel.version, "every change has its entry"
        for later, earlier in pairwise(entries):
            assert (later.generation, later.incarnation) >= (earlier.generation, earlier.incarnation)
            assert later.at >= earlier.at

    async def end_well(self) -> None:
        """Nothing is wrong with the world any more: everything comes to rest, as it is wanted."""
        world = self.world
        world.faults.clear()
        for origin in world.origins:
            origin.down = None
            world.fleet.capacity[origin.name] = 100
        world.fleet.emptied.clear()
        world.media.missing.clear()
        await self.come_back()
        for _ in range(2):
            await world.reconcile()
            await world.settle(turns=1500)
        await self.check()
        await self._check_rest()
        await self._check_debts()
        await self._check_letters()

    async def _check_rest(self) -> None:
        channels = (await self.real.list(ChannelQuery(limit=200))).items
        held = {stream for origin in self.world.origins for stream in origin.names()}
        assert held == {item.stream for channel in channels for item in channel.on_ome}
        served = {channel.serving.copy_prefix for channel in channels if channel.serving and channel.serving.copy}
        assert self.world.bucket.copies() == served, "copies that nobody is sent to are removed"
        for channel in channels:
            assert channel.draining == ()
            assert channel.building is None
            assert not channel.announce
            if not self.account.active(_number(channel)):
                assert channel.on_ome == ()
                continue
            assert channel.status is Status.READY, channel.phase_reason
            assert channel.serving
            assert channel.serving.media_path == f"uploads/{_number(channel)}/{channel.spec.checksum}.mp4"
            assert len(channel.on_ome) == (0 if channel.serving.copy else 1)
        assert self.world.store.due() == []
        someday = self.clock.now() + timedelta(days=999)
        assert await self.real.claim_due(someday, "nobody", LEASE, 9) == ()
        assert await self.real.claim_waiting(tuple(Classification), someday, "nobody", LEASE, 9) == ()

    async def _check_debts(self) -> None:
        found: Counter[str] = Counter()
        cursor: str | None = None
        while True:
            page = await self.real.list_deliveries(DeliveryQuery(limit=200, cursor=cursor))
            found.update(item.notification.id for item in page.items)
            cursor = page.next
            if cursor is None:
                break
        assert found == Counter(dict.fromkeys(self.watched.debts, 1))

    async def _check_letters(self) -> None:
        letters, _ = await self.real.list_dead_letters(200, None)
        assert Counter(letter.data for letter in letters) == Counter(dict.fromkeys(self.account.letters, 1))

    # -- the world -------------------------------------------------------------------------------------------------

    def befall(self, origin: int, what: str) -> None:
        """Something happens to an origin, or passes."""
        world, one = self.world, self.world.origins[origin]
        match what:
            case "wiped":
                one.wipe()
            case "restarted":
                one.restart()
            case "down":
                one.down = unreachable()
            case "up":
                one.down = None
            case "drained":
                world.fleet.emptied.add(one.name)
            case "used again":
                world.fleet.emptied.discard(one.name)
            case "full":
                world.fleet.capacity[one.name] = 0
            case "small":
                world.fleet.capacity[one.name] = 1
            case _:
                world.fleet.capacity[one.name] = 100

    def lose_file(self, number: int, checksum: str, *, lost: bool) -> None:
        uri = f"gs://uploads/{number}/{checksum}.mp4"
        (self.world.media.missing.add if lost else self.world.media.missing.discard)(uri)


BEFALLS = ("wiped", "restarted", "down", "up", "drained", "used again", "full", "small", "roomy")


def _number(channel: Channel) -> int:
    return next(number for number in CONTENTS if content_id(number) == channel.content_id)
