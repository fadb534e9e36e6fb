"""The use cases wired to fakes, and a worker that a test runs by hand."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from streaming_service.application.channel_operations import ChannelOperations
from streaming_service.application.findings import Findings
from streaming_service.application.intake import Intake
from streaming_service.application.patience import ConvergencePolicy
from streaming_service.application.provisioning import Provisioning
from streaming_service.application.reconciliation import Reconciliation
from streaming_service.application.seating import Seating
from streaming_service.domain.channel import Channel
from streaming_service.domain.content import Classification, Protocol
from streaming_service.domain.ladder import parse_ladder
from streaming_service.domain.notification import Cause, Endpoint, Notification, Notifier
from streaming_service.domain.source import MediaMounts, Mount, ObjectUri
from streaming_service.domain.state import Phase
from streaming_service.domain.upload import ProvisionRequest
from streaming_service.domain.wish import Outcome, SpecPolicy
from streaming_service.errors import StoreError
from tests.fake_ome import FakeBucket, FakeFleet, FakeOrigin
from tests.fakes import NOW, CountingMeter, Crash, FakeCatalog, FakeClock, FakeMedia, FragileStore

CAUSE = Cause("test", "correlation-1")
LADDER = parse_ladder("720p|1280x720|2500,480p|854x480|1500")
LEASE = timedelta(seconds=30)
POLICY = ConvergencePolicy(
    stream_prefix="ss-",
    playlist="master",
    max_retries=2,
    window=3600.0,
    drain_after=300.0,
    playable_timeout=60.0,
)
SPECS = SpecPolicy(
    ladders=dict.fromkeys(Classification, LADDER),
    applications={Classification.REEL: "reels", Classification.SERIES: "series"},
    mounts=MediaMounts((Mount("uploads", "uploads"),)),
    allowed_hosts=frozenset({"cdn.example"}),
)


def content_id(number: int = 1) -> str:
    return str(UUID(int=number, version=4))


def request(number: int = 1, checksum: str = "sum-1", said_at: datetime = NOW, **changes: Any) -> ProvisionRequest:
    """A sender's wish: content `number` shall play the file that the checksum names."""
    wish = ProvisionRequest(
        content_id=content_id(number),
        classification=Classification.REEL,
        source=ObjectUri("uploads", f"{number}/{checksum}.mp4"),
        checksum=checksum,
        protocol=Protocol.LL_HLS,
        said_at=said_at,
    )
    return replace(wish, **changes)


