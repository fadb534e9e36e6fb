"""Each region is looked at in its own way: from here, through an edge there, or by an agent there."""

from collections.abc import Callable
from uuid import uuid4

import msgspec
import structlog

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.http import Request, Transport
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.probing.wire import LARGEST_ANSWER, PATH, Answer
from streaming_service.adapters.sealing import Sealer
from streaming_service.application.ports import Clock
from streaming_service.domain.probe_journey import Finding, Journey
from streaming_service.domain.probe_region import Region
from streaming_service.domain.probe_rules import longest_journey
from streaming_service.errors import InvalidInput, UpstreamUnavailable

log = structlog.get_logger(__name__)

# For the way to the agent, and for its other journeys.
_PATIENCE = 5.0
# A region that stays silent would otherwise hold up the schedule of all others.
_SILENCES = 2
_REST = 30.0


class RegionalProber:
    """The Prober of the service: `own` follows journeys from here, agents are asked over `transport`.

    An agent that does not answer, or whose answer is not signed with our secret for this very question, is silent; it
    is left alone for half a minute after two silences in a row. `monotonic` is a clock in seconds.
    """

    def __init__(
        self,
        own: HttpProber,
        transport: Transport,
        *,
        sealer: Sealer,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._own = own
        self._transport = transport
        self._sealer = sealer
        self._clock = clock
        self._monotonic = monotonic
        self._breakers: dict[str, Breaker] = {}
        self._silent: dict[str, str] = {}

    async def probe(self, region: Region, journey: Journey) -> Finding | None:
        """None: the region's agent is silent."""
        if region.agent is None:
            return await self._own.follow(journey, region.edge(journey.target))
        breaker = self._breaker(region.name)
        try:
            ticket = breaker.admit()
        except UpstreamUnavailable:
            return None  # told when it fell silent
        try:
            finding = await self._ask(region.name, region.agent, journey)
        except (UpstreamUnavailable, InvalidInput, msgspec.DecodeError) as error:
            breaker.failed(ticket)
            self._report(region.name, str(error))
            return None
        except BaseException:  # cancelled, or a mistake of ours: says nothing about the agent
            breaker.forgotten(ticket)
            raise
        breaker.succeeded(ticket)
        self._report(region.name, "")
        return finding

    async def _ask(self, region: str, agent: str, journey: Journey) -> Finding:
        question_id, body = str(uuid4()), msgspec.json.encode(journey)
        headers = {"content-type": "application/json", **self._sealer.headers(question_id, body, self._clock.now())}
        timeout = longest_journey(journey.timeout, patient=journey.patient) + _PATIENCE
        request = Request(
            "POST", f"{agent}{PATH}", headers, body, timeout=timeout, max_body=LARGEST_ANSWER, peer="probe-agent"
        )
        response = await self._transport.send(request)
        if response.status != 200:
            raise UpstreamUnavailable(f"agent of {region}", f"answers {response.status}", status=response.status)
        if self._sealer.check(response.headers, response.body, self._clock.now()) != question_id:
            raise InvalidInput("webhook-id", "is not that of the question")
        answer = msgspec.json.decode(response.body, type=Answer)
        if answer.region != region:
            raise InvalidInput("region", f"the agent says that it is in {answer.region[:40]!r}")
        return answer.finding

    def _breaker(self, region: str) -> Breaker:
        if region not in self._breakers:
            made = Breaker(f"agent of {region}", self._monotonic, failures=_SILENCES, open_seconds=_REST)
            self._breakers[region] = made
        return self._breakers[region]

    def _report(self, region: str, reason: str) -> None:
        """Once for each change, not for each probe."""
        before = self._silent.pop(region, "")
        if reason:
            self._silent[region] = reason
        if reason and reason != before:
            log.warning("probe agent is silent", region=region, reason=reason)
        if before and not reason:
            log.info("probe agent answers again", region=region)
