"""Each region is looked at in its own way: from here, through an edge there, or by an agent there."""

from uuid import uuid4

import msgspec
import structlog

from streaming_service.adapters.http import Request, Transport
from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.probing.wire import LARGEST_ANSWER, PATH, Answer
from streaming_service.adapters.sealing import Sealer
from streaming_service.application.ports import Clock
from streaming_service.domain.probe_journey import Finding, Journey
from streaming_service.domain.probe_region import Region
from streaming_service.errors import InvalidInput, UpstreamUnavailable

log = structlog.get_logger(__name__)

# Two playlists, an init segment and a segment, each of which may take its whole time, and the pauses of the patient.
_STEPS = 4
_PATIENCE = 20.0


class RegionalProber:
    """The Prober of the service: `own` follows journeys from here, agents are asked over `transport`.

    An agent that does not answer, or whose answer is not signed with our secret for this very question, is silent.
    """

    def __init__(self, own: HttpProber, transport: Transport, sealer: Sealer, clock: Clock) -> None:
        self._own = own
        self._transport = transport
        self._sealer = sealer
        self._clock = clock
        self._silent: dict[str, str] = {}

    async def probe(self, region: Region, journey: Journey) -> Finding | None:
        """None: the region's agent is silent."""
        if region.agent is None:
            return await self._own.follow(journey, region.edge(journey.target))
        try:
            finding = await self._ask(region.name, region.agent, journey)
        except (UpstreamUnavailable, InvalidInput, msgspec.DecodeError) as error:
            self._report(region.name, str(error))
            return None
        self._report(region.name, "")
        return finding

    async def _ask(self, region: str, agent: str, journey: Journey) -> Finding:
        question_id, body = str(uuid4()), msgspec.json.encode(journey)
        headers = {"content-type": "application/json", **self._sealer.headers(question_id, body, self._clock.now())}
        timeout = _STEPS * journey.timeout + _PATIENCE
        request = Request("POST", f"{agent}{PATH}", headers, body, timeout=timeout, max_body=LARGEST_ANSWER)
        response = await self._transport.send(request)
        if response.status != 200:
            raise UpstreamUnavailable(f"agent of {region}", f"answers {response.status}", status=response.status)
        if self._sealer.check(response.headers, response.body, self._clock.now()) != question_id:
            raise InvalidInput("webhook-id", "is not that of the question")
        answer = msgspec.json.decode(response.body, type=Answer)
        if answer.region != region:
            raise InvalidInput("region", f"the agent says that it is in {answer.region[:40]!r}")
        return answer.finding

    def _report(self, region: str, reason: str) -> None:
        """Once for each change, not for each probe."""
        before = self._silent.pop(region, "")
        if reason:
            self._silent[region] = reason
        if reason and reason != before:
            log.warning("probe agent is silent", region=region, reason=reason)
        if before and not reason:
            log.info("probe agent answers again", region=region)