class World:
    """One installation, over `store` if one is given. Everybody is owed something; only with `audit` the audit log is,
    too. `policy` changes are those of ConvergencePolicy."""

    def __init__(
        self,
        origins: Sequence[str] = ("default",),
        *,
        capacity: int = 100,
        publishing: bool = False,
        store: FragileStore | None = None,
        audit: bool = False,
        **policy: Any,
    ) -> None:
        self.clock = FakeClock()
        self.store = store or FragileStore()
        self.faults = self.store.faults
        self.origins = [FakeOrigin(name, self.clock, ("reels", "series"), self.faults) for name in origins]
        self.origin = self.origins[0]
        self.fleet = FakeFleet(*self.origins, capacity=capacity)
        self.bucket = FakeBucket(self.origins, self.faults)
        self.seating = Seating(self.store, self.fleet, SPECS.applications.__getitem__, pick=lambda _: 0)
        self.media = FakeMedia()
        self.catalog = FakeCatalog()
        self.meter = CountingMeter()
        self.notifier = Notifier(frozenset(Endpoint) - (frozenset() if audit else {Endpoint.AUDIT}))
        self.wakes: list[str] = []
        self.policy = replace(POLICY, **policy)
        self.provisioning = Provisioning(
            store=self.store,
            fleet=self.fleet,
            seating=self.seating,
            bucket=self.bucket if publishing else None,
            media=self.media,
            notifier=self.notifier,
            specs=SPECS,
            policy=self.policy,
            cache_key=lambda content, checksum: f"{content}/{checksum}",
            clock=self.clock,
            jitter=lambda: 0.5,
            meter=self.meter,
            wake_delivery=lambda: self.wakes.append("delivery"),
        )
        self.intake = Intake(
            store=self.store,
            wishes=self.provisioning,
            catalog=self.catalog,
            catalog_patience=timedelta(minutes=10),
            clock=self.clock,
            meter=self.meter,
            wake_worker=lambda: self.wakes.append("worker"),
        )
        self.operations = self.new_operations()
        self.reconciliation = self.new_reconciliation()

    def new_operations(self, specs: SpecPolicy = SPECS) -> ChannelOperations:
        """Those of a process with these presets."""
        return ChannelOperations(
            store=self.store, notifier=self.notifier, specs=specs, clock=self.clock, changed=self.wakes.append
        )

    def new_reconciliation(self, specs: SpecPolicy = SPECS) -> Reconciliation:
        """That of a process which has just been started."""
        return Reconciliation(
            store=self.store,
            fleet=self.fleet,
            applications=lambda _: ("reels", "series"),
            specs=specs,
            notifier=self.notifier,
            stream_prefix="ss-",
            clock=self.clock,
        )

    def named(self, name: str) -> FakeOrigin:
        """The origin of that name, whether or not the fleet has it."""
        return next(origin for origin in self.origins if origin.name == name)

    async def accept(self, wish: ProvisionRequest | None = None) -> Outcome:
        return (await self.provisioning.accept(wish or request(), CAUSE))[1]

    async def channel(self, number: int = 1) -> Channel:
        return await self.operations.get(content_id(number))

    async def converge(self, number: int = 1) -> Channel:
        """One convergence, as far as it goes now."""
        return (await self.provisioning.converge(await self.channel(number), CAUSE, may_place=True)).channel

    async def converge_until(self, phase: Phase) -> Channel:
        """Stop, as if the process died, once the first content reached this phase."""
        while (channel := await self.channel()).phase is not phase:
            self.faults.plan(self._calls_before(channel), after=True)
            with suppress(Crash):
                await self.provisioning.converge(channel, CAUSE, may_place=True)
        self.faults.clear()
        return channel

    def _calls_before(self, channel: Channel) -> int:
        """Side effects up to the next commit: OME's start comes before the one that says so."""
        return 1 if channel.phase is Phase.PLACED else 0

    async def reconcile(self) -> Findings:
        return await self.reconciliation.run(CAUSE)

    async def work(self) -> bool:
        """One turn of a worker. False when nothing was due. A crash leaves the lease behind."""
        now = self.clock.now()
        claimed, may_place = await self.store.claim_due(now, "worker", LEASE, 1), False
        if not claimed and (openings := await self.seating.openings(now)).room:
            claimed, may_place = await self.store.claim_waiting(openings.classifications, now, "worker", LEASE, 1), True
        for channel in claimed:
            version, due_at, queue_at = channel.version, self.clock.now() + LEASE, None
            try:
                result = await self.provisioning.converge(channel, CAUSE, may_place=may_place)
                version, due_at, queue_at = result.channel.version, result.due_at, result.queue_at
            except StoreError:
                pass
            await self.store.release(channel.content_id, "worker", version, due_at, queue_at)
        return bool(claimed)

    async def settle(self, *, within: float | None = None, turns: int = 400) -> None:
        """Work until nothing is due any more (`within` seconds from now), moving the clock to what is due next.

        A crash is a process that died: its leases run out and another goes on.
        """
        end = None if within is None else self.clock.now() + timedelta(seconds=within)
        for _ in range(turns):
            try:
                if await self.work():
                    continue
            except Crash:
                self.clock.advance(LEASE.total_seconds())
                continue
            due = self.store.due()
            if not due or (end and max(due[0], self.clock.now()) > end):
                return
            self.clock.advance(max(0.0, (due[0] - self.clock.now()).total_seconds()) or LEASE.total_seconds())
        raise AssertionError("it never settles")

    async def playing(self, number: int = 1, **changes: Any) -> Channel:
        """A content that plays."""
        await self.accept(request(number, **changes))
        await self.settle(within=self.policy.playable_timeout)
        return await self.channel(number)

    def owed(self, topic: str | None = None) -> list[Notification]:
        return [item for item in self.store.everything_owed() if topic in {None, item.topic}]
