"""Contents that play, and processes that hear what probes find of them."""

from streaming_service.application.failover import Failover
from streaming_service.application.failover_book import FailoverBook
from streaming_service.application.failover_operations import FailoverOperations
from streaming_service.application.ports import DeliveryQuery
from streaming_service.domain.failover_notices import FailoverNotices
from streaming_service.domain.failover_policy import FAILOVER_POLICY
from streaming_service.domain.notification import Endpoint, Notification
from streaming_service.domain.probe import Observation, ProbeVerdict, Target
from tests.unit.application.world import World, content_id

REGIONS = ("iad", "sfo", "ams")
OK, BAD = ProbeVerdict.OK, ProbeVerdict.UNREACHABLE


class Process:
    """One of several on one store: what it knows, what it hears, and what operators say to it."""

    def __init__(self, world: World, *, enabled: bool = True) -> None:
        self.world = world
        self.clock = world.clock
        self.wakes: list[str] = []
        self.asked: list[tuple[str, float]] = []
        self.book = FailoverBook(
            store=world.store,
            notices=FailoverNotices(world.notifier.endpoints),
            clock=world.clock,
            wake_delivery=lambda: self.wakes.append("delivery"),
        )
        self.failover = Failover(
            book=self.book,
            policy=FAILOVER_POLICY,
            clock=world.clock,
            enabled=enabled,
            probe_soon=lambda content, seconds: self.asked.append((content, seconds)),
        )
        self.operations = FailoverOperations(
            book=self.book,
            store=world.store,
            notifier=world.notifier,
            policy=FAILOVER_POLICY,
            clock=world.clock,
            enabled=enabled,
        )

    async def sees(
        self,
        primary: ProbeVerdict,
        failover: ProbeVerdict = OK,
        contents: range = range(1, 2),
        *,
        asked_for: bool = False,
    ) -> None:
        """One round of probes of these contents, the same in all regions."""
        seen = [
            Observation(content_id(number), region, target, verdict, self.clock.now(), 10.0)
            for number in contents
            for target, verdict in ((Target.PRIMARY, primary), (Target.FAILOVER, failover))
            for region in REGIONS
        ]
        await self.failover.heard(seen, asked_for=asked_for)

    async def sees_it_down(self, contents: range = range(1, 2), *, asked_for: bool = False) -> None:
        """Until it is certain."""
        for _ in range(3):
            self.clock.advance(2)
            await self.sees(BAD, contents=contents, asked_for=asked_for)

    async def sees_it_clear(self, seconds: float, contents: range = range(1, 2)) -> None:
        for _ in range(int(seconds / 15)):
            self.clock.advance(15)
            await self.sees(OK, contents=contents)

    def mode(self, number: int = 1) -> str:
        return self.failover.state(content_id(number))[0]

    def why(self, number: int = 1) -> str:
        return self.failover.state(content_id(number))[1]


async def town(contents: int = 1, *, audit: bool = False) -> World:
    """A world in which so many contents play."""
    world = World(audit=audit)
    for number in range(1, contents + 1):
        await world.playing(number)
    return world


async def told(world: World, topic: str = "cdn.failover") -> dict[str, list[Notification]]:
    """What is owed to whom about failovers, the oldest first."""
    page = await world.store.list_deliveries(DeliveryQuery(limit=1000))
    found: dict[str, list[Notification]] = {endpoint.value: [] for endpoint in Endpoint}
    for delivery in reversed(page.items):
        if delivery.notification.topic == topic:
            found[delivery.notification.endpoint].append(delivery.notification)
    return found
