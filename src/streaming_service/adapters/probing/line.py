"""The line to the agents: a signed question, an answer that is signed for this very question."""

from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import uuid4

import msgspec
import structlog
from msgspec import Struct

from streaming_service.adapters.breaker import Breaker
from streaming_service.adapters.http import Request, Transport
from streaming_service.adapters.probing.wire import LARGEST_ANSWER
from streaming_service.adapters.sealing import Sealer
from streaming_service.application.ports import Clock
from streaming_service.errors import InvalidInput, UpstreamUnavailable

log = structlog.get_logger(__name__)

# A region that stays silent would otherwise hold up the schedule of all others.
_SILENCES = 2
_REST = 30.0


class Located(Protocol):
    """An answer that says where it comes from."""

    @property
    def region(self) -> str: ...


AnswerT = TypeVar("AnswerT", bound=Located)


class AgentLine:
    """Asks agents over `transport`.

    One that does not answer, or whose answer is not signed with our secret for this very question, is silent; it is
    left alone for half a minute after two silences in a row. `monotonic` is a clock in seconds.
    """

    def __init__(self, transport: Transport, *, sealer: Sealer, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._transport = transport
        self._sealer = sealer
        self._clock = clock
        self._monotonic = monotonic
        self._breakers: dict[str, Breaker] = {}
        self._silent: dict[str, str] = {}

    async def ask(
        self, region: str, url: str, question: Struct, answer: type[AnswerT], timeout: float
    ) -> AnswerT | None:
        """What the agent of that region says at `url` within `timeout` seconds; None: it is silent."""
        breaker = self._breaker(region)
        try:
            ticket = breaker.admit()
        except UpstreamUnavailable:
            return None  # told when it fell silent
        try:
            said = await self._ask(region, url, question, answer, timeout)
        except (UpstreamUnavailable, InvalidInput, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            breaker.failed(ticket)
            self._report(region, str(error))
            return None
        except BaseException:  # cancelled, or a mistake of ours: says nothing about the agent
            breaker.forgotten(ticket)
            raise
        breaker.succeeded(ticket)
        self._report(region, "")
        return said

    async def _ask(self, region: str, url: str, question: Struct, answer: type[AnswerT], timeout: float) -> AnswerT:
        question_id, body = str(uuid4()), msgspec.json.encode(question)
        headers = {"content-type": "application/json", **self._sealer.headers(question_id, body, self._clock.now())}
        request = Request("POST", url, headers, body, timeout=timeout, max_body=LARGEST_ANSWER)
        response = await self._transport.send(request)
        if response.status != 200:
            raise UpstreamUnavailable(f"agent of {region}", f"answers {response.status}", status=response.status)
        if self._sealer.check(response.headers, response.body, self._clock.now()) != question_id:
            raise InvalidInput("webhook-id", "is not that of the question")
        said = msgspec.json.decode(response.body, type=answer)
        if said.region != region:
            raise InvalidInput("region", f"the agent says that it is in {said.region[:40]!r}")
        return said

    def _breaker(self, region: str) -> Breaker:
        if region not in self._breakers:
            made = Breaker(f"agent of {region}", self._monotonic, failures=_SILENCES, open_seconds=_REST)
            self._breakers[region] = made
        return self._breakers[region]

    def _report(self, region: str, reason: str) -> None:
        """Once for each change, not for each question."""
        before = self._silent.pop(region, "")
        if reason:
            self._silent[region] = reason
        if reason and reason != before:
            log.warning("probe agent is silent", region=region, reason=reason)
        if before and not reason:
            log.info("probe agent answers again", region=region)
