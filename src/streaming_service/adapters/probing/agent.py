"""The agent's side: a signed question is answered with what was found from here, signed."""

import asyncio
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from streaming_service.adapters.probing.prober import HttpProber
from streaming_service.adapters.probing.wire import Answer
from streaming_service.adapters.sealing import Sealer
from streaming_service.adapters.warming.warmer import HttpWarmer
from streaming_service.adapters.warming.wire import WarmAnswer
from streaming_service.application.ports import Clock, ProbeMeter
from streaming_service.domain.probe_journey import Journey
from streaming_service.domain.warming import Errand
from streaming_service.errors import InvalidInput


class ProbeAgent:
    """Looks at, and warms, what the service asks for, from `region`. Up to `side_by_side` journeys at a time, the rest
    waits."""

    def __init__(
        self,
        *,
        region: str,
        prober: HttpProber,
        warmer: HttpWarmer,
        sealer: Sealer,
        clock: Clock,
        meter: ProbeMeter,
        side_by_side: int = 16,
    ) -> None:
        self._region = region
        self._prober = prober
        self._warmer = warmer
        self._sealer = sealer
        self._clock = clock
        self._meter = meter
        self._slots = asyncio.Semaphore(side_by_side)

    def authentic(self, headers: Mapping[str, str], body: bytes) -> str:
        """The question's id. Nobody else may have us fetch things. Raises InvalidInput."""
        return self._sealer.check(headers, body, self._clock.now())

    async def answer(self, question_id: str, body: bytes) -> tuple[bytes, dict[str, str]]:
        """The answer's body and its headers. Raises InvalidInput for what is no journey."""
        try:
            journey = msgspec.json.decode(body, type=Journey)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput("body", "is no journey") from error
        async with self._slots:
            finding = await self._prober.follow(journey)
        self._meter.probed(self._region, journey.target, finding.verdict)
        return self._sealed(question_id, Answer(self._region, finding))

    async def warm(self, question_id: str, body: bytes) -> tuple[bytes, dict[str, str]]:
        """The answer's body and its headers. Raises InvalidInput for what is no errand."""
        try:
            errand = msgspec.json.decode(body, type=Errand)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput("body", "is no errand") from error
        return self._sealed(question_id, WarmAnswer(self._region, await self._warmer.fetch(errand)))

    def _sealed(self, question_id: str, said: Struct) -> tuple[bytes, dict[str, str]]:
        answer = msgspec.json.encode(said)
        return answer, self._sealer.headers(question_id, answer, self._clock.now())
